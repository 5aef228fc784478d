"""Clipdrop's API, remove-background version 1: its one parameter, its headers and its error body."""

from collections.abc import Mapping
from typing import Final

from pydantic import BaseModel

from services.errors import BadOption, ServiceError
from services.imaging.formats import Format
from services.imaging.options import Options
from services.imaging.pipeline import OwnAlpha

FILE: Final = "image_file"
PARAMETER: Final = "transparency_handling"
# What happens to an image that has transparent pixels.
HANDLING: Final[Mapping[str, OwnAlpha]] = {
    "return_input_if_non_opaque": OwnAlpha.MATTE,
    "discard_alpha_layer": OwnAlpha.DISCARD,
}
FORMATS: Final = (Format.PNG, Format.WEBP, Format.JPEG)
# Nothing is billed.
HEADERS: Final[Mapping[str, str]] = {"x-remaining-credits": "99999", "x-credits-consumed": "0"}
# This API knows no other status for a mistake of the caller.
STATUSES: Final[Mapping[str, int]] = {"missing_key": 401, "bad_key": 403}
REFUSED_IMAGE: Final = (413, 415, 422)


class ErrorAnswer(BaseModel):
    """Clipdrop's error body."""

    error: str


def parse_options(given: Mapping[str, str], accepted: Format) -> tuple[Options, OwnAlpha]:
    """Return the options, and the use of the image's own transparency; unknown fields are ignored.

    `accepted` is the format that the caller prefers; formats that this API does not have become PNG. Raises
    `BadOption`.
    """
    handling = given.get(PARAMETER) or next(iter(HANDLING))
    if handling not in HANDLING:
        raise BadOption(PARAMETER, handling, ", ".join(HANDLING))
    return Options(format=accepted if accepted in FORMATS else Format.PNG), HANDLING[handling]


def error_body(error: ServiceError, _max_bytes: int) -> tuple[int, ErrorAnswer]:
    """Return the HTTP status and the body for one of our errors."""
    status = STATUSES.get(error.code, 400 if error.status in REFUSED_IMAGE else error.status)
    return status, ErrorAnswer(error=str(error))
