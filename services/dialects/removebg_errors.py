"""remove.bg's API, version 1.0: its error codes, titles and error body."""

from collections.abc import Mapping
from typing import Annotated, Final

from pydantic import BaseModel, Field

from services.capacity.resources import MIB
from services.errors import BadOption, ServiceError
from services.imaging.errors import RegionOutOfBounds
from services.net.errors import SourceFailed

UNREADABLE: Final = "There was an error reading the image."
# Our code: that API's status, code and title. Other errors keep their code, with a status that API knows.
KNOWN: Final[Mapping[str, tuple[int, str, str]]] = {
    "missing_key": (403, "auth_failed", "Missing API Key"),
    "bad_key": (403, "auth_failed", "API Key invalid"),
    "forbidden": (403, "auth_failed", "API Key invalid"),
    "rate_limited": (429, "rate_limit_exceeded", "Rate limit exceeded"),
    "monthly_quota_used_up": (402, "insufficient_credits", "Insufficient credits"),
    "upload_too_large": (400, "file_too_large", "File too large"),
    "unsupported_format": (400, "invalid_file_type", "Invalid file type"),
    "too_many_pixels": (400, "resolution_too_high", "Image resolution too high"),
    "image_too_small": (400, "invalid_dimensions", "Failed to read image dimensions"),
    "corrupt_image": (400, "failed_to_read_image", UNREADABLE),
    "empty_image": (400, "failed_to_read_image", UNREADABLE),
    "bad_base64": (400, "failed_to_read_image", UNREADABLE),
    "no_subject": (
        400,
        "unknown_foreground",
        "Could not identify foreground in image. For details and recommendations see /docs",
    ),
    # The only option that fails this late is a format that can't hold a picture of this size.
    "bad_option": (400, "invalid_format", "Invalid format parameter given"),
}
# Details in that API's own words, where it has fixed ones.
DETAILS: Final[Mapping[str, str]] = {
    "invalid_dimensions": "The dimensions of the given image could not be read.",
    "roi_exceeds_bounds": "The given roi parameter defines a region that exceeds the image bounds",
    "roi_region_empty": "The given roi parameter defines an empty region",
}
MAX_URL: Final = 500
FETCHING: Final[Mapping[str, str]] = {
    "bad_url": "invalid",
    "forbidden_source": "failed",
    "source_failed": "failed",
    "source_timeout": "failed",
}


class RemoveBgError(ServiceError):
    """A mistake that remove.bg's API has a code and a title for."""

    code, status = "bad_parameter", 400
    message = "A parameter has a value that is not allowed"
    solution = "Correct the parameter; the documentation of that API lists every one"

    def __init__(self, code: str, title: str, detail: str = "") -> None:
        super().__init__(detail)
        self.args = (code, title, detail)
        self.removebg_code, self.title = code, title


class ErrorItem(BaseModel):
    """One error; all values are texts, since some clients join them."""

    title: str
    code: str
    detail: str


class ErrorAnswer(BaseModel):
    """remove.bg's error body; never empty, since clients read `errors[0]["title"]`."""

    errors: Annotated[list[ErrorItem], Field(min_length=1)]


def error_body(error: ServiceError, max_bytes: int) -> tuple[int, ErrorAnswer]:
    """Return the HTTP status and the body for one of our errors; `max_bytes` is the largest file allowed."""
    if isinstance(error, RemoveBgError):
        status, code, title = error.status, error.removebg_code, error.title
    elif isinstance(error, RegionOutOfBounds):
        status, code, title = 400, "roi_exceeds_bounds", "ROI exceeds image bounds"
    elif isinstance(error, BadOption) and error.option == "roi":
        status, code, title = 400, "roi_region_empty", "ROI region is empty"
    else:
        same = (400 if error.status in (401, 413, 415, 422) else error.status, error.code, error.message)
        status, code, title = KNOWN.get(error.code, same)
    detail = DETAILS.get(code, error.details)
    if code == "file_too_large":
        detail = f"File exceeds limit of {round(max_bytes / MIB, 2):g}MB"
    return status, ErrorAnswer(errors=[ErrorItem(title=title, code=code, detail=detail or error.solution)])


def download_error(error: ServiceError, field: str, url: str = "") -> ServiceError:
    """Return a fetch's error as the error of the field (`image_url` or `bg_image_url`) that had the URL.

    The URL goes into the title alone, as that API has it: details are logged.
    """
    kind = FETCHING.get(error.code)
    background = field.startswith("bg_")
    if kind == "invalid":
        name = "invalid_bg_image_url" if background else "invalid_image_url"
        return RemoveBgError(name, f"Invalid {field}: Please provide a valid URL.", error.details)
    if kind == "failed":
        if background:
            title = f"Failed to download background image from given image_url: {url[:MAX_URL]}"
            return RemoveBgError("failed_bg_download", title, error.details)
        status = error.source_status if isinstance(error, SourceFailed) else None
        reason = f"HTTP Status {status}" if status else error.details
        title = f"Failed to download image from given {field}: {reason}"
        return RemoveBgError("failed_image_download", title, error.details)
    return error
