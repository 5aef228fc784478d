"""Images by URL over HTTP: every transport, one source per request, and slow sources."""

import base64
import io
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
import requests
from PIL import Image

from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.servers.sources import Source, answer, source
from tests.support.waiting import free_port, poll

PATHS: Final = ("/remove-background", "/remove-background-preview", "/remove-bg")
BASE64: Final = "/remove-background-base64"
SECRET: Final = "secret-signature"


@dataclass
class Pictures:
    """A source: `/photo.jpg` is a picture, `/slow` waits for `go`, `/away` redirects, other paths are 404."""

    photo: bytes
    go: threading.Event = field(default_factory=threading.Event)
    asked: list[str] = field(default_factory=list)
    running: Source | None = None

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        path = head.split()[1].decode()
        self.asked.append(path)
        if path.startswith("/slow"):
            self.go.wait(20)
        if path.startswith(("/slow", "/photo.jpg", "/a%20b/%C3%BC.jpg")):
            connection.sendall(answer(self.photo))
        elif path.startswith("/away"):
            connection.sendall(answer(status="302 Found", Location=f"http://127.0.0.1/?{SECRET}"))
        else:
            connection.sendall(answer(b"", "404 Not Found"))

    def url(self, path: str = "/photo.jpg") -> str:
        assert self.running
        return f"http://127.0.0.1:{self.running.port}{path}"


@pytest.fixture(scope="module")
def pictures(small: bytes) -> Iterator[Pictures]:
    """A source that `fetching` may fetch from."""
    found = Pictures(small)
    with source(found) as found.running:
        yield found


@pytest.fixture(scope="module")
def fetching(pictures: Pictures) -> Iterator[Gunicorn]:
    """A server that may fetch from `pictures` and from itself."""
    assert pictures.running
    own = free_port()
    opened = f"127.0.0.1:{pictures.running.port},127.0.0.1:{own}"
    with QuickGunicorn(port=own, FETCH_ENABLED="true", FETCH_ALLOWED_HOSTS=opened, LOG_LEVEL="DEBUG") as server:
        yield server


@pytest.fixture(scope="module")
def cutout(fetching: Gunicorn, small: bytes) -> bytes:
    """The cutout of the uploaded photo."""
    answered = requests.post(f"{fetching.url}/remove-background", files={"file": ("a.jpg", small)}, timeout=30)
    assert answered.status_code == 200
    return answered.content


def post(server: Gunicorn, path: str, **send: Any) -> requests.Response:
    return requests.post(server.url + path, timeout=30, **send)


def refused(answered: requests.Response) -> tuple[int, str]:
    return answered.status_code, answered.json()["code"]


def fetches(server: Gunicorn, outcome: str) -> float:
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    name = f'bg_remover_fetches_total{{outcome="{outcome}"}} '
    return next((float(line.removeprefix(name)) for line in text.splitlines() if line.startswith(name)), 0.0)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("way", ["query", "form", "multipart", "json", "empty file"])
def test_image_by_url_equals_an_upload(
    fetching: Gunicorn, pictures: Pictures, cutout: bytes, path: str, way: str
) -> None:
    given = {"image_url": pictures.url()}
    before = fetches(fetching, "ok")
    ways: dict[str, dict[str, Any]] = {
        "query": {"params": given},
        "form": {"data": given},
        "multipart": {"files": {"image_url": (None, given["image_url"])}},
        "json": {"json": given},
        # A browser's form sends an empty file like this.
        "empty file": {"data": given, "files": {"file": ("", b"")}},
    }
    answered = post(fetching, path, **ways[way])
    assert answered.status_code == 200, answered.text
    assert answered.content == cutout
    assert answered.headers["Content-Type"] == "image/png"
    assert answered.headers["Server-Timing"].startswith("fetch;dur=")
    inline = "attachment" if path == PATHS[0] else "inline"
    assert answered.headers["Content-Disposition"] == f"{inline}; filename=photo-no-bg.png"
    assert fetches(fetching, "ok") == before + 1


@pytest.mark.parametrize("query", [True, False])
def test_base64_endpoint_accepts_a_url(fetching: Gunicorn, pictures: Pictures, cutout: bytes, query: bool) -> None:
    given = {"image_url": pictures.url()}
    answered = post(fetching, BASE64, params=given if query else {}, json={} if query else given)
    assert base64.b64decode(answered.json()["image"]) == cutout


def test_options_apply_to_a_url_and_its_file_name_is_sanitized(fetching: Gunicorn, pictures: Pictures) -> None:
    url = pictures.url("/a%20b/%C3%BC.jpg?x=%2F..%2Fpasswd")
    answered = post(fetching, PATHS[0], json={"image_url": url, "max_width": 64, "format": "webp"})
    with Image.open(io.BytesIO(answered.content)) as image:
        assert (image.format, image.width) == ("WEBP", 64)
    assert "filename*=UTF-8''%C3%BC-no-bg.webp" in answered.headers["Content-Disposition"]


def test_result_of_a_url_is_png_unless_a_format_is_set(fetching: Gunicorn, pictures: Pictures) -> None:
    for params, headers, kind in (
        ({}, {"Accept": "image/webp, application/json"}, "image/png"),
        ({"format": "webp"}, {}, "image/webp"),
    ):
        sent = {"image_url": pictures.url(), **params}
        answered = post(fetching, "/remove-bg", params=sent, headers=headers)
        assert answered.headers["Content-Type"] == kind


def test_output_key_without_storage_is_refused(fetching: Gunicorn, pictures: Pictures) -> None:
    before = len(pictures.asked)
    for send in ("params", "data", "json"):
        answered = post(fetching, "/remove-bg", **{send: {"image_url": pictures.url(), "output_key": "a.png"}})
        assert refused(answered) == (400, "bad_option")
        assert "storage" in answered.json()["details"]
        answered = post(fetching, PATHS[0], **{send: {"image_url": pictures.url(), "output_key": "a.png"}})
        assert refused(answered) == (400, "unknown_option")
    assert len(pictures.asked) == before


def test_more_than_one_source_is_refused(fetching: Gunicorn, pictures: Pictures, small: bytes) -> None:
    before = len(pictures.asked)
    given = {"image_url": pictures.url()}
    file = {"file": ("a.jpg", small)}
    for path in PATHS:
        for send in (
            {"files": file, "data": given},
            {"files": file, "params": given},
            {"data": small, "headers": {"Content-Type": "image/jpeg"}, "params": given},
            {"params": given, "data": given},
            {"params": given, "json": given},
            {"params": [*given.items(), *given.items()]},
            {"json": {"image_url": [pictures.url(), pictures.url()]}},
        ):
            answered = post(fetching, path, **send)
            if send == {"json": {"image_url": [pictures.url(), pictures.url()]}}:
                assert refused(answered)[0] == 400
            else:
                assert refused(answered) == (400, "multiple_images")
    both = {"image": base64.b64encode(small).decode(), **given}
    assert refused(post(fetching, BASE64, json=both)) == (400, "multiple_images")
    assert refused(post(fetching, BASE64, json={"image": both["image"]}, params=given)) == (400, "multiple_images")
    assert len(pictures.asked) == before


def test_background_by_url_equals_an_upload(fetching: Gunicorn, pictures: Pictures, small: bytes) -> None:
    files = {"file": ("a.jpg", small), "background_image": ("b.jpg", small)}
    expected = post(fetching, PATHS[0], files=files).content
    before = fetches(fetching, "ok")
    given = {"background_image_url": pictures.url()}
    one = post(fetching, PATHS[0], files={"file": ("a.jpg", small)}, data=given)
    both = post(fetching, PATHS[0], data={**given, "image_url": pictures.url()})
    assert one.content == both.content == expected
    assert fetches(fetching, "ok") == before + 3
    assert refused(post(fetching, PATHS[0], files=files, data=given)) == (400, "bad_option")
    assert fetches(fetching, "ok") == before + 3


def test_empty_url_counts_as_missing(fetching: Gunicorn, small: bytes) -> None:
    assert post(fetching, PATHS[0], files={"file": small}, data={"image_url": ""}).status_code == 200
    for path in PATHS:
        for send in ({"data": {"image_url": ""}}, {"json": {"image_url": None}}, {"params": {"image_url": ""}}, {}):
            assert refused(post(fetching, path, **send)) == (400, "missing_image")


def test_bad_options_are_refused_before_fetching(fetching: Gunicorn, pictures: Pictures) -> None:
    before = len(pictures.asked)
    for path in (*PATHS, BASE64):
        given = {"image_url": pictures.url()}
        assert refused(post(fetching, path, json={**given, "quality": 0})) == (400, "bad_option")
        assert refused(post(fetching, path, json={**given, "qualty": 90})) == (400, "unknown_option")
    assert len(pictures.asked) == before


@pytest.mark.parametrize(
    ("url", "status", "code"),
    [
        ("ftp://127.0.0.1/a.jpg", 400, "bad_url"),
        ("http://127.1/a.jpg", 400, "bad_url"),
        ("http://user@127.0.0.1/a.jpg", 400, "bad_url"),
        ("http://127.0.0.1/a.jpg", 403, "forbidden_source"),
        ("http://localhost/a.jpg", 403, "forbidden_source"),
        ("http://redis:6379/", 403, "forbidden_source"),
        ("http://[::ffff:169.254.169.254]/latest/meta-data", 403, "forbidden_source"),
        ("/gone", 502, "source_failed"),
        ("/away", 403, "forbidden_source"),
    ],
)
def test_failed_fetch_reveals_only_its_reason(
    fetching: Gunicorn, pictures: Pictures, url: str, status: int, code: str
) -> None:
    whole = pictures.url(url) if url.startswith("/") else url
    before = fetches(fetching, code)
    answered = post(fetching, PATHS[0], data={"image_url": f"{whole}?{SECRET}"})
    assert refused(answered) == (status, code)
    assert SECRET not in answered.text
    assert "127.0.0.1" not in answered.text
    assert fetches(fetching, code) == before + 1


def test_fetched_file_is_checked_like_an_upload(fetching: Gunicorn) -> None:
    answered = post(fetching, PATHS[0], data={"image_url": f"{fetching.url}/openapi.json"})
    assert refused(answered) == (415, "unsupported_format")


def test_fetch_loop_is_refused(fetching: Gunicorn, pictures: Pictures) -> None:
    headers = {"Via": "1.1 proxy, 1.1 background-remover"}
    answered = post(fetching, PATHS[0], params={"image_url": pictures.url()}, headers=headers)
    assert refused(answered) == (403, "forbidden_source")


def test_log_contains_no_url_query(fetching: Gunicorn, pictures: Pictures, small: bytes) -> None:
    url = pictures.url(f"/photo.jpg?{SECRET}")
    for send in ("params", "data", "json"):
        assert post(fetching, PATHS[0], **{send: {"image_url": url}}).status_code == 200
        assert refused(post(fetching, PATHS[0], **{send: {"image_url": url, "qualty": 1}})) == (400, "unknown_option")
        assert refused(post(fetching, PATHS[0], **{send: {"image_url": f"x{url}"}})) == (400, "bad_url")
    for name in ("image_url", "background_image_url", "callback_url"):
        assert refused(post(fetching, PATHS[0], params={name: url}, data={name: url}))[0] == 400
    files = {"file": small, "background_image": small}
    assert refused(post(fetching, PATHS[0], files=files, data={"background_image_url": url})) == (400, "bad_option")
    assert '"outcome":"ok"' in fetching.log()
    assert SECRET not in fetching.log()
    assert "photo.jpg" not in fetching.log()


def test_disabled_fetching_is_explained(server: Gunicorn) -> None:
    for path in (*PATHS, BASE64):
        answered = post(server, path, json={"image_url": "http://127.0.0.1/a.jpg"})
        assert refused(answered) == (403, "forbidden_source")
        assert "turned off" in answered.json()["details"]


def test_slow_sources_block_neither_images_nor_threads(fetching: Gunicorn, pictures: Pictures, small: bytes) -> None:
    pictures.go.clear()
    busy = fetches(fetching, "busy")
    with ThreadPoolExecutor(30) as pool:
        answers = [pool.submit(post, fetching, PATHS[0], data={"image_url": pictures.url("/slow")}) for _ in range(30)]
        poll(lambda: fetches(fetching, "busy") >= busy + 20, 30, "refused fetches")
        for _ in range(3):
            assert requests.get(f"{fetching.url}/health/live", timeout=2).status_code == 200
            assert post(fetching, PATHS[0], files={"file": small}).status_code == 200
        pictures.go.set()
        found = [answered.result() for answered in answers]
    done = [answered for answered in found if answered.status_code == 200]
    assert len(done) >= 1
    for answered in found:
        if answered.status_code != 200:
            assert refused(answered) == (503, "busy")
            assert int(answered.headers["Retry-After"]) >= 1


def test_disconnect_ends_the_fetch(fetching: Gunicorn, pictures: Pictures) -> None:
    pictures.go.clear()
    gone, asked = fetches(fetching, "client_gone"), len(pictures.asked)
    with socket.create_connection(("127.0.0.1", fetching.port)) as caller:
        path = f"/remove-bg?image_url={pictures.url('/slow')}"
        caller.sendall(f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n".encode())
        poll(lambda: len(pictures.asked) > asked, 30, "the fetch")
    poll(lambda: fetches(fetching, "client_gone") == gone + 1, 5, "the fetch's end")
    pictures.go.set()


def test_source_failure_uses_quota(pictures: Pictures) -> None:
    assert pictures.running
    with QuickGunicorn(
        FETCH_ENABLED="true",
        FETCH_ALLOWED_HOSTS=f"127.0.0.1:{pictures.running.port}",
        RATE_LIMIT_ENABLED="true",
        RATE_LIMIT_REMOVE_BG_PER_HOUR=3,
    ) as server:
        answers = [post(server, "/remove-bg", params={"image_url": pictures.url("/gone")}) for _ in range(4)]
        assert [refused(answered) for answered in answers] == [(502, "source_failed")] * 3 + [(429, "rate_limited")]
        assert [answered.headers["X-RateLimit-Remaining"] for answered in answers] == ["2", "1", "0", "0"]
