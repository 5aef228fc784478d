"""Serving: shutdown, replaced workers, shared metrics, health, logs and limits."""

import contextlib
import json
import os
import re
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from services.capacity.resources import usable_cpus
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.waiting import poll


def post(server: Gunicorn, data: bytes) -> int:
    headers = {"Content-Type": "image/jpeg"}
    return requests.post(f"{server.url}/remove-background", data=data, headers=headers, timeout=60).status_code


def metric(server: Gunicorn, name: str) -> float:
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def test_sigterm_under_load_answers_every_accepted_request(small: bytes) -> None:
    with QuickGunicorn(WEB_CONCURRENCY=2, MAX_WAITING_IMAGES=64) as server:
        outcomes: list[int | str] = []

        def load() -> None:
            while True:
                try:
                    outcomes.append(post(server, small))
                except requests.ConnectionError as exc:
                    # A refused connection was never accepted. A reset or a partial answer is a loss.
                    outcomes.append("refused" if "Connection refused" in str(exc) else f"lost: {exc}")
                    return

        threads = [threading.Thread(target=load) for _ in range(8)]
        for thread in threads:
            thread.start()
        poll(lambda: len(outcomes) >= 12)
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(60)
        assert server.process.wait(30) == 0
        assert set(outcomes) == {200, "refused"}
        assert outcomes.count("refused") == 8
        assert "Traceback" not in server.log()


def test_killed_worker_is_replaced_and_keeps_its_counts(small: bytes) -> None:
    with QuickGunicorn(WEB_CONCURRENCY=2) as server:
        name = 'bg_remover_requests_total{endpoint="/remove-background",method="POST",status="200"}'
        for _ in range(8):
            assert post(server, small) == 200
        poll(lambda: metric(server, name) == 8)
        folder = metrics_folder(server)
        for _ in range(3):
            victim = server.workers()[0]
            os.kill(victim, signal.SIGKILL)
            poll(lambda victim=victim: victim not in server.workers() and len(server.workers()) == 2)
            poll(server.is_ready)
            assert post(server, small) == 200
        poll(lambda: metric(server, name) == 11)
        slots = {re.search(r"_(\d+)\.db$", file.name)[1] for file in folder.iterdir()}  # type: ignore[index]
        # Files belong to worker slots rather than process ids, so their number does not grow.
        assert slots == {"0", "1"}
        assert metric(server, "bg_remover_in_flight") == 0
    assert not folder.exists()


def metrics_folder(server: Gunicorn) -> Path:
    environ = Path(f"/proc/{server.workers()[0]}/environ").read_bytes()
    # The process sets the variable itself after its start.
    assert b"PROMETHEUS_MULTIPROC_DIR" not in environ
    maps = Path(f"/proc/{server.workers()[0]}/maps").read_text()
    found = re.search(r"(/\S*bg-remover-counts-\w+)/", maps)
    assert found
    return Path(found[1])


def test_metrics_cover_requests_stages_sizes_errors_model_and_memory(server: Gunicorn, small: bytes) -> None:
    before = {name: metric(server, f"bg_remover_{name}") for name in ("images_total", "refused_total")}
    assert post(server, small) == 200
    assert post(server, b"nothing") == 415
    assert metric(server, "bg_remover_images_total") == before["images_total"] + 2
    assert metric(server, "bg_remover_refused_total") == before["refused_total"] + 1
    for name in ("image_megapixels_count", "upload_bytes_sum", "result_bytes_sum", "resident_bytes", "model_info"):
        assert metric(server, f"bg_remover_{name}") > 0
    for stage in ("queue", "decode", "segment", "refine", "decontaminate", "compose", "encode"):
        assert metric(server, f'bg_remover_stage_duration_seconds_count{{stage="{stage}"}}') > 0
    as_json = requests.get(f"{server.url}/api/metrics", timeout=10).json()
    assert as_json["bg_remover_model_info"][0]["labels"]["model"] == "u2netp"
    assert requests.get(f"{server.url}/api/metrics/prometheus", timeout=10).text.startswith("# HELP")


@pytest.fixture(scope="module")
def guarded() -> Iterator[Gunicorn]:
    """A server whose metrics need the token from this machine."""
    with QuickGunicorn(METRICS_ALLOWED_NETWORKS="10.9.8.0/24", METRICS_TOKEN="s3cret-0123456789") as running:
        yield running


def test_metrics_require_an_allowed_network_or_the_token(guarded: Gunicorn) -> None:
    def status(**headers: str) -> int:
        return requests.get(f"{guarded.url}/metrics", headers=headers, timeout=10).status_code

    assert status() == 403
    assert status(Authorization="Bearer wrong") == 403
    assert status(Authorization="Bearer s3cret-0123456789") == 200
    assert "s3cret-0123456789" not in guarded.log()


CROSS_SITE = ({"Origin": "https://evil.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"})


@pytest.mark.parametrize("headers", CROSS_SITE, ids=str)
def test_metrics_are_closed_to_pages_of_other_sites(
    server: Gunicorn, guarded: Gunicorn, headers: dict[str, str]
) -> None:
    for path in ("/metrics", "/api/metrics", "/api/metrics/prometheus"):
        refused = requests.get(server.url + path, headers=headers, timeout=10)
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "Access-Control-Allow-Origin" not in refused.headers
    token = {"Authorization": "Bearer s3cret-0123456789"}
    assert requests.get(f"{guarded.url}/metrics", headers={**headers, **token}, timeout=10).status_code == 200


def test_metrics_are_closed_where_forwarding_headers_say_no_address(server: Gunicorn) -> None:
    for headers in ({"X-Forwarded-For": "127.0.0.1"}, {"Forwarded": "for=127.0.0.1"}, {"X-Forwarded-For": ""}):
        assert requests.get(f"{server.url}/metrics", headers=headers, timeout=10).status_code == 403
    with QuickGunicorn(TRUSTED_PROXIES=1) as behind_a_proxy:
        url = f"{behind_a_proxy.url}/metrics"
        for sent, status in (("evil", 403), ("", 403), ("fe80::1%eth0", 403), ("5.5.5.5,", 403), ("10.1.2.3", 200)):
            assert requests.get(url, headers={"X-Forwarded-For": sent}, timeout=10).status_code == status
        # Prometheus, in the service's own network.
        assert requests.get(url, timeout=10).status_code == 200


def test_health_reports_every_component(server: Gunicorn) -> None:
    for path in ("/health", "/api/health"):
        body = requests.get(f"{server.url}{path}", timeout=10).json()
        assert body["status"] == "healthy"
        assert set(body["parts"]) == {
            "app", "model", "redis", "storage", "database", "queue", "disk_space", "memory",
        }  # fmt: skip
        assert body["parts"]["model"] == {"status": "ok", **engine_of(server)}
        assert body["checks"] == dict.fromkeys(body["parts"], True)
    assert requests.get(f"{server.url}/health/live", timeout=10).json() == {"status": "alive"}


def test_short_health_names_the_api_and_its_dependencies(server: Gunicorn) -> None:
    answer = requests.get(f"{server.url}/api/v1/health", timeout=10)
    assert answer.json() == {
        "status": "healthy", "checks": {"api": "ok", "database": "ok", "redis": "ok", "s3": "ok"},
    }  # fmt: skip


def engine_of(server: Gunicorn) -> dict[str, str]:
    (model,) = requests.get(f"{server.url}/models", timeout=10).json()["models"]
    assert model["licence"] == "Apache-2.0"
    assert model["size_bytes"] > 4_000_000
    assert (model["name"], model["input_size"], model["default"], model["loaded"]) == ("u2netp", 320, True, True)
    return {"model": model["name"], "engine": model["engine"], "precision": model["precision"]}


def test_damaged_model_leaves_the_service_alive_but_not_ready(tmp_path: Path, small: bytes) -> None:
    (tmp_path / "u2netp.onnx").write_bytes(b"not a model")
    with Gunicorn(ready=False, REMBG_SESSION_PATH=tmp_path) as server:
        poll(lambda: "Booting worker" in server.log())
        poll(lambda: "damaged" in requests.get(f"{server.url}/health", timeout=10).text)
        assert requests.get(f"{server.url}/health", timeout=10).status_code == 503
        assert requests.get(f"{server.url}/health/live", timeout=10).status_code == 200
        assert requests.get(f"{server.url}/health/ready", timeout=10).status_code == 503
        answer = requests.post(f"{server.url}/remove-background", files={"file": ("a.jpg", small)}, timeout=10)
        assert (answer.status_code, answer.json()["code"]) == (503, "engine_unavailable")
        assert int(answer.headers["Retry-After"]) >= 1


def test_second_model_is_loaded_on_first_use(tmp_path: Path, small: bytes) -> None:
    from tests.support.waiting import ROOT

    # The same network under two names.
    for name in ("u2netp", "second"):
        (tmp_path / f"{name}.onnx").write_bytes((ROOT / "models/u2netp.onnx").read_bytes())
    described = {"purpose": "tests", "licence": "Apache-2.0", "commercial": "yes", "input_size": 320}
    described |= {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225], "stretch": True}
    (tmp_path / "second.json").write_text(json.dumps(described))
    with Gunicorn(REMBG_SESSION_PATH=tmp_path, MODELS_ENABLED="second,u2net") as server:
        url = f"{server.url}/remove-background"
        listed = {m["name"]: m["loaded"] for m in requests.get(f"{server.url}/models", timeout=10).json()["models"]}
        # The model u2net is enabled, but its file is missing.
        assert listed == {"u2netp": True, "second": False}
        answer = requests.post(url, files={"file": ("a.jpg", small)}, data={"model": "second"}, timeout=30)
        assert answer.status_code == 200
        missing = requests.post(url, files={"file": ("a.jpg", small)}, data={"model": "u2net"}, timeout=30)
        assert (missing.status_code, missing.json()["code"]) == (404, "model_not_found")


def test_invalid_settings_stop_the_start_in_one_message() -> None:
    with QuickGunicorn(
        ready=False, WEB_THREADS="many", MAX_IMAGE_PIXELS=3, LOG_LEVEL="loud", METRICS_TOKEN="s3"
    ) as server:
        assert server.process.wait(30) != 0
        log = server.log()
        for name in ("WEB_THREADS is 'many'", "MAX_IMAGE_PIXELS is '3'", "LOG_LEVEL is 'LOUD'"):
            assert name in log
        assert "Traceback" not in log
        assert "s3" not in log


def test_every_request_logs_one_json_line(guarded: Gunicorn, small: bytes) -> None:
    headers = {"Content-Type": "image/jpeg", "X-Request-ID": "my-id.1"}
    requests.post(f"{guarded.url}/remove-background?format=jpeg", data=small, headers=headers, timeout=30)
    line = poll(lambda: [text for text in guarded.log().splitlines() if "my-id.1" in text])
    assert len(line) == 1
    event = json.loads(line[0])
    assert event["event"] == "request"
    assert (event["address"], event["method"], event["path"]) == ("127.0.0.1", "POST", "/remove-background")
    assert (event["status"], event["bytes_in"]) == (200, len(small))
    assert event["size_reduction"] == round(1 - event["bytes_out"] / len(small), 3)
    assert set(event["timings_ms"]) == {
        "queue",
        "decode",
        "segment",
        "refine",
        "decontaminate",
        "compose",
        "encode",
    }
    # All lines are JSON, also Gunicorn's own.
    for text in guarded.log().splitlines():
        json.loads(text)


def test_line_about_a_request_that_cant_be_parsed_has_no_other_requests_id() -> None:
    with QuickGunicorn() as server:
        for _ in range(20):
            requests.get(f"{server.url}/models", timeout=10)
        with socket.create_connection(("127.0.0.1", server.port), 10) as connection:
            connection.sendall(b"G\x7fT / HTTP/1.1\r\nHost: a\r\n\r\n")
            assert connection.recv(12).endswith(b" 400")
        (line,) = poll(lambda: [text for text in server.log().splitlines() if "Invalid request" in text])
    assert "request_id" not in json.loads(line)


def test_log_rotation_with_two_workers_loses_no_line(tmp_path: Path) -> None:
    log = tmp_path / "logs/app.log"
    with QuickGunicorn(WEB_CONCURRENCY=2, LOG_FILE=log, LOG_ROTATE_MB="0.01", LOG_BACKUPS=50) as server:

        def ask(number: int) -> None:
            requests.get(f"{server.url}/models", headers={"X-Request-ID": f"n{number}."}, timeout=10)

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(ask, range(200)))
    files = sorted(log.parent.glob("app.log*"))
    assert len(files) > 3
    text = "".join(file.read_text() for file in files)
    assert all(text.count(f'"n{number}."') == 1 for number in range(200))
    assert server.log_path.exists() is False


def test_moved_log_file_is_reopened(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    with QuickGunicorn(LOG_FILE=log, LOG_ROTATE_MB=0) as server:
        requests.get(f"{server.url}/models", timeout=10)
        log.rename(tmp_path / "app.log.1")
        requests.get(f"{server.url}/models", timeout=10)
        assert poll(lambda: log.exists() and "/models" in log.read_text())


def test_cpu_count_follows_the_cgroup(tmp_path: Path) -> None:
    allowed = len(os.sched_getaffinity(0))
    (tmp_path / "cpu.max").write_text("150000 100000\n")
    assert usable_cpus(tmp_path) == min(2, allowed)
    (tmp_path / "cpu.max").write_text("20000 100000\n")
    assert usable_cpus(tmp_path) == 1
    (tmp_path / "cpu.max").write_text("max 100000\n")
    assert usable_cpus(tmp_path) == allowed
    (tmp_path / "cpu.max").unlink()
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu/cpu.cfs_quota_us").write_text("50000")
    (tmp_path / "cpu/cpu.cfs_period_us").write_text("100000")
    assert usable_cpus(tmp_path) == 1
    assert usable_cpus(tmp_path / "nothing") == allowed


def test_cpu_quota_of_a_parent_cgroup_counts(tmp_path: Path) -> None:
    (tmp_path / "system.slice/app.service").mkdir(parents=True)
    (tmp_path / "system.slice/cpu.max").write_text("100000 100000\n")
    (tmp_path / "system.slice/app.service/cpu.max").write_text("max 100000\n")
    (tmp_path / "groups").write_text("0::/system.slice/app.service\n")
    assert usable_cpus(tmp_path, tmp_path / "groups") == 1


def test_disconnect_ends_waiting_and_running_images(photo_12mp: bytes) -> None:
    with QuickGunicorn(MAX_RUNNING_IMAGES=1, MAX_WAITING_IMAGES=2, WEB_THREADS=8) as server:
        callers = []
        for _ in range(3):
            caller = socket.create_connection(("127.0.0.1", server.port))
            head = f"POST /remove-background HTTP/1.1\r\nHost: x\r\nContent-Length: {len(photo_12mp)}\r\n\r\n"
            caller.sendall(head.encode() + photo_12mp)
            callers.append(caller)
        poll(lambda: metric(server, "bg_remover_waiting") == 2)
        for caller in callers:
            caller.close()
        poll(lambda: metric(server, "bg_remover_waiting") == 0 and metric(server, "bg_remover_in_flight") == 0)
        poll(lambda: metric(server, 'bg_remover_refused_total{code="client_gone"}') >= 2)
        assert post(server, photo_12mp) == 200


def test_slow_upload_is_504(photo_12mp: bytes) -> None:
    with (
        QuickGunicorn(REQUEST_TIMEOUT_SECONDS=1) as server,
        socket.create_connection(("127.0.0.1", server.port)) as caller,
    ):
        head = f"POST /remove-background HTTP/1.1\r\nHost: x\r\nContent-Length: {len(photo_12mp)}\r\n\r\n"
        caller.sendall(head.encode() + photo_12mp[:-1])
        # Longer than the request limit, but shorter than the limit for unfinished bodies.
        caller.settimeout(1.5)
        with pytest.raises(TimeoutError):
            caller.recv(1)
        caller.settimeout(30)
        caller.sendall(photo_12mp[-1:])
        assert caller.recv(4096).startswith(b"HTTP/1.1 504 ")


def test_concurrent_large_uploads_stay_within_the_memory_limit(small: bytes) -> None:
    # Memory for one JSON body of the maximum size.
    with QuickGunicorn(MAX_MEMORY_MB=700) as server:
        head = "POST /remove-background-base64 HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        start = f'{head}Content-Length: 22000000\r\n\r\n{{"image": "'.encode()
        with socket.create_connection(("127.0.0.1", server.port)) as first:
            # A request has its thread, and its memory, when its first 64 KiB are there.
            first.sendall(start + b" " * 65536)

            def second() -> bytes:
                with socket.create_connection(("127.0.0.1", server.port), 30) as caller:
                    caller.sendall(start)
                    # The server discards little of a refused body.
                    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                        caller.sendall(b" " * (22_000_000 - 11))
                    return caller.recv(4096)

            answer = poll(lambda: (got := second()).startswith(b"HTTP/1.1 503") and got)
            assert b"Retry-After: " in answer
            assert post(server, small) == 200
        poll(lambda: not second().startswith(b"HTTP/1.1 503"))
