"""What nginx passes on, answers itself and limits in front of the service."""

import contextlib
import http.client
import http.server
import re
import socket
import ssl
from collections.abc import Callable

import httpx
import numpy as np
import pytest
import requests
from PIL import Image

from services.errors import all_errors
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded
from tests.support.servers.nginx import (
    BOTH,
    CONF,
    CONNECTIONS_PER_ADDRESS,
    ONCE,
    WEB_THREADS,
    Nginx,
    Recorder,
    check_own_error,
)
from tests.support.waiting import poll


@BOTH
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/remove-background"), ("GET", "/nowhere"), ("GET", "/read-file")]
)
def test_app_errors_pass_unchanged(app: Gunicorn, nginx: Nginx, version: str, method: str, path: str) -> None:
    sent = {"X-Request-ID": "same"}
    direct = requests.request(method, app.url + path, headers=sent, timeout=10)
    with nginx.client(http2=version == "HTTP/2") as client:
        through = client.request(method, path, headers=sent)
    assert (through.status_code, through.content) == (direct.status_code, direct.content)
    assert through.status_code in (400, 404, 405)
    for name in ("Content-Type", "Access-Control-Allow-Origin", "Allow"):
        assert through.headers.get(name) == direct.headers.get(name)


def test_events_are_streamed_to_a_limited_number_of_clients(client: httpx.Client, nginx: Nginx, jpeg: bytes) -> None:
    url = client.post("/api/jobs/remove-bg", files={"file": jpeg}).json()["status_url"]
    wanted = {"Accept": "text/event-stream"}
    with nginx.client() as listening:
        with listening.stream("GET", url, headers=wanted) as events:
            lines = events.iter_lines()
            # The stream stays open after this event.
            assert next(line for line in lines if line.startswith("event: ")) == "event: queued"
            refused = client.get(url, headers=wanted)
            assert (refused.status_code, refused.json()["code"]) == (503, "busy")
            assert "Retry-After" in refused.headers
            assert client.get(url).json()["status"] == "queued"
        again = poll(lambda: _stream_if_ok(listening, url, wanted), 5, "a place freed by a disconnect")
        with contextlib.closing(again):
            assert client.post(f"{url}/cancel").status_code == 202
            assert [line for line in again.iter_lines() if line.startswith("event: ")][-1] == "event: cancelled"


def test_lists_of_a_caller_with_neither_key_nor_cookie_are_empty(client: httpx.Client) -> None:
    for path in ("/api/jobs", "/api/failed-jobs", "/api/v1/uploads"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert next(iter(answer.json().values())) == []


def test_cookie_is_secure_and_our_own_page_may_act_with_it(client: httpx.Client, small: bytes) -> None:
    sent = client.get("/studio.json").headers["Set-Cookie"]
    assert "Secure" in sent
    headers = {"Cookie": sent.partition(";")[0]}
    own = str(client.base_url).rstrip("/")
    for origin, status in ((own, 202), ("https://example.org", 403)):
        answer = client.post("/api/jobs/remove-bg", files={"file": small}, headers={**headers, "Origin": origin})
        assert answer.status_code == status, answer.text
    listed = client.get("/api/jobs", headers=headers).json()["jobs"]
    assert len(listed) == 1
    assert client.delete(f"/api/jobs/{listed[0]['job_id']}", headers={**headers, "Origin": own}).status_code == 204


@BOTH
def test_stopped_app_is_502_with_retry_after(without_app: Nginx, version: str) -> None:
    with without_app.client(http2=version == "HTTP/2") as client:
        answer = client.post("/remove-background", content=b"image", headers={"Origin": "https://example.com"})
    check_own_error(answer, 502, "engine_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert {name: len(answer.headers.get_list(name)) for name in ONCE} == dict.fromkeys(ONCE, 1)


@BOTH
def test_silent_app_is_504(before_recorder: Nginx, version: str) -> None:
    with before_recorder.client(http2=version == "HTTP/2") as client:
        check_own_error(client.get("/silent"), 504, "deadline_exceeded")


@BOTH
@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("GET /", ("no host",), 400),
        ("GET /", ("Host: a", "Host: b"), 400),
        ("GET /", ("Host: a b",), 400),
        ("GET /%zz", (), 400),
        ("POST /", ("Content-Length: -1",), 400),
        ("GET /" + "a" * 4090, (), 414),
        ("GET /", tuple(f"X-{number}: 1" for number in range(90)), 431),
        ("TRACE /", (), 405),
    ],
    ids=["no host", "two hosts", "bad host", "bad escape", "bad length", "long line", "many headers", "trace"],
)
def test_malformed_request_is_refused_in_the_apps_format(
    without_app: Nginx, version: str, line: str, headers: tuple[str, ...], status: int
) -> None:
    answer = without_app.ask(version, line, headers)
    check_own_error(answer, status, "method_not_allowed" if status == 405 else "bad_request")
    # Here nginx has no path yet that would say whose error it is.
    if "no host" in headers or (version == "HTTP/2" and "%zz" in line):
        return
    method, path = line.split(" ", 1)
    answer = without_app.ask(version, f"{method} /v1.0{path}", headers)
    assert (answer.status_code, list(answer.json())) == (status, ["errors"])


def test_nginx_error_codes_exist_in_the_service() -> None:
    table = re.search(r"map \$own_error \$error_code \{(.*?)\}", CONF.read_text(), re.DOTALL)
    assert table
    codes = set(re.findall(r"(\w+);", table[1]))
    assert codes <= {error.code for error in all_errors()}
    for text in ("message", "solution"):
        texts = re.search(rf"map \$error_code \$error_{text} \{{(.*?)\}}", CONF.read_text(), re.DOTALL)
        assert texts
        assert set(re.findall(r"^\s+(\w+) ", texts[1], re.MULTILINE)) == codes


def test_forged_address_does_not_escape_the_quota(nginx: Nginx) -> None:
    def statuses(address: str) -> list[int]:
        with nginx.client(address=address) as client:
            forged = [{"X-Forwarded-For": f"203.0.113.{n}", "X-Real-IP": "8.8.8.8"} for n in range(4)]
            return [client.post("/read-file", json={"path": "no.txt"}, headers=sent).status_code for sent in forged]

    assert statuses("127.0.0.2") == [404, 404, 429, 429]
    # Another address has its own quota.
    assert statuses("127.0.0.4") == [404, 404, 429, 429]


def test_forwarding_headers_are_replaced(recorder: Recorder, before_recorder: Nginx) -> None:
    claims = ("X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port")
    sent = dict.fromkeys((*claims, "X-Forwarded-Prefix", "Forwarded", "Proxy", "X-Request-ID"), "forged!")
    sent["Host"] = "example.com:99"
    with before_recorder.client() as client:
        assert client.get("/forwarded", headers=sent).status_code == 204
    (received,) = [headers for path, headers in recorder.requests if path == "/forwarded"]
    assert "forged!" not in received.as_string()
    assert received["Host"] == "example.com"
    assert received.get_all("X-Forwarded-For") == received.get_all("X-Real-IP") == ["127.0.0.1"]
    assert received.get_all("X-Forwarded-Proto") == ["https"]
    assert re.fullmatch(r"[0-9a-f]{32}", received["X-Request-ID"])


@pytest.mark.parametrize(
    "path",
    [
        "/metrics", "/metrics/", "//metrics", "/%6detrics", "/x/../metrics", "/metrics?token=1", "/api/metrics",
        "/api%2Fmetrics", "/api/metrics/prometheus", "/api/metrics/prometheus/",
    ],
)  # fmt: skip
@BOTH
def test_metrics_are_closed_in_every_spelling(nginx: Nginx, path: str, version: str) -> None:
    check_own_error(nginx.ask(version, f"GET {path}", ("X-Forwarded-For: 127.0.0.1",)), 403, "forbidden")


def test_metrics_are_open_without_nginx(app: Gunicorn) -> None:
    assert "bg_remover_requests_total" in requests.get(f"{app.url}/metrics", timeout=10).text


def test_slow_clients_occupy_no_worker_thread(
    nginx: Nginx, client: httpx.Client, jpeg: bytes, photo: Callable[[str], Image.Image]
) -> None:
    body = encoded(_noisy(photo("astronaut"), 2400))
    head = b"POST /remove-background HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    head %= len(body)
    with contextlib.ExitStack() as stack:
        slow_heads = [stack.enter_context(nginx.connect()) for _ in range(2 * WEB_THREADS)]
        slow_bodies = [stack.enter_context(nginx.connect()) for _ in range(2 * WEB_THREADS)]
        for connection in slow_bodies:
            connection.sendall(head)
        for byte in head[:40]:
            for connection in (*slow_heads, *slow_bodies):
                connection.sendall(bytes([byte]))
        slow_readers = [stack.enter_context(nginx.connect()) for _ in range(WEB_THREADS)]
        answers = []
        # One at a time, because MAX_RUNNING_IMAGES is 1.
        for connection in slow_readers:
            connection.sendall(head + body)
            answers.append(http.client.HTTPResponse(connection))
            # Reads a few kB and then stops reading.
            answers[-1].begin()

        assert [answer.status for answer in answers] == [200] * WEB_THREADS
        assert client.get("/health/ready", timeout=5).status_code == 200
        assert client.post("/remove-background", files={"file": jpeg}, timeout=20).status_code == 200
        size = int(answers[-1].headers["Content-Length"])
        # Larger than the socket buffers.
        assert size > 5_000_000
        assert len(answers[-1].read()) == size


def test_endless_header_is_cut_off(before_recorder: Nginx) -> None:
    with before_recorder.connect() as connection:
        connection.sendall(b"GET /never HTTP/1.1\r\nHost:")
        # nginx.conf sets `reset_timedout_connection`.
        with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
            assert connection.recv(1) == b""


def test_concurrent_requests_per_address_are_limited(nginx: Nginx) -> None:
    partial = b"POST /remove-background HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\n"
    local = ("127.0.0.3", 0)
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS_PER_ADDRESS):
            plain = socket.create_connection(("127.0.0.1", nginx.https), 10, source_address=local)
            stack.enter_context(nginx.tls().wrap_socket(plain, server_hostname="127.0.0.1")).sendall(partial)
        for http2_too in (False, True):
            with nginx.client(address=local[0], http2=http2_too) as client:
                refused = poll(lambda client=client: _if_status(client.get("/health/live"), 429), 30, "the limit")
                check_own_error(refused, 429, "rate_limited")
                assert refused.headers["Retry-After"] == "1"
                refused = client.get("/v1.0/account")
                assert (refused.status_code, refused.json()["errors"][0]["code"]) == (429, "rate_limit_exceeded")
        with nginx.client() as client:
            assert client.get("/health/live").status_code == 200


def _stream_if_ok(client: httpx.Client, url: str, headers: dict[str, str]) -> httpx.Response | None:
    """Open the event stream; return its response, or None if it is refused."""
    answer = client.send(client.build_request("GET", url, headers=headers), stream=True)
    if answer.status_code == 200:
        return answer
    answer.close()
    return None


def _if_status(answer: httpx.Response, status: int) -> httpx.Response | None:
    return answer if answer.status_code == status else None


def _noisy(image: Image.Image, side: int) -> Image.Image:
    """Resize the image and add noise that PNG cannot compress."""
    large = np.asarray(image.resize((side, side)), dtype=np.int16)
    noise = np.random.default_rng(1).integers(-40, 40, large.shape, dtype=np.int16)
    return Image.fromarray(np.clip(large + noise, 0, 255).astype(np.uint8))
