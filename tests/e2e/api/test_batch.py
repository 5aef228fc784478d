"""Batches over HTTP: a form of images and archives returns a ZIP, streamed with little memory."""

import io
import math
import re
import socket
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import orjson
import pytest
import requests
from PIL import Image

from tests.support.archives import archive
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.images import encoded
from tests.support.waiting import poll

PATH: Final = "/api/remove/batch"
MIB: Final = 1024 * 1024
File = tuple[str, bytes]


@pytest.fixture(scope="module")
def batches() -> Iterator[Gunicorn]:
    """A server with low limits."""
    with QuickGunicorn(MAX_BATCH_FILES=12, MAX_BATCH_BYTES=8 * MIB, MAX_CONTENT_LENGTH=6 * MIB) as server:
        yield server


def post(server: Gunicorn, *files: File, stream: bool = False, **form: Any) -> requests.Response:
    parts = [("files", file) for file in files]
    return requests.post(server.url + PATH, files=parts, data=form, timeout=60, stream=stream)


def results(answered: requests.Response) -> dict[str, bytes]:
    assert answered.status_code == 200, answered.text
    assert answered.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answered.content)) as found:
        assert found.testzip() is None
        return {name: found.read(name) for name in found.namelist()}


def errors(found: dict[str, bytes]) -> list[tuple[str, str]]:
    lines = orjson.loads(found["errors.json"])
    assert all(set(line) == {"name", "code", "error"} and line["error"] for line in lines)
    return [(line["name"], line["code"]) for line in lines]


def refused(answered: requests.Response) -> tuple[int, str]:
    return answered.status_code, answered.json()["code"]


def test_images_and_archives_return_one_zip_of_pngs(batches: Gunicorn, small: bytes, jpeg: bytes) -> None:
    packed = archive(("holiday/", b""), ("holiday/b.jpeg", jpeg), ("__MACOSX/holiday/._b.jpeg", b"x"), ("a.jpg", small))
    found = results(post(batches, ("a.jpg", small), ("ü/☃.zip", packed), ("../../A.png", small), ("é.jpg", small)))
    assert list(found) == ["a.png", "b.png", "a-2.png", "A-3.png", "é.png"]
    alone = requests.post(f"{batches.url}/api/remove", files={"file": jpeg}, timeout=30).content
    assert found["b.png"] == alone
    assert found["a.png"] == found["a-2.png"] == found["é.png"]


def test_parameters_apply_to_every_image(batches: Gunicorn, small: bytes) -> None:
    found = results(post(batches, ("a.jpg", small), ("b.jpg", small), om="true"))
    for data in found.values():
        with Image.open(io.BytesIO(data)) as image:
            assert (image.mode, image.size) == ("L", (96, 64))
    assert refused(post(batches, ("a.jpg", small), vm="true")) == (400, "bad_option")
    assert refused(post(batches, ("a.jpg", small), model="nope")) == (404, "model_not_found")


def test_failed_images_are_reported_and_others_are_processed(batches: Gunicorn, small: bytes) -> None:
    nested = archive(("inner.jpg", small))
    packed = archive(("../x.jpg", small), ("notes.txt", b"hello"), ("good.jpg", small), ("in.zip", nested))
    found = results(
        post(
            batches,
            ("empty.jpg", b""),
            ("cut.jpg", small[:300]),
            ("set.zip", packed),
            ("broken.zip", b"PK\x03\x04 broken"),
            ("large.jpg", small + bytes(6 * MIB)),
            ("last.jpg", small),
        )
    )
    assert list(found) == ["good.png", "last.png", "errors.json"]
    assert errors(found) == [
        ("empty.jpg", "empty_image"),
        ("cut.jpg", "corrupt_image"),
        ("set.zip/../x.jpg", "bad_entry"),
        ("set.zip/notes.txt", "unsupported_format"),
        ("set.zip/in.zip", "unsupported_format"),
        ("broken.zip", "bad_archive"),
        ("large.jpg", "upload_too_large"),
    ]


def test_batch_without_a_valid_image_returns_only_errors(batches: Gunicorn) -> None:
    assert errors(results(post(batches, ("a.jpg", b"text")))) == [("a.jpg", "unsupported_format")]


def test_batch_beyond_its_limits_is_refused(batches: Gunicorn, small: bytes) -> None:
    url = batches.url + PATH
    thirteen = archive(*((f"{n}.jpg", small) for n in range(13)))
    cases: list[tuple[int, str, requests.Response]] = [
        (413, "too_many_files", post(batches, *[("a.jpg", small)] * 13)),
        (413, "too_many_files", post(batches, ("a.zip", thirteen))),
        (413, "too_many_files", post(batches, *[("a.zip", archive(("a", b"x"), ("b", b"x"), ("c", b"x")))] * 5)),
        (413, "upload_too_large", post(batches, ("a.jpg", bytes(8 * MIB)))),
        (400, "missing_image", requests.post(url, timeout=10)),
        (400, "missing_image", requests.post(url, files={"file": small}, timeout=10)),
        (400, "missing_image", post(batches, ("a.zip", archive()))),
        (415, "unsupported_format", requests.post(url, json=[], timeout=10)),
    ]
    for status, code, answered in cases:
        assert refused(answered) == (status, code), answered.text


def peak_rss(server: Gunicorn) -> int:
    """Return the worker's peak resident memory in bytes."""
    (worker,) = server.workers()
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{worker}/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.fixture
def single() -> Iterator[Gunicorn]:
    """A server that works on one image of a batch at a time: two would meet at other steps, with another peak."""
    with QuickGunicorn(
        BATCH_CONCURRENCY=1, MAX_BATCH_FILES=21, MAX_BATCH_BYTES=16 * MIB, MAX_CONTENT_LENGTH=6 * MIB
    ) as server:
        yield server


@pytest.mark.long
def test_archive_bombs_and_many_results_use_little_memory(
    single: Gunicorn, photo: Callable[[str], Image.Image]
) -> None:
    """Check peak memory after an archive of 1 GiB of zeros, and after 21 results instead of three.

    Eighteen more results held in memory would add at least 56 MiB; what images in progress need varies by up to 40.
    """
    large = encoded(photo("coffee").resize((3900, 2600)), "JPEG", quality=50)
    results(post(single, *[("a.jpg", large)] * 3))
    before = peak_rss(single)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for n in range(4):
            with made.open(f"{n}.png", "w") as file:
                for _ in range(256):
                    file.write(bytes(MIB))
    assert errors(results(post(single, ("bomb.zip", out.getvalue())))) == [
        (f"bomb.zip/{n}.png", "upload_too_large") for n in range(4)
    ]
    after_bomb = peak_rss(single)
    assert after_bomb - before < 24 * MIB
    found = results(post(single, *[("a.jpg", large)] * 21))
    assert sum(map(len, found.values())) > 63 * MIB
    assert peak_rss(single) - after_bomb < 50 * MIB


@pytest.mark.long
def test_images_of_a_batch_overlap_and_give_the_bytes_of_one_after_the_other(
    small: bytes, photo: Callable[[str], Image.Image]
) -> None:
    large = encoded(photo("coffee").resize((2400, 1600)), "JPEG", quality=80)
    # A small image after a large one is ready first.
    files = [(f"{n}.jpg", small if n % 2 else large) for n in range(8)] + [("bad.jpg", b"text")]
    found, most = {}, {}
    for concurrency in (1, 3):
        with QuickGunicorn(MAX_RUNNING_IMAGES=3, BATCH_CONCURRENCY=concurrency) as server:
            running: list[float] = []
            with ThreadPoolExecutor(1) as threads:
                sent = threads.submit(lambda: post(server, *files).content)
                while not sent.done():
                    running.append(running_images(server))
            found[concurrency], most[concurrency] = sent.result(), max(running)
    assert found[1] == found[3]
    assert most[1] == 1
    assert 1 < most[3] <= 3


def running_images(server: Gunicorn) -> float:
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    found = re.search(r"^bg_remover_in_flight[^ ]* ([0-9.]+)$", text, re.MULTILINE)
    assert found, text
    return float(found[1])


def test_results_are_streamed_until_the_caller_disconnects(small: bytes) -> None:
    with QuickGunicorn(MAX_BATCH_FILES=1000) as server:
        answered = post(server, *[("a.jpg", small)] * 900, stream=True)
        first = answered.raw.read(30)
        assert first.startswith(b"PK\x03\x04")
        assert '"event":"batch"' not in server.log()
        connection = answered.raw.connection
        assert connection
        connection.sock.shutdown(socket.SHUT_RDWR)
        answered.close()
        line = poll(lambda: re.search(r'\{.*"event":"batch".*\}', server.log()), 20, "the batch's end")
        ended = orjson.loads(line[0])
        assert ended["done"] < 900
        assert results(post(server, ("a.jpg", small)))


@pytest.mark.long
def test_batch_may_exceed_the_request_timeout(photo: Callable[[str], Image.Image]) -> None:
    """The connection stays open, although a single request may take only three seconds plus two of grace."""
    file = ("a.jpg", encoded(photo("astronaut"), "JPEG"))

    def seconds(server: Gunicorn) -> float:
        return float(re.findall(r'"duration_ms":([0-9.]+),"event":"batch"', server.log())[-1]) / 1000

    with QuickGunicorn(REQUEST_TIMEOUT_SECONDS=3, MAX_BATCH_FILES=1000) as server:
        results(post(server, file, file, file, file))
        # Aim at twice the limit, because the machine may be faster in the second run.
        count = math.ceil(12 / (seconds(server) / 4))
        found = results(post(server, *[file] * count))
        assert seconds(server) > 5.1
    assert len(found) == count
    assert "errors.json" not in found


def test_stopping_server_finishes_its_image_and_reports_the_rest(small: bytes) -> None:
    with QuickGunicorn(MAX_BATCH_FILES=1000) as server:
        answered = post(server, *[("a.jpg", small)] * 900, stream=True)
        answered.raw.read(30)
        (worker,) = server.workers()
        server.process.terminate()
        rest = answered.raw.read()
    assert worker
    assert b"errors.json" in rest
    assert b"shutting_down" in rest


def test_quota_counts_each_image_of_a_batch(small: bytes) -> None:
    with QuickGunicorn(RATE_LIMIT_ENABLED="true", RATE_LIMIT_REMOVE_BG_PER_HOUR=5) as server:
        answered = post(server, ("a.jpg", small), ("b.zip", archive(("b.jpg", small), ("c.jpg", small))))
        assert answered.headers["X-RateLimit-Remaining"] == "2"
        assert len(results(answered)) == 3
        answered = post(server, *[("a.jpg", small)] * 3)
        assert refused(answered) == (429, "rate_limited")
        assert "5 per 1 hour" in answered.json()["details"]
        assert "counts as 3" in answered.json()["details"]
        assert 1 <= int(answered.headers["Retry-After"]) <= 3601
        # The refused batch used no quota.
        answered = post(server, ("a.jpg", small), ("b.jpg", small))
        assert answered.headers["X-RateLimit-Remaining"] == "0"
        assert len(results(answered)) == 2
        assert refused(post(server, ("a.jpg", small))) == (429, "rate_limited")
