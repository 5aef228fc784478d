"""remove.bg's API, version 1.0: its way to say what went wrong. `errors` is never empty, and holds texts alone: its
clients read `errors[0]["title"]`, and some join all of its values."""

from collections.abc import Mapping
from typing import Any, Final

from services.capacity.resources import MIB
from services.errors import BadOption, ServiceError
from services.imaging.errors import RegionOutOfBounds
from services.net.errors import SourceFailed

# Our code: that API's status, code and title. What is not here keeps its own code, with a status that API knows.
KNOWN: Final[Mapping[str, tuple[int, str, str]]] = {
    "missing_key": (403, "auth_failed", "Missing API Key"),
    "bad_key": (403, "auth_failed", "API Key invalid"),
    "forbidden": (403, "auth_failed", "API Key invalid"),
    "rate_limited": (429, "rate_limit_exceeded", "Rate limit exceeded"),
    "upload_too_large": (400, "file_too_large", "File too large"),
    "unsupported_format": (400, "invalid_file_type", "Invalid file type"),
    "too_many_pixels": (400, "resolution_too_high", "Image resolution too high"),
    "image_too_small": (400, "invalid_dimensions", "Failed to read image dimensions"),
    "corrupt_image": (400, "failed_to_read_image", "Failed to read image"),
    "empty_image": (400, "failed_to_read_image", "Failed to read image"),
    "bad_base64": (400, "failed_to_read_image", "Failed to read image"),
    "no_subject": (
        400,
        "unknown_foreground",
        "Could not identify foreground in image. For details and recommendations see /docs",
    ),
    "bad_option": (400, "invalid_format", "Invalid format parameter given"),  # it can't hold a picture so large
}
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


def envelope(error: ServiceError, max_bytes: int) -> tuple[int, dict[str, Any]]:
    """HTTP status and body for one of our errors; `max_bytes` is what a file may have."""
    if isinstance(error, RemoveBgError):
        status, code, title = error.status, error.removebg_code, error.title
    elif isinstance(error, RegionOutOfBounds):
        status, code, title = 400, "roi_exceeds_bounds", "ROI exceeds the image's bounds"
    elif isinstance(error, BadOption) and error.option == "roi":
        status, code, title = 400, "roi_region_empty", "ROI region is empty"
    else:
        same = (400 if error.status in (401, 413, 415, 422) else error.status, error.code, error.message)
        status, code, title = KNOWN.get(error.code, same)
    detail = error.details
    if code == "file_too_large":
        detail = f"File exceeds limit of {round(max_bytes / MIB, 2):g}MB"
    detail = detail or error.solution
    return status, {"errors": [{"title": title, "code": code, "detail": detail}]}


def download_error(error: ServiceError, field: str) -> ServiceError:
    """The error of a fetch, as that of the field (`image_url` or `bg_image_url`) whose URL it was."""
    kind = FETCHING.get(error.code)
    background = field.startswith("bg_")
    if kind == "invalid":
        name = "invalid_bg_image_url" if background else "invalid_image_url"
        return RemoveBgError(name, f"Invalid {field}: Please provide a valid URL.", error.details)
    if kind == "failed":
        name = "failed_bg_download" if background else "failed_image_download"
        status = error.source_status if isinstance(error, SourceFailed) else None
        reason = f"HTTP Status {status}" if status else error.details
        return RemoveBgError(name, f"Failed to download image from given {field}: {reason}", error.details)
    return error
