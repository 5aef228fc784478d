"""Send every file of the corpus to a real server: it answers correctly and quickly and leaves nothing behind."""

import io
import re
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest
import requests
from PIL import Image

from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.pictures import corpus
from tests.support.pictures.corpus import FILES, FORMATS, MARKER, OK, Answer, File
from tests.support.waiting import poll

SECONDS: Final = 10.0
KEYS: Final = {"error", "code", "solution", "details", "request_id"}
MUTATIONS: Final = 8


class Watched:
    """A server with its own temporary folder, and its state before the first bad file."""

    def __init__(self, server: Gunicorn, scratch: Path) -> None:
        self.server = server
        self.scratch = scratch
        self.session = requests.Session()
        self.good = corpus.encode(corpus.photo(), "PNG")
        self.good_result = self.post(self.good).content
        self.pids = server.workers()
        self.files_before = sorted(scratch.rglob("*"))

    def post(self, data: bytes, **query: str) -> requests.Response:
        url = f"{self.server.url}/remove-background"
        return self.session.post(url, files={"file": ("a.png", data)}, params=query, timeout=150)

    def load(self) -> list[float]:
        """Return the numbers of running and waiting images from the metrics."""
        text = self.session.get(f"{self.server.url}/metrics", timeout=30).text
        return [float(re.search(rf"^bg_remover_{name} (\S+)$", text, re.M)[1]) for name in ("in_flight", "waiting")]  # type: ignore[index]

    def assert_unharmed(self) -> None:
        """Check that workers, load, files and the result of a good image are unchanged."""
        assert self.server.workers() == self.pids
        assert self.load() == [0.0, 0.0]
        assert sorted(self.scratch.rglob("*")) == self.files_before
        after = self.post(self.good)
        assert after.status_code == 200
        assert after.content == self.good_result


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Watched]:
    scratch = tmp_path_factory.mktemp("scratch")
    with QuickGunicorn(TMPDIR=scratch) as server:
        yield Watched(server, scratch)


def answer_of(response: requests.Response) -> Answer:
    """Return the status and error code; check that an error's body has the five keys and reveals no internals."""
    if response.status_code == 200:
        assert response.headers["Content-Type"].startswith("image/")
        return OK
    body = response.json()
    assert set(body) == KEYS
    assert body["request_id"] == response.headers["X-Request-ID"]
    assert not re.search(r"Traceback|\.py|0x[0-9a-f]{6}|/home|/tmp|site-packages", response.text)
    return response.status_code, body["code"]


def opened(response: requests.Response) -> Image.Image:
    assert response.status_code == 200, response.text
    image = Image.open(io.BytesIO(response.content))
    image.load()
    return image


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_bad_file_is_answered_quickly_and_harms_nothing(watched: Watched, file: File) -> None:
    data = file.make()
    start = time.monotonic()
    response = watched.post(data)
    elapsed = time.monotonic() - start
    assert answer_of(response) in file.answers, response.text[:500]
    if response.ok:
        image = opened(response)
        assert image.mode == "RGBA"
        assert file.size in (None, image.size)
        assert MARKER not in response.content
    assert elapsed < SECONDS
    watched.assert_unharmed()


@pytest.mark.parametrize("form", FORMATS)
def test_random_damage_causes_no_server_error(watched: Watched, form: str) -> None:
    for seed in range(MUTATIONS):
        data, damage = corpus.flipped(form, seed)
        start = time.monotonic()
        response = watched.post(data)
        status, code = answer_of(response)
        assert status in (200, 415, 422), f"{damage}: {status} {code}"
        assert time.monotonic() - start < SECONDS, damage
    watched.assert_unharmed()


@pytest.mark.parametrize("wanted", ["png", "webp", "jpeg"])
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_results_contain_no_input_metadata(watched: Watched, form: str, wanted: str) -> None:
    data = corpus.with_metadata(form)
    assert data.count(MARKER) >= 3
    response = watched.post(data, format=wanted)
    image = opened(response)
    assert MARKER not in response.content
    assert not image.getexif()
    assert not {"exif", "xmp", "XML:com.adobe.xmp", "icc_profile", "comment", "Comment", "photoshop"} & set(image.info)
    for trace in (b"Exif", b"http://ns.adobe.com", b"xmpmeta", b"8BIM", b"tEXt", b"iTXt", b"ICC_PROFILE", b"iCCP"):
        assert trace not in response.content


@pytest.mark.parametrize("name", ["JPEG and PHP", "PNG and ZIP", "GIF and JavaScript", "JPEG and HTML"])
@pytest.mark.parametrize("wanted", ["png", "webp", "jpeg"])
def test_polyglot_file_returns_only_an_image(watched: Watched, name: str, wanted: str) -> None:
    data = next(file for file in FILES if file.name == name).make()
    assert MARKER in data
    response = watched.post(data, format=wanted)
    opened(response)
    assert MARKER not in response.content
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Content-Disposition"].startswith("attachment")


def test_svg_causes_no_outgoing_request(watched: Watched) -> None:
    with socket.create_server(("127.0.0.1", 0)) as target:
        target.setblocking(False)
        url = f"http://127.0.0.1:{target.getsockname()[1]}/x.png"
        svg = f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{url}" width="9" height="9"/></svg>'
        assert answer_of(watched.post(svg.encode())) == corpus.TYPE
        with pytest.raises(BlockingIOError):
            target.accept()


@pytest.mark.parametrize(
    ("wanted", "width"), [("webp", 16384), ("webp", 40000), ("jpeg", 65501)], ids=["webp 16384", "webp", "jpeg"]
)
def test_side_too_long_for_the_format_is_refused(watched: Watched, wanted: str, width: int) -> None:
    data = corpus.encode(corpus.photo(width, 16), "PNG")
    response = watched.post(data, format=wanted)
    assert answer_of(response) == corpus.OPTION
    assert wanted in response.json()["details"]
    assert str(width) in response.json()["details"]
    smaller = opened(watched.post(data, format=wanted, max_width="1000"))
    assert smaller.size == (1000, 1)
    watched.assert_unharmed()


def as_seen(watched: Watched, data: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """Return the photo as the service decoded it: a threshold of 0 makes every pixel foreground."""
    image = opened(watched.post(data, threshold="0"))
    assert image.getchannel("A").getextrema() == (255, 255)
    return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_16_bit_grey_keeps_its_tones(watched: Watched, form: str) -> None:
    ramp = corpus.grey_ramp(np.uint16, 65535)
    seen = as_seen(watched, corpus.encode(ramp, form))[0, :, 0].astype(int)
    np.testing.assert_allclose(seen, np.linspace(0, 255, 96), atol=1)


def test_float_grey_keeps_its_tones(watched: Watched) -> None:
    seen = as_seen(watched, corpus.encode(corpus.grey_ramp(np.float32, 1.0), "TIFF"))[0, :, 0].astype(int)
    np.testing.assert_allclose(seen, np.linspace(0, 255, 96), atol=1)


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_keeps_its_colours(watched: Watched, form: str) -> None:
    seen = as_seen(watched, corpus.encode(corpus.cmyk(), form))[20, 20].astype(int)
    np.testing.assert_allclose(seen, (255, 127, 0), atol=4)


def test_16_bit_rgba_keeps_colour_and_transparency(watched: Watched) -> None:
    pixel = np.asarray(opened(watched.post(corpus.wide_rgba(), threshold="0")))[9, 9].astype(int)
    np.testing.assert_allclose(pixel, (234, 78, 19, 156), atol=1)


def see_through(form: str) -> bytes:
    """Encode a photo: left half opaque, next quarter half-transparent, last quarter transparent."""
    image = corpus.photo(64, 48).convert("RGBA")
    alpha = np.full((48, 64), 255, dtype=np.uint8)
    alpha[:, 32:48], alpha[:, 48:] = 128, 0
    image.putalpha(Image.fromarray(alpha))
    return corpus.encode(image, form, lossless=True)


def see_through_palette() -> bytes:
    image = Image.new("P", (64, 48), 0)
    image.putpalette([200, 30, 30, 30, 200, 30])
    image.paste(1, (48, 0, 64, 48))
    return corpus.encode(image, "PNG", transparency=1)


@pytest.mark.parametrize(
    "make",
    [lambda: see_through("PNG"), lambda: see_through("WEBP"), lambda: see_through("TIFF"), see_through_palette],
    ids=["PNG", "WebP", "TIFF", "palette"],
)
def test_input_transparency_is_kept(watched: Watched, make: Callable[[], bytes]) -> None:
    data = make()
    with Image.open(io.BytesIO(data)) as given:
        before = np.asarray(given.convert("RGBA").getchannel("A"))
    after = np.asarray(opened(watched.post(data, threshold="0")))
    np.testing.assert_array_equal(after[:, :, 3], before)
    assert not after[before == 0].any()
    plain = np.asarray(opened(watched.post(data)).getchannel("A"))
    assert (plain <= before).all()


@pytest.mark.parametrize(("form", "turn"), [("JPEG", 6), ("WEBP", 5), ("PNG", 3), ("TIFF", 8)])
def test_exif_orientation_is_applied(watched: Watched, form: str, turn: int) -> None:
    block = Image.Exif()
    block[0x0112] = turn
    seen = as_seen(watched, corpus.encode(corpus.photo(), form, exif=block, lossless=True)).astype(int)
    # Maps an EXIF orientation to PIL.Image.Transpose.
    undo = {2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}
    upright = corpus.photo().transpose(Image.Transpose(undo[turn]))
    assert seen.shape == (upright.height, upright.width, 3)
    # A wrong orientation differs by 15 or more.
    assert np.abs(seen - np.asarray(upright).astype(int)).mean() < 8


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_first_frame_of_an_animation_is_used(watched: Watched, form: str) -> None:
    seen = as_seen(watched, corpus.animated(form))[20, 20].astype(int)
    np.testing.assert_allclose(seen, (200, 30, 30), atol=12)


@pytest.mark.long
def test_decompression_bombs_leak_no_memory(watched: Watched) -> None:
    pid = watched.pids[0]

    def resident() -> int:
        status = Path(f"/proc/{pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) // 1024  # type: ignore[index]

    bombs = [file.make() for file in FILES if corpus.BOMB in file.answers]
    for data in bombs:
        watched.post(data)
    before = resident()
    for _ in range(40):
        for data in bombs:
            assert watched.post(data).status_code == 422
    poll(lambda: resident() < before + 48, 30, "memory back to its earlier level")
    watched.assert_unharmed()
