"""The endpoints for pages that edit a cut-out: the matte of a photo, with a quota of its own."""

import http.client
import io
import re
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import cache
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import pytest
import requests
from numpy.typing import NDArray
from PIL import Image

from services.imaging.choices.presets import PRESETS
from tests.support.answers import REQUEST_ID, assert_error
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.images import encoded, pixels

Floats = NDArray[np.float32]
MATTE, REMOVE = "/matte", "/remove-background"
ASKED: dict[str, str] = {"X-Request-ID": REQUEST_ID}


@pytest.fixture(scope="session")
def server(quick_server: Gunicorn) -> Gunicorn:
    """A server with the tiny model: no test here checks a mask."""
    return quick_server


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
    with QuickGunicorn(RATE_LIMIT_ENABLED="true", RATE_LIMIT_MATTE_PER_HOUR=2, RATE_LIMIT_REFINE_PER_HOUR=2) as running:
        yield running


def test_matte_has_its_own_quota(counting: Gunicorn, small: bytes) -> None:
    answers = [post(counting, MATTE, small) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[0].headers["X-RateLimit-Limit"] == "2"
    assert "RATE_LIMIT_MATTE_PER_HOUR" in answers[2].text
    assert post(counting, REMOVE, small).headers["X-RateLimit-Remaining"] == "9"


def composed(server: Gunicorn, photo: bytes, mask: bytes | None, **options: Any) -> requests.Response:
    files = {"file": ("My photo.jpeg", photo), **({"mask": ("mask.png", mask)} if mask is not None else {})}
    return requests.post(server.url + "/compose", files=files, data=options, headers=ASKED, timeout=60)


MATTES: list[dict[str, Any]] = [
    {},
    {"edges": "soft"},
    {"edges": "matting", "feather": "3"},
    {"alpha_boost": "2", "roi": "10% 10% 80% 100%"},
    {"smooth": "true"},
]
PICTURES: list[dict[str, Any]] = [
    {},
    {"format": "jpeg", "background": "steelblue", "quality": "70"},
    {"format": "webp", "crop": "true", "crop_margin": "10%", "shadow": "drop"},
    {"format": "zip", "scale": "80%", "position": "0% 100%", "background_gradient": "45 red blue"},
    {"format": "avif", "decontaminate": "false", "max_width": "90", "shadow": "contact"},
    {"output": "mask", "preset": "thumbnail"},
]


@pytest.fixture(scope="module", params=["jpeg", "sideways", "transparent"])
def any_photo(request: pytest.FixtureRequest, photo: Callable[[str], Image.Image]) -> bytes:
    """A plain photo, one that its EXIF orientation turns, and one that is half transparent on its left."""
    if request.param != "transparent":
        return bytes(request.getfixturevalue(request.param))
    image = photo("astronaut").resize((180, 160))
    image.putalpha(Image.linear_gradient("L").rotate(90).resize(image.size))
    return encoded(image, "PNG")


@pytest.mark.parametrize("shape", MATTES)
def test_own_mask_gives_the_bytes_of_a_removal(server: Gunicorn, any_photo: bytes, shape: dict[str, Any]) -> None:
    mask = post(server, MATTE, any_photo, **shape).content
    for picture in PICTURES:
        removed = post(server, REMOVE, any_photo, **shape, **picture)
        made = composed(server, any_photo, mask, **picture)
        assert (removed.status_code, made.status_code) == (200, 200), made.text
        assert made.content == removed.content, picture
        for name in ("Content-Type", "Content-Disposition", "X-Foreground-Width", "X-Optimization-Used"):
            assert made.headers[name] == removed.headers[name]
        assert "segment" in removed.headers["Server-Timing"]
        assert "segment" not in made.headers["Server-Timing"]


GROUNDS: dict[str, dict[str, str]] = {
    "none": {},
    "colour": {"background": "#f4f1ea"},
    "gradient": {"background_gradient": "135 #ffffff #c0d0e0"},
    "image": {},
    "blur": {"background_blur": "35"},
}
CANVASES: dict[str, dict[str, str]] = {
    "photo": {},
    "px": {"canvas": "320x240", "scale": "85%", "position": "50% 100%"},
    "ratio": {"canvas": "4:5", "crop": "true", "crop_margin": "8%", "dpi": "300"},
    "own px": {"canvas": "9:16", "scale": "60%", "enlarge": "never"},
}


# Each ground on each canvas, and each shadow with each of them.
LOOKS: list[dict[str, str]] = [
    {**GROUNDS[ground], **CANVASES[canvas], "shadow": ("none", "drop", "contact")[(row + column) % 3], "_": ground}
    for row, ground in enumerate(GROUNDS)
    for column, canvas in enumerate(CANVASES)
]


@pytest.fixture(scope="module")
def matte_of(server: Gunicorn) -> Callable[[bytes], bytes]:
    @cache
    def found(photo: bytes) -> bytes:
        return post(server, MATTE, photo).content

    return found


def both_ways(server: Gunicorn, photo: bytes, matte: bytes, behind: bytes | None, **options: str) -> None:
    """Compare what `/remove-background` makes of a photo with what `/compose` makes of it and the service's matte."""
    files = {"file": ("My photo.jpeg", photo), **({"background_image": ("b.jpg", behind)} if behind else {})}
    removed = requests.post(server.url + REMOVE, files=files, data=options, headers=ASKED, timeout=60)
    files |= {"mask": ("mask.png", matte)}
    made = requests.post(f"{server.url}/compose", files=files, data=options, headers=ASKED, timeout=60)
    assert (removed.status_code, made.status_code) == (200, 200), (removed.text, made.text)
    assert made.content == removed.content


@pytest.mark.parametrize("look", LOOKS, ids=lambda look: " ".join(look.values()))
def test_every_look_of_a_page_is_the_same_by_matte_and_by_model(
    server: Gunicorn, any_photo: bytes, matte_of: Callable[[bytes], bytes], small: bytes, look: dict[str, str]
) -> None:
    options = {name: value for name, value in look.items() if name != "_"}
    both_ways(server, any_photo, matte_of(any_photo), small if look["_"] == "image" else None, **options)


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_is_the_same_by_matte_and_by_model(
    server: Gunicorn, sideways: bytes, matte_of: Callable[[bytes], bytes], preset: str
) -> None:
    both_ways(server, sideways, matte_of(sideways), None, preset=preset)


def test_image_behind_a_preset_is_the_same_by_matte_and_by_model(
    server: Gunicorn, sideways: bytes, matte_of: Callable[[bytes], bytes], small: bytes
) -> None:
    both_ways(server, sideways, matte_of(sideways), small, preset="google")


def test_opaque_pixels_are_the_photos_bit_for_bit(server: Gunicorn, photo: Callable[[str], Image.Image]) -> None:
    image = photo("coffee").resize((120, 90))
    drawn = np.zeros((90, 120), np.uint8)
    drawn[20:60, 30:100] = 255
    found = pixels(composed(server, encoded(image, "PNG"), encoded(Image.fromarray(drawn), "PNG")).content)
    assert np.array_equal(found[:, :, 3], drawn)
    assert np.array_equal(found[drawn == 255][:, :3], np.asarray(image)[drawn == 255])


def test_without_a_mask_all_of_the_photo_is_kept(server: Gunicorn, small: bytes) -> None:
    answer = composed(server, small, None, keep_alpha="true")
    with Image.open(io.BytesIO(small)) as image:
        assert np.array_equal(pixels(answer.content)[:, :, :3], np.asarray(image.convert("RGB")))
    as_json = {"Accept": "application/json"}
    body = requests.post(f"{server.url}/compose?max_width=48", data=small, headers=as_json, timeout=30).json()
    assert (body["width"], body["model"]) == (48, "none")


def test_mask_of_another_size_is_refused_with_both_sizes(server: Gunicorn, sideways: bytes) -> None:
    sizes = {
        (199, 300): "the mask is 199×300 px; the photo's sides are 300 and 200 px",
        (300, 200): "the mask is 300×200 px, the upright photo 200×300 px",
    }
    for size, details in sizes.items():
        answer = composed(server, sideways, encoded(Image.new("L", size), "PNG"))
        assert assert_error(answer, 422, "mask_mismatch")["details"] == details


def test_mask_as_text_or_twice_is_refused(server: Gunicorn, small: bytes) -> None:
    text = requests.post(f"{server.url}/compose", files={"file": small}, data={"mask": "x"}, headers=ASKED, timeout=30)
    assert assert_error(text, 400, "bad_option")["details"] == "mask is 'x'; allowed: a file of a form"
    twice = [("file", ("a", small)), ("mask", ("a", small)), ("mask", ("b", small))]
    assert_error(requests.post(f"{server.url}/compose", files=twice, headers=ASKED, timeout=30), 400, "bad_option")
    # Other endpoints take no mask.
    elsewhere = requests.post(f"{server.url}/matte", files=twice[:2], headers=ASKED, timeout=30)
    assert_error(elsewhere, 400, "unknown_option")


@pytest.mark.parametrize("name", ["model", "prompt", "edges", "roi"])
def test_option_of_the_model_is_refused_by_compose(server: Gunicorn, small: bytes, name: str) -> None:
    assert_error(composed(server, small, None, **{name: "soft"}), 400, "unknown_option")


def test_compose_has_its_own_quota(counting: Gunicorn, small: bytes) -> None:
    assert composed(counting, small, None).headers["X-RateLimit-Limit"] == "300"


def refined(server: Gunicorn, part: bytes, mask: bytes, **options: Any) -> requests.Response:
    files = {"file": ("part.png", part), "mask": ("mask.png", mask)}
    return requests.post(server.url + "/refine", files=files, data=options, headers=ASKED, timeout=60)


@pytest.fixture(scope="module")
def stroke() -> tuple[bytes, bytes, Floats]:
    """A part of a photo with a slanted edge, its mask with a band of unknown pixels, and the true alpha."""
    y, x = np.mgrid[:150, :201].astype(np.float32)
    alpha = np.clip((x - 90 - y / 5) / 3, 0, 1)
    red, blue = np.array([200, 70, 40], np.float32), np.array([40, 90, 170], np.float32)
    colours = alpha[..., None] * red + (1 - alpha[..., None]) * blue
    noisy = colours + np.random.default_rng(1).normal(0, 2, colours.shape)
    trimap = np.where(x > 130, 255, np.where(x < 80, 0, 128)).astype(np.uint8)
    photo = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    return encoded(photo, "PNG"), encoded(Image.fromarray(trimap), "PNG"), alpha


@pytest.mark.parametrize("edges", ["refined", "matting"])
def test_unknown_pixels_get_the_photos_edge_and_sure_ones_stay(
    server: Gunicorn, stroke: tuple[bytes, bytes, Floats], edges: str
) -> None:
    part, mask, alpha = stroke
    answer = refined(server, part, mask, edges=edges)
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Content-Disposition"] == "inline; filename=part-matte.png"
    assert set(re.findall(r"(\w+);dur", answer.headers["Server-Timing"])) >= {"queue", "decode", "refine", "encode"}
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.mode, image.size) == ("L", (201, 150))
    given, found = pixels(mask), pixels(answer.content)
    sure = given != 128
    assert np.array_equal(found[sure], given[sure])
    assert np.abs(found / 255 - alpha)[~sure].mean() < 0.02


def test_refined_is_the_default_and_matting_is_something_else(
    server: Gunicorn, stroke: tuple[bytes, bytes, Floats]
) -> None:
    part, mask, _ = stroke
    plain, named, more = (refined(server, part, mask, **options).content for options in ({}, *EDGES))
    assert plain == named != more


EDGES: list[dict[str, Any]] = [{"edges": "refined"}, {"edges": "matting"}]


def test_mask_without_an_unknown_pixel_comes_back(server: Gunicorn, small: bytes) -> None:
    mask = encoded(Image.new("L", (96, 64), 255), "PNG")
    assert pixels(refined(server, small, mask).content).min() == 255


def test_refine_needs_a_mask_of_the_same_size(server: Gunicorn, small: bytes) -> None:
    answer = refined(server, small, encoded(Image.new("L", (96, 63)), "PNG"))
    assert assert_error(answer, 422, "mask_mismatch")["details"].startswith("the mask is 96×63 px")
    without = requests.post(f"{server.url}/refine", files={"file": small}, headers=ASKED, timeout=30)
    assert assert_error(without, 400, "missing_image")["details"] == "the form has no file in the field 'mask'"


def test_part_of_more_than_four_megapixels_is_refused(server: Gunicorn) -> None:
    large = encoded(Image.new("L", (2001, 2000)), "PNG")
    details = assert_error(refined(server, large, large), 422, "too_many_pixels")["details"]
    assert details == "2001×2000 is 4002000 pixels; allowed: 4000000"
    assert refined(server, *[encoded(Image.new("L", (2000, 2000)), "PNG")] * 2).status_code == 200


def test_refine_takes_no_option_but_guided_edges(server: Gunicorn, small: bytes) -> None:
    mask = encoded(Image.new("L", (96, 64), 128), "PNG")
    soft = assert_error(refined(server, small, mask, edges="soft"), 400, "bad_option")
    assert soft["details"] == "edges is 'soft'; allowed: refined, matting"
    for name in ("model", "format", "image_url", "crop"):
        details = assert_error(refined(server, small, mask, **{name: "x"}), 400, "unknown_option")["details"]
        assert details == f"{name!r} is not an option of this endpoint; its options are edges"


def test_refine_over_its_quota_is_refused_before_the_body_is_read(
    counting: Gunicorn, stroke: tuple[bytes, bytes, Floats]
) -> None:
    answers = [refined(counting, *stroke[:2]) for _ in range(2)]
    assert [answer.headers["X-RateLimit-Limit"] for answer in answers] == ["2", "2"]
    with closing(http.client.HTTPConnection(urlsplit(counting.url).netloc, timeout=30)) as connection:
        connection.putrequest("POST", "/refine")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Content-Length", "5000000")
        connection.putheader("Expect", "100-continue")
        connection.endheaders()
        assert connection.getresponse().status == 429


def test_page_learns_limits_models_and_presets(server: Gunicorn) -> None:
    answer = requests.get(f"{server.url}/studio.json", timeout=30)
    facts = answer.json()
    assert list(facts) == [
        *("version", "build", "jobs", "auth_required", "default_model", "models", "limits", "quotas", "key_limit"),
        *("concurrency", "presets", "formats", "result_ttl_seconds", "accounts"),
    ]
    assert (facts["jobs"], facts["auth_required"], facts["default_model"]) == (False, False, "tiny")
    assert [model["name"] for model in facts["models"]] == ["tiny"]
    assert facts["limits"] | {"pixels": 0} == {
        "bytes": 16 * 1024 * 1024, "pixels": 0, "side": 16,
        "batch_files": 50, "batch_bytes": 64 * 1024 * 1024, "preview_side": 1024,
    }  # fmt: skip
    thumbnail, amazon = facts["presets"]["thumbnail"], facts["presets"]["amazon"]
    assert thumbnail["options"] == {"max_width": 300, "max_height": 300, "format": "webp", "quality": 60}
    assert list(amazon) == ["title", "options", "source", "date", "note"]
    assert (amazon["options"]["canvas"], amazon["options"]["scale"]) == ("2000 2000", "85%")
    assert amazon["source"].startswith("https://sellercentral.amazon.com/")
    assert "the marketplace's own page" in amazon["note"]
    assert "heic" in facts["formats"]["accepted"]
    assert {"png", "jpeg", "webp", "zip"} <= set(facts["formats"]["results"])


def test_unchanged_facts_are_not_sent_again(server: Gunicorn) -> None:
    first = requests.get(f"{server.url}/studio.json", timeout=30)
    assert first.headers["Cache-Control"] == "private, no-cache"
    again = requests.get(f"{server.url}/studio.json", headers={"If-None-Match": first.headers["ETag"]}, timeout=30)
    assert (again.status_code, again.content) == (304, b"")


def test_facts_have_the_callers_quotas_and_count_for_none(counting: Gunicorn, server: Gunicorn) -> None:
    answer = requests.get(f"{counting.url}/studio.json", timeout=30)
    assert answer.json()["quotas"] == {
        "/remove-background": 10, "/remove-background-preview": 20, "/matte": 2, "/compose": 300, "/refine": 2,
    }  # fmt: skip
    assert answer.json()["key_limit"] is None
    assert "X-RateLimit-Limit" not in answer.headers
    assert requests.get(f"{server.url}/studio.json", timeout=30).json()["quotas"] is None
    with QuickGunicorn(RATE_LIMIT_ENABLED="true", RATE_LIMIT_LOOPBACK="false") as owned:
        assert requests.get(f"{owned.url}/studio.json", timeout=30).json()["quotas"] is None
