"""Bodies and headers that are too large: the answers are the service's own, in the form of each API."""

import base64
import io
import json
import re
import zipfile
from typing import Any

import httpx
import pytest

from config import Settings
from tests.support.servers.nginx import (
    BOTH,
    CONF,
    Nginx,
    check_own_error,
)


def test_nginx_body_limit_slightly_exceeds_the_apps(client: httpx.Client) -> None:
    found = re.search(r"client_max_body_size (\d+)m;", CONF.read_text())
    assert found
    limit = int(found[1]) << 20
    needed = Settings(_env_file=None).max_encoded_bytes
    assert needed < limit < 1.1 * needed
    answer = client.post("/remove-background", content=bytes((16 << 20) + 1), headers={"Content-Type": "image/png"})
    assert answer.status_code == 413
    assert answer.json()["details"] == "16777217 bytes were announced; allowed: 16777216"


@BOTH
@pytest.mark.parametrize(("path", "megabytes"), [("/remove-background", 24), ("/docs", 24), ("/api/remove/batch", 67)])
def test_nginx_refuses_a_larger_body_in_the_apps_format(nginx: Nginx, version: str, path: str, megabytes: int) -> None:
    answer = nginx.ask(version, f"POST {path}", ("X-Request-ID: too-large",), bytes(megabytes << 20))
    body = check_own_error(answer, 413, "upload_too_large")
    assert body["request_id"] == "too-large"
    assert len(answer.headers.get_list("Access-Control-Allow-Origin")) == 1


@BOTH
@pytest.mark.parametrize(("path", "status"), [("/remove-background", 413), ("/v1.0/removebg", 400)])
def test_nginx_refuses_an_announced_body_in_the_apps_format(nginx: Nginx, version: str, path: str, status: int) -> None:
    # HTTP/1.1 has the length from `ask`; here HTTP/2 sends one too.
    announced = (f"content-length: {32 << 20}",) if version == "HTTP/2" else ()
    answer = nginx.ask(version, f"POST {path}", announced, bytes(32 << 20))
    check_too_large(answer, status)


@pytest.mark.parametrize(
    ("path", "megabytes", "status"),
    [("/remove-background", 24, 413), ("/api/remove/batch", 67, 413), ("/v1.0/removebg", 32, 400)],
)
def test_nginx_refuses_a_chunked_body_in_the_apps_format(nginx: Nginx, path: str, megabytes: int, status: int) -> None:
    chunk = bytes(1 << 20)
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    check_too_large(nginx.exchange(head + (b"100000\r\n" + chunk + b"\r\n") * megabytes + b"0\r\n\r\n"), status)


def check_too_large(answer: httpx.Response, status: int) -> None:
    """Check the error of a body that is too large, ours or remove.bg's."""
    if status == 413:
        check_own_error(answer, 413, "upload_too_large")
        return
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "file_too_large")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Request-ID"]


def test_removebg_clients_get_a_larger_limit_and_their_error_format(
    client: httpx.Client, without_app: Nginx, jpeg: bytes
) -> None:
    largest = jpeg + bytes((22 << 20) - len(jpeg))
    text = {"image_file_b64": base64.b64encode(largest).decode()}
    assert Settings(_env_file=None).removebg_encoded_bytes < 31 << 20
    assert client.post("/v1.0/removebg", json=text).status_code == 200
    # The app refuses the first size, nginx the second.
    for size in ((22 << 20) + 1, 32 << 20):
        refused = client.post("/v1.0/removebg", files={"image_file": ("a", bytes(size))})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "file_too_large")
        assert refused.headers["Access-Control-Allow-Origin"] == "*"
    with without_app.client() as alone:
        gone = alone.get("/v1.0/account")
        assert (gone.status_code, gone.json()["errors"][0]["code"]) == (502, "engine_unavailable")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/api/removebg", 400, {"errors": [{"title": "The upload is too large"}]}),
        ("/v1/remove-background", 413, {"error": "The upload is too large"}),
        ("/v1.0/alpha-channel-base64", 400, dict.fromkeys(("detail", "error"), "The upload is too large")),
        (
            "/v1/segment", 413,
            {"detail": "The upload is too large", "status_code": 413, "type": "upload_too_large"},
        ),
        ("/remove-background/v1", 413, {"error": "The upload is too large"}),
    ],
)  # fmt: skip
def test_nginx_refuses_in_the_form_of_each_api(
    client: httpx.Client, jpeg: bytes, path: str, status: int, body: dict[str, Any]
) -> None:
    field = "image" if path == "/v1/remove-background" else "image_file"
    refused = client.post(path, files={field: ("a", bytes(32 << 20))})
    assert (refused.status_code, refused.json()) == (status, body)
    large = jpeg + bytes((22 << 20 if path == "/api/removebg" else 15 << 20) - len(jpeg))
    sent: dict[str, Any] = {"files": {field: ("a", large)}}
    if "base64" in path:
        sent = {"json": {"image_base64": base64.b64encode(large).decode()}}
    assert client.post(path, **sent).status_code == 200


@pytest.mark.parametrize(("path", "status"), [("/api/remove/batch", 200), ("/api/jobs/remove-bg-batch", 202)])
def test_batch_may_exceed_the_body_limit(client: httpx.Client, jpeg: bytes, path: str, status: int) -> None:
    # Two of these exceed the limit of every other endpoint.
    half = bytes(12 * 1024 * 1024)
    answer = client.post(
        path, files=[("files", (name, data)) for name, data in (("a", half), ("b", half), ("c", jpeg))]
    )
    assert answer.status_code == status
    if status == 202:
        assert answer.json()["items"] == 3
        assert client.post(f"{answer.json()['status_url']}/cancel").status_code == 202
        return
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.namelist() == ["c.png", "errors.json"]
        assert [line["code"] for line in json.loads(found.read("errors.json"))] == ["unsupported_format"] * 2


@BOTH
def test_a_header_too_large_for_the_app_is_refused_in_its_format(nginx: Nginx, version: str) -> None:
    answer = nginx.ask(version, "GET /docs", ("X-Api-Key: " + "a" * 9000,))
    assert (answer.status_code, answer.json()["code"]) == (431, "bad_request")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    answer = nginx.ask(version, "GET /v1.0/account", ("X-Api-Key: " + "a" * 9000,))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (431, "bad_request")


def test_a_header_too_large_for_nginx_is_refused_in_the_apps_format(without_app: Nginx) -> None:
    check_own_error(without_app.ask("HTTP/1.1", "GET /", ("X-Api-Key: " + "a" * 17_000,)), 431, "bad_request")


def test_the_longest_request_line_of_the_app_passes_nginx(nginx: Nginx) -> None:
    for version in ("HTTP/1.1", "HTTP/2"):
        answer = nginx.ask(version, "GET /" + "a" * (4094 - len("GET / HTTP/1.1")))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
