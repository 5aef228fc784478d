"""CarveKit's API: remove.bg's parameters under other paths, with another default size and a shorter error body."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, Field

from services.dialects import removebg, removebg_errors
from services.dialects.removebg import RemoveBgOptions
from services.errors import ServiceError

DEFAULT_SIZE: Final = "full"


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
    return status, ErrorAnswer(errors=[ErrorItem(title=item.title) for item in body.errors])
