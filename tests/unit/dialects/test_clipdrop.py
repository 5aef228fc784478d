"""Clipdrop's parameter, formats and statuses."""

import pytest

from services.containers.errors import CorruptImage
from services.dialects.clipdrop import error_body, parse_options
from services.errors import BadKey, BadOption, Busy, MissingKey, RateLimited, ServiceError, UploadTooLarge
from services.imaging.errors import UnsupportedFormat
from services.imaging.formats import Format
from services.imaging.pipeline import OwnAlpha


def test_transparent_input_is_its_own_result_by_default() -> None:
    for given in ({}, {"transparency_handling": ""}, {"transparency_handling": "return_input_if_non_opaque"}):
        assert parse_options(given, Format.PNG)[1] is OwnAlpha.MATTE
    assert parse_options({"transparency_handling": "discard_alpha_layer"}, Format.PNG)[1] is OwnAlpha.DISCARD
    with pytest.raises(BadOption, match="transparency_handling is 'x'; allowed: return_input_if_non_opaque, disc"):
        parse_options({"transparency_handling": "x"}, Format.PNG)


def test_format_is_one_of_three() -> None:
    for accepted in (Format.PNG, Format.WEBP, Format.JPEG):
        assert parse_options({}, accepted)[0].format is accepted
    assert parse_options({}, Format.AVIF)[0].format is Format.PNG


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (MissingKey(), 401), (BadKey(), 403), (RateLimited(), 429), (UploadTooLarge(), 400), (CorruptImage(), 400),
        (UnsupportedFormat(), 400), (Busy(), 503),
    ],
)  # fmt: skip
def test_error_is_a_text_with_a_status_of_that_api(error: ServiceError, status: int) -> None:
    found, body = error_body(error, 1)
    assert (found, body.model_dump()) == (status, {"error": error.message})
