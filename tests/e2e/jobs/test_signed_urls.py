"""Signed URLs over HTTP: pictures for `<img src>`, kept by caches, for nobody without the signature."""

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from services.net.signed_urls import SignedURLs
from tests.support.commands import cli
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.servers.sources import Source, answer, source

KEY, OLD = "the key of this test's server", "the key that was before it"


class Shop:
    """A source of one photo."""

    def __init__(self, photo: bytes) -> None:
        self.photo = photo
        self.asked = 0

    def __call__(self, connection: socket.socket, head: bytes) -> None:
        self.asked += 1
        found = head.split()[1] == b"/photo.jpg"
        connection.sendall(answer(self.photo) if found else answer(b"", "404 Not Found"))


@pytest.fixture(scope="module")
def shop(small: bytes) -> Shop:
    return Shop(small)


@pytest.fixture(scope="module")
def running(shop: Shop) -> Iterator[Source]:
    with source(shop) as found:
        yield found


@pytest.fixture(scope="module")
def server(running: Source) -> Iterator[Gunicorn]:
    settings: dict[str, Any] = {"FETCH_ENABLED": "true", "FETCH_ALLOWED_HOSTS": f"127.0.0.1:{running.port}"}
    settings |= {"URL_SIGNING_KEY": KEY, "URL_SIGNING_KEY_PREVIOUS": OLD, "AUTH_REQUIRED": "true"}
    settings |= {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_LOOPBACK": "true", "RATE_LIMIT_SIGNED_PER_HOUR": "1000"}
    with Gunicorn(**settings) as found:
        yield found


def path(running: Source, *, key: str = KEY, ending: str = "webp", end: int | None = None, **options: str) -> str:
    return SignedURLs([key]).path(f"http://127.0.0.1:{running.port}/photo.jpg", options, ending, end)


def get(server: Gunicorn, where: str, **more: Any) -> requests.Response:
    return requests.get(server.url + where, timeout=30, **more)


def left(answered: requests.Response) -> int:
    return int(answered.headers["X-RateLimit-Remaining"])


def test_signed_url_gives_a_picture_that_caches_keep(server: Gunicorn, running: Source, shop: Shop) -> None:
    where = path(running, max_width="48", crop_margin="5% 10%", crop="yes")
    first = get(server, where)
    assert (first.status_code, first.headers["Content-Type"]) == (200, "image/webp")
    assert first.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert first.headers["Content-Disposition"].startswith("inline")
    assert first.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    asked, etag = shop.asked, first.headers["ETag"]
    again = get(server, where, headers={"If-None-Match": f'"other", {etag}'})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", etag)
    assert again.headers["Cache-Control"] == first.headers["Cache-Control"]
    assert shop.asked == asked
    assert get(server, path(running, max_width="47")).headers["ETag"] != etag


def test_picture_is_that_of_the_command_line(server: Gunicorn, running: Source, tmp_path: Any, shop: Shop) -> None:
    (tmp_path / "photo.jpg").write_bytes(shop.photo)
    made = cli("remove", tmp_path / "photo.jpg", "-o", "-", "-O", "format=jpeg", "-O", "background=#ff8800")
    assert get(server, path(running, ending="jpg", background="#ff8800")).content == made.stdout


def test_previous_key_is_accepted_and_another_refused(server: Gunicorn, running: Source, shop: Shop) -> None:
    assert get(server, path(running, key=OLD)).status_code == 200
    asked = shop.asked
    refused = get(server, path(running, key="a key that is not the server's"))
    assert (refused.status_code, refused.json()["code"]) == (403, "bad_signature")
    changed = get(server, path(running, max_width="48").replace("max_width=48", "max_width=49"))
    assert (changed.status_code, changed.json()["code"]) == (403, "bad_signature")
    assert "immutable" not in changed.headers.get("Cache-Control", "")
    assert shop.asked == asked


def test_url_ends(server: Gunicorn, running: Source) -> None:
    over = get(server, path(running, end=int(time.time()) - 1))
    assert (over.status_code, over.json()["code"]) == (410, "link_expired")
    valid = get(server, path(running, end=int(time.time()) + 100))
    age = int(valid.headers["Cache-Control"].split("max-age=")[1].split(",")[0])
    assert 0 < age <= 100


@pytest.mark.parametrize(
    ("ending", "options", "code"),
    [
        ("gif", {}, "bad_option"),
        ("zip", {}, "bad_option"),
        ("png", {"format": "webp"}, "bad_option"),
        ("png", {"quality": "5"}, "bad_option"),
        ("png", {"qualty": "5"}, "unknown_option"),
    ],
)
def test_signed_mistake_is_refused_before_fetching(
    server: Gunicorn, running: Source, shop: Shop, ending: str, options: dict[str, str], code: str
) -> None:
    asked = shop.asked
    url = f"http://127.0.0.1:{running.port}/photo.jpg"
    refused = get(server, SignedURLs([KEY]).path(url, options, ending))
    assert (refused.status_code, refused.json()["code"]) == (400, code)
    assert shop.asked == asked


def test_source_is_fetched_by_the_rules_of_image_url(server: Gunicorn) -> None:
    for url, code in (("http://127.0.0.1:1/a.jpg", "forbidden_source"), ("file:///etc/passwd", "bad_url")):
        refused = get(server, SignedURLs([KEY]).path(url, {}, "png"))
        assert refused.json()["code"] == code


def test_quota_counts_pictures_that_were_made(server: Gunicorn, running: Source) -> None:
    where = path(running, max_width="32")
    first = get(server, where)
    kept = get(server, where, headers={"If-None-Match": first.headers["ETag"]})
    assert requests.head(server.url + where, timeout=10).status_code == 405
    assert left(get(server, where)) == left(first) - 1
    assert kept.status_code == 304


def test_log_does_not_hold_the_url(server: Gunicorn, running: Source) -> None:
    where = path(running, max_width="33")
    assert get(server, where).status_code == 200
    assert "/i/…" in server.log()
    assert where.split("/")[2] not in server.log()


def test_without_a_key_there_are_no_signed_urls(running: Source) -> None:
    with QuickGunicorn(URL_SIGNING_KEY="") as plain:
        refused = get(plain, path(running))
        assert (refused.status_code, refused.json()["code"]) == (404, "not_found")
        assert "URL_SIGNING_KEY" in refused.json()["solution"]
