"""The formats of results."""

import pytest
from PIL import features

from services.imaging.formats import Format, usable_formats


def test_jpeg_is_the_only_format_whose_extension_differs() -> None:
    assert [form for form in Format if form.extension != form.value] == [Format.JPEG]
    assert Format.JPEG.extension == "jpg"


def test_pictures_and_archives_have_their_mimetypes() -> None:
    assert Format.JPEG.mimetype == "image/jpeg"
    assert Format.ZIP.mimetype == "application/zip"


def test_quality_counts_for_every_format_but_png_and_gif() -> None:
    assert {form for form in Format if not form.lossy} == {Format.PNG, Format.GIF}


def test_auto_depends_on_the_original_and_other_formats_do_not() -> None:
    chosen = {original: Format.AUTO.chosen_for(original) for original in ("gif", "webp", "png", "jpeg", "heic")}
    assert [*chosen.values()] == [Format.WEBP, Format.WEBP, Format.PNG, Format.PNG, Format.PNG]
    assert Format.GIF.chosen_for("webp") is Format.GIF


@pytest.mark.parametrize("has_avif", [True, False])
def test_avif_is_offered_only_where_pillow_writes_it(monkeypatch: pytest.MonkeyPatch, has_avif: bool) -> None:
    monkeypatch.setattr(features, "check", lambda _name: has_avif)
    usable_formats.cache_clear()
    try:
        assert (Format.AVIF in usable_formats()) is has_avif
        assert {*usable_formats(), Format.AVIF, Format.GIF, Format.AUTO} == set(Format)
    finally:
        usable_formats.cache_clear()
