"""CarveKit's API: remove.bg's parameters under other paths, with another default size and a shorter error body."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, Field

from services.dialects import removebg, removebg_errors
from services.dialects.removebg import RemoveBgOptions
from services.errors import ServiceError

DEFAULT_SIZE: Final = "full"
NO_KEY: Final = "Missing API Key"
# Our code, or remove.bg's: CarveKit's words (its 4.1.2). Other errors have remove.bg's.
TITLES: Final[Mapping[str, str]] = {
    "auth_failed": NO_KEY,
    "missing_source": "File not found",
    "empty_image": "Empty image",
    "failed_to_read_image": "Error decode image!",
    "invalid_file_type": "Error decode image!",
    "invalid_image_url": "Invalid image url.",
    "failed_image_download": "Error download image!",
    "failed_bg_download": "Error download image!",
}


class ErrorItem(BaseModel):
    """One error: a title alone."""

    title: str


class ErrorAnswer(BaseModel):
    """CarveKit's error body; never empty, since clients read `errors[0]["title"]`."""

    errors: Annotated[list[ErrorItem], Field(min_length=1)]


def parse_options(given: Mapping[str, object]) -> RemoveBgOptions:
    """Return the options that the fields mean; unknown fields are ignored. Raises `RemoveBgError`."""
    return removebg.parse_options(given, DEFAULT_SIZE)


def error_body(error: ServiceError, max_bytes: int) -> tuple[int, ErrorAnswer]:
    """Return the HTTP status and the body for one of our errors; `max_bytes` is the largest file allowed."""
    status, body = removebg_errors.error_body(error, max_bytes)
    (item,) = body.errors
    title = TITLES.get(error.code) or TITLES.get(item.code) or f"{item.title}: {item.detail}"
    return status, ErrorAnswer(errors=[ErrorItem(title=title)])
