"""The endpoints for pages that edit a cut-out: the matte of a photo, with a quota of its own."""

import io
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import requests
from PIL import Image

from tests.support.answers import REQUEST_ID, assert_error
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded, pixels

MATTE, REMOVE = "/matte", "/remove-background"
ASKED: dict[str, str] = {"X-Request-ID": REQUEST_ID}


def post(server: Gunicorn, path: str, photo: bytes, accept: str = "*/*", **options: Any) -> requests.Response:
    files, headers = {"file": ("My photo.jpeg", photo)}, {**ASKED, "Accept": accept}
    return requests.post(server.url + path, files=files, data=options, headers=headers, timeout=60)


@pytest.fixture(scope="module")
def sideways(photo: Callable[[str], Image.Image]) -> bytes:
    """A photograph of 300×200 px that its EXIF orientation turns to 200×300."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return encoded(photo("coffee").resize((300, 200)), "JPEG", quality=90, exif=exif)


def test_matte_is_the_mask_of_the_upright_photo(server: Gunicorn, sideways: bytes) -> None:
    answer = post(server, MATTE, sideways)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == 'inline; filename="My photo-matte.png"'
    assert 0 <= float(answer.headers["X-Confidence"]) <= 1
    assert (answer.headers["X-Width"], answer.headers["X-Height"]) == ("200", "300")
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.mode, image.size) == ("L", (200, 300))
    assert answer.content == post(server, REMOVE, sideways, output="mask").content


def test_matte_takes_the_options_that_shape_it(server: Gunicorn, jpeg: bytes) -> None:
    shapes: list[dict[str, Any]] = [{"edges": "soft"}, {"feather": "8"}, {"threshold": "128"}, {"roi": "0 0 50% 100%"}]
    for shaped in shapes:
        same = post(server, REMOVE, jpeg, output="mask", **shaped).content
        assert post(server, MATTE, jpeg, **shaped).content == same != post(server, MATTE, jpeg).content


def test_zip_holds_the_photo_with_its_own_colours_and_the_matte(server: Gunicorn, sideways: bytes) -> None:
    answer = post(server, MATTE, sideways, format="zip", quality=95)
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        colour, alpha = archive.read("color.jpg"), archive.read("alpha.png")
    assert np.array_equal(pixels(alpha), pixels(post(server, MATTE, sideways).content))
    same = post(server, REMOVE, sideways, format="zip", quality=95, decontaminate="false").content
    assert answer.content == same != post(server, REMOVE, sideways, format="zip", quality=95).content
    with Image.open(io.BytesIO(sideways)) as image:
        upright = np.rot90(np.asarray(image.convert("RGB")), -1).astype(int)
    assert np.abs(pixels(colour) - upright).mean() < 3


@pytest.mark.parametrize("options", [{"crop": "true"}, {"max_width": "50"}, {"background": "red"}, {"output": "mask"}])
def test_option_of_the_picture_is_refused(server: Gunicorn, small: bytes, options: dict[str, Any]) -> None:
    details = assert_error(post(server, MATTE, small, **options), 400, "unknown_option")["details"]
    assert details.startswith(repr(next(iter(options))))
    assert "alpha_boost" in details
    in_query = requests.post(server.url + MATTE, params=options, data=small, headers=ASKED, timeout=30)
    assert_error(in_query, 400, "unknown_option")


def test_background_image_is_refused(server: Gunicorn, small: bytes) -> None:
    files = {"file": ("a.jpg", small), "background_image": ("b.jpg", small)}
    answer = requests.post(server.url + MATTE, files=files, headers=ASKED, timeout=30)
    assert_error(answer, 400, "unknown_option")


def test_format_that_may_change_the_matte_is_refused(server: Gunicorn, small: bytes) -> None:
    details = assert_error(post(server, MATTE, small, format="webp"), 400, "bad_option")["details"]
    assert details == "format is 'webp'; allowed: png, zip"
    # A browser's preference for pictures is no request for a format.
    assert post(server, MATTE, small, "image/webp,*/*").headers["Content-Type"] == "image/png"


@pytest.fixture(scope="module")
def counting() -> Iterator[Gunicorn]:
    with Gunicorn(RATE_LIMIT_ENABLED="true", RATE_LIMIT_MATTE_PER_HOUR=2) as running:
        yield running


def test_matte_has_a_quota_of_its_own(counting: Gunicorn, small: bytes) -> None:
    answers = [post(counting, MATTE, small) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["X-RateLimit-Limit"] == "2"
    assert "RATE_LIMIT_MATTE_PER_HOUR" in answers[2].text
    assert post(counting, REMOVE, small).headers["X-RateLimit-Remaining"] == "9"
