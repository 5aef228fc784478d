"""Formats: what each keeps, and what it must not show."""

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features
from PIL.ExifTags import Base

from services import errors
from services.imaging import formats
from services.imaging.compose import Canvas
from services.imaging.encode import encode
from services.imaging.formats import Format, usable_formats
from services.imaging.geometry import Box
from services.imaging.options import Options, options_schema
from tests.support.images import PHOTOS, pixels


def canvas(*, alpha: bool = True) -> Canvas:
    """A photograph with a disc as its subject, soft at the edge."""
    with Image.open(PHOTOS / "coffee.png") as image:
        colours = np.asarray(image.convert("RGB"))
    y, x = np.mgrid[: colours.shape[0], : colours.shape[1]]
    matte = np.clip((150 - np.hypot(x - 300, y - 200)) * 20, 0, 255).astype(np.uint8)
    return Canvas(colours, matte if alpha else None, Box(150, 50, 300, 300))


def as_format(name: str, found: Canvas, **raw: object) -> bytes:
    return encode(found, Options.parse({"format": name, **raw}))


def test_a_zip_holds_colour_and_alpha_stored_and_nothing_else(tmp_path: Path) -> None:
    data = as_format("zip", canvas(), quality=90)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.namelist() == ["color.jpg", "alpha.png"]
        assert [entry.compress_type for entry in archive.infolist()] == [zipfile.ZIP_STORED] * 2
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        archive.extractall(tmp_path)
    with Image.open(tmp_path / "color.jpg") as colour, Image.open(tmp_path / "alpha.png") as alpha:
        assert (colour.format, colour.mode, colour.size) == ("JPEG", "RGB", (600, 400))
        assert (alpha.format, alpha.mode, alpha.size) == ("PNG", "L", (600, 400))
        assert np.array_equal(np.asarray(alpha), pixels(as_format("png", canvas()))[..., 3])
        difference = np.abs(np.asarray(colour).astype(int) - canvas().pixels)
    assert difference[canvas().alpha == 0].mean() < 6  # what was there, not black
    assert data == as_format("zip", canvas(), quality=90)
    assert len(as_format("zip", canvas(), quality=30)) < len(data)


def test_a_zip_of_an_opaque_picture_has_an_opaque_alpha() -> None:
    with zipfile.ZipFile(io.BytesIO(as_format("zip", canvas(alpha=False)))) as archive:
        assert pixels(archive.read("alpha.png")).min() == 255


def test_jpeg_is_progressive_and_shares_chroma() -> None:
    with Image.open(io.BytesIO(as_format("jpeg", canvas(alpha=False)))) as image:
        assert image.info.get("progressive")
        assert image.layer[0][1:3] == (2, 2)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", ["webp", "avif"])
def test_webp_and_avif_keep_the_alpha_and_hide_the_background(name: str) -> None:
    whole = canvas()
    assert whole.alpha is not None
    found = pixels(as_format(name, whole, quality=90))
    assert np.abs(found[..., 3].astype(int) - whole.alpha).max() <= (0 if name == "webp" else 20)
    solid = whole.alpha == 255
    assert np.abs(found[..., :3].astype(int) - whole.pixels)[solid].mean() < 6
    far = np.hypot(*np.mgrid[-200:200, -300:300]) > 220
    detail, original = (np.abs(np.diff(p[..., 1].astype(int), axis=0))[far[1:]].mean() for p in (found, whole.pixels))
    assert detail < 2 < 5 < original  # the photograph had a table there


def test_an_avif_is_smaller_for_a_lower_quality_and_has_no_alpha_where_the_picture_has_none() -> None:
    assert len(as_format("avif", canvas(), quality=30)) < len(as_format("avif", canvas(), quality=90))
    assert pixels(as_format("avif", canvas(alpha=False))).shape == (400, 600, 3)


@pytest.mark.parametrize(("name", "limit"), [("webp", 16383), ("avif", 32768), ("zip", 65500), ("jpeg", 65500)])
def test_a_side_that_a_format_cannot_hold_is_a_clear_error(name: str, limit: int) -> None:
    strip = np.zeros((16, limit + 1, 3), dtype=np.uint8)
    with pytest.raises(errors.BadOption, match=f"at most {limit}"):
        as_format(name, Canvas(strip, None, Box(0, 0, 0, 0)))
    largest = as_format(name, Canvas(strip[:, :limit], None, Box(0, 0, 0, 0)))
    if name != "zip":
        with Image.open(io.BytesIO(largest)) as image:
            assert image.size == (limit, 16)


def test_where_pillow_has_no_avif_the_option_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "check", lambda name: name != "avif")
    formats.usable_formats.cache_clear()
    options_schema.cache_clear()
    try:
        assert Format.AVIF not in formats.usable_formats()
        with pytest.raises(errors.BadOption, match=r"format is 'avif'; allowed: png, webp, jpeg \(or jpg\), zip"):
            Options.parse({"format": "avif"})
    finally:
        options_schema.cache_clear()
        formats.usable_formats.cache_clear()


def density(data: bytes) -> tuple[float, float]:
    """The dots per inch that a file names, across and down; (0, 0) without."""
    with Image.open(io.BytesIO(data)) as image:
        if image.format in ("PNG", "JPEG"):
            across, down = image.info.get("dpi", (0, 0))
            return round(float(across), 1), round(float(down), 1)
        exif = image.getexif()
        assert not exif or exif[Base.ResolutionUnit] == 2
        return float(exif.get(Base.XResolution, 0)), float(exif.get(Base.YResolution, 0))


@pytest.mark.parametrize("alpha", [True, False])
@pytest.mark.parametrize("name", [f.value for f in usable_formats() if f is not Format.ZIP])
@pytest.mark.parametrize("dpi", [72, 300, 1200])
def test_density_is_written_and_changes_no_pixel(name: str, alpha: bool, dpi: int) -> None:
    found = canvas(alpha=alpha and name != "jpeg")
    plain, dense = as_format(name, found), as_format(name, found, dpi=dpi)
    assert density(plain) == (0, 0)
    assert density(dense) == (dpi, dpi)
    assert np.array_equal(pixels(plain), pixels(dense))
    assert dense == as_format(name, found, dpi=dpi)


def test_both_files_of_a_zip_have_the_density() -> None:
    with zipfile.ZipFile(io.BytesIO(as_format("zip", canvas(), dpi=300))) as archive:
        assert [density(archive.read(name)) for name in archive.namelist()] == [(300, 300)] * 2
