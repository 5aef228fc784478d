"""Photoroom's fields in our options, and its error body."""

import pytest

from services.dialects.photoroom import error_body, parse_options
from services.errors import BadOption, MissingImage
from services.imaging.formats import Format
from services.imaging.options import Output


def test_fields_have_photorooms_defaults() -> None:
    for given in ({}, {"format": "", "size": "", "crop": "", "bg_color": "", "unknown": "x"}):
        found = parse_options(given)
        assert (found.format, found.output, found.max_pixels, found.background, found.crop) == (
            Format.PNG, Output.CUTOUT, None, None, False,
        )  # fmt: skip


def test_fields_become_our_options() -> None:
    found = parse_options({"format": "jpg", "size": "hd", "bg_color": "#ff0000", "crop": "true", "despill": "true"})
    assert (found.format, found.max_pixels, found.crop) == (Format.JPEG, 4_000_000, True)
    assert found.background == (255, 0, 0, 255)
    assert parse_options({"channels": "alpha"}).output is Output.MASK


@pytest.mark.parametrize("name", ["format", "channels", "size", "bg_color", "crop", "despill"])
def test_bad_value_is_refused_under_its_name(name: str) -> None:
    with pytest.raises(BadOption, match=f"^An option .*: {name} is 'odd'; allowed: "):
        parse_options({name: "odd"})


def test_error_has_a_detail_a_status_and_a_type() -> None:
    status, body = error_body(MissingImage("no field"), 1)
    assert (status, body.model_dump()) == (
        400, {"detail": "No image was sent: no field", "status_code": 400, "type": "missing_image"},
    )  # fmt: skip
