"""Provoke every error code over HTTP; check its status, body and headers, and that the next request succeeds."""

import base64
import http.client
import json
import os
import random
import signal
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import requests
from PIL import Image

from services.errors import all_errors
from services.storage.local import LocalFolder
from tests.support.answers import REQUEST_ID, assert_error
from tests.support.gunicorn import SECRET_KEY, Gunicorn, QuickGunicorn
from tests.support.pictures import corpus
from tests.support.servers.sources import source
from tests.support.waiting import free_port, poll

ORIGIN: Final = "https://example.org"
LIMITED: Final = ("/remove-background", "/remove-background-preview", "/remove-background-base64", "/read-file")
# No request to these endpoints can return these codes.
NOT_PROVOKED: Final = {
    "internal_error": "only a bug causes it, and a bug must fail a test",
    "bad_parameter": "the remove.bg API replaces it with its own codes",
    "client_gone": "the caller has disconnected; only the log shows it",
    "monthly_quota_used_up": "it takes a key with a monthly quota, see test_usage.py",
    **dict.fromkeys(("key_not_found", "key_name_taken"), "they take a key of an administrator, see test_admin_keys.py"),
    **dict.fromkeys(
        ("bad_password", "bad_token", "token_reused", "not_signed_in", "registration_closed", "sign_in_failed"),
        "they take accounts, see test_accounts.py",
    ),
    **dict.fromkeys(
        ("last_administrator", "too_many_keys", "user_exists", "too_many_invitations", "invitation_not_found"),
        "they take users, see tests/unit/accounts",
    ),
    **dict.fromkeys(("provider_refused", "provider_unavailable"), "they take a provider, see test_oidc.py"),
    "too_many_frames": "it takes an animation, see test_animations.py",
    "worker_lost": "only a job's record shows it, see test_jobs.py",
    **dict.fromkeys(("bad_archive", "bad_entry"), "only a batch's report shows them, see test_batch.py"),
}


@dataclass(frozen=True)
class Case:
    """A request to refuse; the response's details must contain the words of `details`."""

    code: str
    status: int
    method: str
    path: str
    send: dict[str, Any] = field(default_factory=dict)
    details: tuple[str, ...] = ()
    name: str = ""

    def __str__(self) -> str:
        return f"{self.code} {self.name or self.path}"


def upload(data: bytes, name: str = "a.png") -> dict[str, Any]:
    return {"files": {"file": (name, data)}}


def with_mask(data: bytes) -> dict[str, Any]:
    return {"files": {"file": ("a.png", GOOD), "mask": ("m.png", data)}}


def image_json(data: bytes, **more: object) -> dict[str, Any]:
    return {"json": {"image": base64.b64encode(data).decode(), **more}}


BATCH: Final = "/api/remove/batch"
GOOD: Final = corpus.encode(corpus.photo(), "PNG")
NOTHING: Final = corpus.encode(Image.new("RGBA", (64, 64), (0, 0, 0, 0)), "PNG")
# The fixture `limited` allows this host, but no server listens there.
CLOSED_URL: Final = "http://127.0.0.1:1/photo.jpg"
TWO: Final = {"files": [("file", ("a.png", GOOD)), ("image", ("b.png", GOOD))]}
CASES: Final = (
    *(Case("missing_image", 400, "POST", path, {"files": {"": ""}}) for path in LIMITED[:2]),
    *(Case("missing_image", 400, "POST", path, name=f"{path} without a body") for path in LIMITED[:2]),
    Case("missing_image", 400, "POST", LIMITED[2], {"json": {}}, ("'image'",)),
    *(Case("multiple_images", 400, "POST", path, TWO, ("2",)) for path in LIMITED[:2]),
    Case("multiple_images", 400, "POST", LIMITED[2], {"json": {"image": ["a", "b"]}}, ("2",)),
    *(Case("empty_image", 400, "POST", path, upload(b""), ("file", "0 bytes")) for path in LIMITED[:2]),
    Case("empty_image", 400, "POST", LIMITED[0], {"headers": {"Content-Type": "image/png"}}, name="raw"),
    Case("empty_image", 400, "POST", LIMITED[2], {"json": {"image": "data:image/png;base64,"}}),
    *(
        Case(
            "bad_option", 400, "POST", path, upload(GOOD) | {"data": {"quality": "9"}}, ("quality", "'9'", "10", "100")
        )
        for path in LIMITED[:2]
    ),
    Case("bad_option", 400, "POST", LIMITED[2], image_json(GOOD, quality=9), ("quality", "9", "10", "100")),
    Case("bad_option", 400, "POST", "/read-file", {"json": {"path": 7}}, ("path", "7")),
    *(
        Case("unknown_option", 400, "POST", path, upload(GOOD) | {"data": {"qualty": "9"}}, ("qualty", "'quality'"))
        for path in LIMITED[:2]
    ),
    Case("unknown_option", 400, "POST", LIMITED[2], image_json(GOOD, widht=9), ("widht", "'max_width'")),
    Case("unknown_option", 400, "POST", "/read-file", {"json": {"path": "a.txt", "pth": 1}}, ("pth", "'path'")),
    Case("bad_json", 400, "POST", LIMITED[2], {"data": b"{'image'"}),
    Case("bad_json", 400, "POST", "/read-file", {"json": ["a.txt"]}, ("list",)),
    Case("bad_base64", 400, "POST", LIMITED[2], {"json": {"image": "!!!"}}),
    Case("bad_base64", 400, "POST", "/read-file", {"json": {"path": "no-base64.txt"}}),
    Case("bad_request", 400, "GET", "/", {"headers": {"Host": "x" * 300}}, name="a bad Host"),
    Case("forbidden", 403, "GET", "/metrics", {"headers": {"Authorization": "Bearer wrong"}}, ("token",)),
    Case("forbidden", 403, "GET", "/api/metrics", {"headers": {"Authorization": "Bearer wrong"}}, ("token",)),
    *(
        Case(
            "forbidden_source",
            403,
            "POST",
            path,
            {"data": {"image_url": "http://127.0.0.1/"}, "files": {"x": ("", "")}},
        )
        for path in LIMITED[:2]
    ),
    Case("forbidden_source", 403, "POST", LIMITED[2], {"json": {"image_url": "http://127.0.0.1/"}}),
    *(Case("bad_url", 400, "POST", path, {"data": {"image_url": "file:///x"}}, ("http",)) for path in LIMITED[:2]),
    Case("bad_url", 400, "POST", LIMITED[2], {"json": {"image_url": 7}}, ("image_url", "int")),
    *(Case("source_failed", 502, "POST", path, {"data": {"image_url": CLOSED_URL}}) for path in LIMITED[:2]),
    Case("source_failed", 502, "POST", LIMITED[2], {"json": {"image_url": CLOSED_URL}}),
    Case("forbidden_path", 403, "POST", "/read-file", {"json": {"path": "../secret.txt"}}),
    Case("forbidden_path", 403, "POST", "/read-file", {"json": {"path": "/etc/passwd"}}, name="absolute"),
    Case("forbidden_path", 403, "POST", "/read-file", {"json": {"path": "link.txt"}}, name="a link"),
    Case("forbidden_path", 403, "POST", "/read-file", {"json": {"path": "pipe.txt"}}, name="a pipe"),
    Case("not_found", 404, "POST", "/read-file", {"json": {"path": "nothing.txt"}}),
    Case("not_found", 404, "GET", "/nothing-here", details=("/nothing-here",)),
    Case("not_found", 404, "GET", "/static/../app.py", name="static"),
    *(
        Case("model_not_found", 404, "POST", path, upload(GOOD) | {"data": {"model": "sam"}}, ("'sam'", "tiny"))
        for path in LIMITED[:2]
    ),
    Case("model_not_found", 404, "POST", LIMITED[2], image_json(GOOD, model="sam"), ("'sam'", "tiny")),
    *(Case("method_not_allowed", 405, "GET", path, details=("POST",)) for path in LIMITED),
    *(
        Case("method_not_allowed", 405, "POST", path, details=("GET",))
        for path in ("/", "/models", "/health", "/api/health", "/health/live", "/health/ready", "/metrics")
    ),
    *(
        Case("upload_too_large", 413, "POST", path, upload(bytes(16 * corpus.MIB + 1)), ("16777216",), f"{path} by one")
        for path in LIMITED[:2]
    ),
    Case("upload_too_large", 413, "POST", LIMITED[0], upload(bytes(30 * corpus.MIB)), ("16777216",), "by far"),
    Case("upload_too_large", 413, "POST", LIMITED[2], image_json(bytes(16 * corpus.MIB + 1)), ("16777216",)),
    Case("upload_too_large", 413, "POST", "/read-file", {"data": bytes(30 * corpus.MIB)}),
    *(Case("unsupported_format", 415, "POST", path, upload(b"%PDF-1.7"), ("PDF", "jpeg")) for path in LIMITED[:2]),
    Case("unsupported_format", 415, "POST", LIMITED[2], image_json(b"%PDF-1.7"), ("PDF", "jpeg")),
    Case("too_many_files", 413, "POST", BATCH, {"files": [("files", ("a.png", GOOD))] * 51}, ("51", "50")),
    Case("unsupported_format", 415, "POST", "/read-file", {"json": {"path": "a-pdf.txt"}}, ("PDF",)),
    *(Case("corrupt_image", 422, "POST", path, upload(GOOD[:99])) for path in LIMITED[:2]),
    Case("corrupt_image", 422, "POST", LIMITED[2], image_json(GOOD[:99])),
    *(Case("too_many_pixels", 422, "POST", path, upload(corpus.gif(65535, 65535)), ("65535",)) for path in LIMITED[:2]),
    Case("too_many_pixels", 422, "POST", LIMITED[2], image_json(corpus.gif(65535, 65535)), ("65535", "50000000")),
    *(
        Case("image_too_small", 422, "POST", path, upload(corpus.strip(15, 99)), ("15×99", "16"))
        for path in LIMITED[:2]
    ),
    Case("image_too_small", 422, "POST", LIMITED[2], image_json(corpus.strip(15, 99)), ("15×99", "16")),
    *(Case("no_subject", 422, "POST", path, upload(NOTHING), ("0 of 4096", "0.1%")) for path in LIMITED[:2]),
    Case("no_subject", 422, "POST", LIMITED[2], image_json(NOTHING), ("0 of 4096", "0.1%")),
    Case("mask_mismatch", 422, "POST", "/compose", with_mask(corpus.strip(20, 30)), ("20×30", "64")),
    Case("mask_mismatch", 422, "POST", "/refine", with_mask(corpus.strip(20, 30)), ("20×30", "64")),
    Case("missing_image", 400, "POST", "/refine", upload(GOOD), ("'mask'",)),
)
# These need a special server. Their tests are below, or in test_jobs.py for jobs.
STATES: Final = (
    *("host_not_allowed", "rate_limited", "busy", "shutting_down", "engine_unavailable", "deadline_exceeded"),
    *("missing_key", "bad_key", "database_unavailable", "source_timeout"),
    *("job_not_found", "job_not_finished", "job_not_cancellable", "job_not_retryable", "queue_unavailable"),
    *("storage_unavailable", "result_expired", "idempotency_key_reused"),
    # test_items.py, test_owners.py
    *("item_not_found", "item_not_finished", "item_not_cancellable", "item_not_retryable", "item_changed"),
    # test_owners.py; test_chosen_archive.py; test_signed_urls.py
    *("cross_site_request", "archive_too_large", "bad_signature", "link_expired"),
)


def ask(server: Gunicorn, case: Case) -> requests.Response:
    headers = {"Origin": ORIGIN, "X-Request-ID": REQUEST_ID, **case.send.get("headers", {})}
    request = requests.Request(case.method, server.url + case.path, **{**case.send, "headers": headers}).prepare()
    # The library normalizes `..` in URLs.
    request.url = server.url + case.path
    with requests.Session() as session:
        return session.send(request, timeout=60)


def post(server: Gunicorn, data: bytes, path: str = LIMITED[0], **query: str) -> requests.Response:
    headers = {"Origin": ORIGIN, "X-Request-ID": REQUEST_ID}
    return requests.post(server.url + path, files={"file": ("a.png", data)}, params=query, headers=headers, timeout=60)


@contextmanager
def held(server: Gunicorn, data: bytes) -> Iterator[Any]:
    """Keep the server busy with an image; yield the future of its response."""
    with ThreadPoolExecutor(1) as pool:
        answer = pool.submit(post, server, data)
        poll(lambda: gauge(server, "in_flight") == 1, 20, "an image in flight")
        yield answer


def gauge(server: Gunicorn, name: str) -> float:
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith(f"bg_remover_{name} "))


@pytest.fixture(scope="module")
def big() -> bytes:
    """A photo of 25 Mpx in a small file."""
    return corpus.encode(corpus.photo().resize((5000, 5000)), "JPEG", quality=30)


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A server with quotas, a folder for /read-file, unusable storage and a metrics token."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "no-base64.txt").write_text("é")
    (folder / "a-pdf.txt").write_text(base64.b64encode(b"%PDF-1.7").decode())
    (folder / "good.txt").write_text(base64.b64encode(GOOD).decode())
    (folder / "link.txt").symlink_to(folder / "good.txt")
    os.mkfifo(folder / "pipe.txt")
    quotas = {f"RATE_LIMIT_{name}_PER_HOUR": 10_000 for name in ("REMOVE_BG", "PREVIEW", "BASE64", "READ_FILE")}
    fetching = {"FETCH_ENABLED": "true", "FETCH_ALLOWED_HOSTS": "127.0.0.1:1"}
    settings: dict[str, Any] = {"RATE_LIMIT_ENABLED": "true", "READ_FILE_DIR": folder, **quotas, **fetching}
    # A file in the place of the storage folder makes the storage unusable.
    settings |= {"STORAGE_URL": f"file:{folder}/good.txt"}
    with QuickGunicorn(METRICS_TOKEN="the right token of 28 letters", REQUIRE_SUBJECT="true", **settings) as server:
        yield server


def test_unusable_storage_and_expired_links_are_reported(limited: Gunicorn) -> None:
    case = Case("", 503, "POST", "/remove-bg?output_key=a.png", upload(GOOD))
    body = assert_error(ask(limited, case), 503, "storage_unavailable", limited=True)
    assert "good.txt" not in str(body)
    link = LocalFolder(Path("anywhere"), SECRET_KEY).url("results/a.png", -1, "a.png")
    assert_error(ask(limited, Case("", 410, "GET", link)), 410, "result_expired")


@pytest.fixture(scope="module")
def strict() -> Iterator[Gunicorn]:
    """A server with a request timeout of 1.5 s."""
    with QuickGunicorn(REQUEST_TIMEOUT_SECONDS=1.5, RATE_LIMIT_ENABLED="true") as server:
        yield server


@pytest.fixture(scope="module")
def narrow() -> Iterator[Gunicorn]:
    """A server with room for one image and small quotas."""
    quotas: dict[str, Any] = {"RATE_LIMIT_PREVIEW_PER_HOUR": 2, "RATE_LIMIT_BASE64_PER_HOUR": 7}
    with QuickGunicorn(MAX_RUNNING_IMAGES=1, MAX_WAITING_IMAGES=0, RATE_LIMIT_ENABLED="true", **quotas) as server:
        yield server


@pytest.mark.parametrize("case", CASES, ids=str)
def test_refused_request_gets_its_documented_error(limited: Gunicorn, case: Case) -> None:
    pids = limited.workers()
    body = assert_error(
        ask(limited, case), case.status, case.code, limited=case.path in LIMITED and case.method == "POST"
    )
    for word in case.details:
        assert word in body["details"]
    if case.status == 405:
        allow = ask(limited, case).headers["Allow"].split(", ")
        assert case.method not in allow
        assert set(case.details) <= set(allow)
    assert post(limited, GOOD).status_code == 200
    assert limited.workers() == pids


def test_valid_metrics_token_and_readable_file_are_accepted(limited: Gunicorn) -> None:
    token = {"Authorization": "Bearer the right token of 28 letters"}
    assert requests.get(f"{limited.url}/metrics", headers=token, timeout=10).status_code == 200
    answer = requests.post(f"{limited.url}/read-file", json={"path": "good.txt"}, timeout=10)
    assert answer.json() == {
        "success": True,
        "content": base64.b64encode(GOOD).decode(),
        "size": len(base64.b64encode(GOOD)),
    }


def answers(server: Gunicorn) -> bool:
    try:
        return requests.get(f"{server.url}/health/live", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_exhausted_quota_is_429_for_its_endpoint_only(narrow: Gunicorn) -> None:
    remaining = []
    for _ in range(2):
        answer = post(narrow, GOOD, LIMITED[1])
        assert answer.status_code == 200
        assert "Retry-After" not in answer.headers
        remaining.append(answer.headers["X-RateLimit-Remaining"])
    assert remaining == ["1", "0"]
    refused = post(narrow, GOOD, LIMITED[1])
    body = assert_error(refused, 429, "rate_limited", limited=True)
    assert "2 per 1 hour" in body["details"]
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert 1 <= int(refused.headers["Retry-After"]) <= 3601
    assert_error(post(narrow, bytes(8 * corpus.MIB), LIMITED[1]), 429, "rate_limited", limited=True)
    assert base64_request(narrow, GOOD).status_code == 200


def test_full_server_is_busy_and_uses_no_quota(narrow: Gunicorn, big: bytes) -> None:
    left = base64_request(narrow, GOOD).headers["X-RateLimit-Remaining"]
    with held(narrow, big) as answer:
        assert_error(post(narrow, GOOD), 503, "busy", limited=True)
        refused = base64_request(narrow, GOOD)
        assert_error(refused, 503, "busy", limited=True)
        assert refused.headers["X-RateLimit-Remaining"] == left
        assert requests.get(f"{narrow.url}/health/live", timeout=5).status_code == 200
    assert answer.result().status_code == 200
    assert gauge(narrow, "in_flight") == gauge(narrow, "waiting") == 0
    after = base64_request(narrow, GOOD)
    assert after.status_code == 200
    assert int(after.headers["X-RateLimit-Remaining"]) == int(left) - 1


def base64_request(server: Gunicorn, data: bytes) -> requests.Response:
    headers = {"Origin": ORIGIN, "X-Request-ID": REQUEST_ID}
    return requests.post(server.url + LIMITED[2], **image_json(data), headers=headers, timeout=60)


def silence(connection: socket.socket, _head: bytes) -> None:
    connection.recv(1)


def test_silent_source_is_504_and_uses_quota() -> None:
    with (
        source(silence) as silent,
        QuickGunicorn(
            FETCH_ENABLED="true",
            FETCH_ALLOWED_HOSTS=f"127.0.0.1:{silent.port}",
            FETCH_TIMEOUT_SECONDS=0.3,
            RATE_LIMIT_ENABLED="true",
        ) as server,
    ):
        for path in LIMITED[:2]:
            form = {"image_url": f"http://127.0.0.1:{silent.port}/"}
            refused = ask(server, Case("", 0, "POST", path, {"data": form}))
            assert_error(refused, 504, "source_timeout", limited=True)
            used = int(refused.headers["X-RateLimit-Limit"]) - int(refused.headers["X-RateLimit-Remaining"])
            assert used == 1


def test_slow_image_is_504_and_uses_quota(strict: Gunicorn) -> None:
    slow = corpus.encode(Image.new("RGBA", (7000, 7000), (200, 90, 30, 128)), "PNG", compress_level=1)
    before = post(strict, GOOD)
    assert before.status_code == 200
    left = int(before.headers["X-RateLimit-Remaining"])
    for used in (1, 2):
        late = post(strict, slow, edges="matting")
        body = assert_error(late, 504, "deadline_exceeded", limited=True)
        assert "1.5 s" in body["details"]
        assert int(late.headers["X-RateLimit-Remaining"]) == left - used
        assert late.elapsed.total_seconds() < 15
    after = post(strict, GOOD)
    assert after.status_code == 200
    assert int(after.headers["X-RateLimit-Remaining"]) == left - 3
    assert gauge(strict, "in_flight") == gauge(strict, "waiting") == 0


@pytest.fixture(scope="module", params=[None, random.Random(1).randbytes(99_999)], ids=["no model", "damaged model"])
def modelless(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """A server without a usable model that forbids metrics to this machine."""
    folder = tmp_path_factory.mktemp("secret-models")
    if request.param is not None:
        (folder / "u2netp.onnx").write_bytes(request.param)
    settings = {"REMBG_SESSION_PATH": folder, "METRICS_ALLOWED_NETWORKS": "10.0.0.0/8,::1/128"}
    with Gunicorn(ready=False, RATE_LIMIT_ENABLED="true", **settings) as server:  # type: ignore[arg-type]
        poll(lambda: answers(server), what="the first answer")
        yield server


def test_unusable_model_fails_only_removals(modelless: Gunicorn) -> None:
    pids = modelless.workers()
    for _ in range(2):
        answer = post(modelless, GOOD)
        body = assert_error(answer, 503, "engine_unavailable", limited=True)
        assert "u2netp" in body["details"]
        assert "secret-models" not in answer.text
        assert answer.headers["X-RateLimit-Remaining"] == "10"
    assert_error(post(modelless, b"%PDF-1.7"), 415, "unsupported_format", limited=True)
    ready = requests.get(f"{modelless.url}/health/ready", timeout=5)
    assert ready.status_code == 503
    assert int(ready.headers["Retry-After"]) >= 1
    health = requests.get(f"{modelless.url}/health", timeout=5)
    assert health.status_code == 503
    assert health.json()["parts"]["model"]["status"] == "failed"
    assert [name for name, fine in health.json()["checks"].items() if not fine] == ["model"]
    short = requests.get(f"{modelless.url}/api/v1/health", timeout=5)
    assert short.status_code == 503
    assert (short.json()["status"], short.json()["checks"]["api"]) == ("unhealthy", "error")
    assert "secret-models" not in health.text
    assert requests.get(f"{modelless.url}/health/live", timeout=5).status_code == 200
    assert requests.get(f"{modelless.url}/models", timeout=5).status_code == 200
    assert modelless.workers() == pids


def test_missing_and_wrong_keys_are_refused_with_a_challenge() -> None:
    lost = f"postgresql://user:hunter2@127.0.0.1:{free_port()}/keys"
    with QuickGunicorn(AUTH_REQUIRED="true", DATABASE_URL=lost, METRICS_ALLOWED_NETWORKS="10.0.0.0/8") as server:

        def refused(status: int, code: str, **headers: str) -> requests.Response:
            case = Case(code, status, "POST", LIMITED[0], upload(bytes(8 * corpus.MIB)) | {"headers": headers})
            answer = ask(server, case)
            assert_error(answer, status, code)
            assert "hunter2" not in answer.text
            return answer

        challenge = 'Bearer realm="background-remover"'
        assert refused(401, "missing_key").headers["WWW-Authenticate"] == challenge
        wrong = refused(401, "bad_key", **{"X-Api-Key": "wrong"})
        assert wrong.headers["WWW-Authenticate"] == f'{challenge}, error="invalid_token"'
        refused(503, "database_unavailable", Authorization=f"Bearer bgr_{'0' * 12}_{'0' * 40}")
        assert_error(ask(server, Case("", 403, "GET", "/metrics")), 403, "forbidden")


@pytest.mark.parametrize("path", ["/metrics", "/api/metrics", "/api/metrics/prometheus"])
def test_metrics_are_forbidden_outside_the_allowed_networks(modelless: Gunicorn, path: str) -> None:
    headers = {"X-Request-ID": REQUEST_ID}
    body = assert_error(requests.get(modelless.url + path, headers=headers, timeout=10), 403, "forbidden")
    assert "127.0.0.1" in body["details"]


def test_stopping_server_is_not_ready_but_finishes_its_image(big: bytes) -> None:
    with QuickGunicorn() as server:
        kept = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=30) for _ in range(3)]
        assert [ready_on(connection).status_code for connection in kept] == [200, 200, 200]
        with held(server, big) as answer:
            server.process.send_signal(signal.SIGTERM)
            (refused,) = poll(lambda: drained(kept), 30, "shutting down")
            assert answer.result().status_code == 200
        for connection in kept:
            connection.close()
        assert_error(refused, 503, "shutting_down")
        assert refused.headers["Connection"] == "close"
        assert server.process.wait(20) == 0


def ready_on(connection: http.client.HTTPConnection) -> requests.Response:
    """Request /health/ready on this connection."""
    connection.request("GET", "/health/ready", headers={"Origin": ORIGIN, "X-Request-ID": REQUEST_ID})
    answer = connection.getresponse()
    response = requests.Response()
    response.status_code, response._content = answer.status, answer.read()
    response.headers.update(answer.getheaders())
    return response


def drained(kept: list[http.client.HTTPConnection]) -> tuple[requests.Response] | None:
    """Return the first response other than 200, if any.

    A 200 sent while the signal arrives may still close its connection.
    """
    response = ready_on(kept[0])
    if response.headers["Connection"] == "close":
        kept.pop(0).close()
    return None if response.status_code == 200 else (response,)


def test_every_error_code_has_a_case() -> None:
    provoked = {case.code for case in CASES} | set(STATES)
    assert provoked == {error.code for error in all_errors()} - set(NOT_PROVOKED)


def test_case_statuses_match_their_errors() -> None:
    status = {error.code: error.status for error in all_errors()}
    assert {case.code: case.status for case in CASES}.items() <= status.items()


def test_concurrent_errors_do_not_mix(limited: Gunicorn) -> None:
    cases = [case for case in CASES if case.path != "/read-file" and case.code != "upload_too_large"] * 2

    def run(case: Case) -> tuple[int, str]:
        answer = ask(limited, case)
        return answer.status_code, json.loads(answer.text)["code"]

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(run, cases))
    assert found == [(case.status, case.code) for case in cases]
