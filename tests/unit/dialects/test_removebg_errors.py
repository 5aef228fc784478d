"""Our errors in the codes, statuses and titles of remove.bg's API."""

import pytest

from services.containers.errors import CorruptImage
from services.dialects.removebg_errors import RemoveBgError, download_error, error_body
from services.errors import BadKey, BadOption, Busy, ServiceError, UploadTooLarge
from services.imaging.errors import ImageTooSmall, NoSubject, RegionOutOfBounds
from services.net.errors import BadURL, ForbiddenSource, SourceFailed


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (BadKey(), 403, "auth_failed"),
        (NoSubject(), 400, "unknown_foreground"),
        (Busy(), 503, "busy"),
        (RemoveBgError("invalid_size", "Invalid size"), 400, "invalid_size"),
        (RegionOutOfBounds("roi", "0 0 9 9", "inside"), 400, "roi_exceeds_bounds"),
        (BadOption("roi", "0 0 0 0", "a box"), 400, "roi_region_empty"),
        (BadOption("format", "webp", "png"), 400, "invalid_format"),
    ],
)
def test_error_has_the_status_and_code_of_that_api(error: ServiceError, status: int, code: str) -> None:
    found, body = error_body(error, 1)
    assert (found, [item.code for item in body.errors]) == (status, [code])


@pytest.mark.parametrize(
    ("error", "title", "detail"),
    [
        (CorruptImage("x"), "There was an error reading the image.", "x"),
        (
            ImageTooSmall("4×4"), "Failed to read image dimensions",
            "The dimensions of the given image could not be read.",
        ),
        (
            RegionOutOfBounds("roi", "0 0 9 9", "inside"), "ROI exceeds image bounds",
            "The given roi parameter defines a region that exceeds the image bounds",
        ),
        (
            BadOption("roi", "0 0 0 0", "a box"), "ROI region is empty",
            "The given roi parameter defines an empty region",
        ),
    ],
)  # fmt: skip
def test_error_has_the_words_of_that_api(error: ServiceError, title: str, detail: str) -> None:
    (item,) = error_body(error, 1)[1].errors
    assert (item.title, item.detail) == (title, detail)


def test_unknown_error_keeps_its_code_and_loses_an_unknown_status() -> None:
    class Odd(ServiceError):
        code, status, message = "odd", 415, "Odd"

    status, body = error_body(Odd("found this"), 1)
    assert (status, body.errors[0].model_dump()) == (400, {"title": "Odd", "code": "odd", "detail": "found this"})


def test_error_without_details_shows_its_solution() -> None:
    assert error_body(Busy(), 1)[1].errors[0].detail == Busy.solution


def test_too_large_file_names_the_limit_in_megabytes() -> None:
    _, body = error_body(UploadTooLarge("secret"), 22 * 1024 * 1024 + 512 * 1024)
    assert body.errors[0].detail == "File exceeds limit of 22.5MB"


@pytest.mark.parametrize(
    ("error", "field", "code", "title"),
    [
        (BadURL("odd"), "image_url", "invalid_image_url", "Invalid image_url: Please provide a valid URL."),
        (BadURL("odd"), "bg_image_url", "invalid_bg_image_url", "Invalid bg_image_url: Please provide a valid URL."),
        (
            SourceFailed(status=404), "image_url", "failed_image_download",
            "Failed to download image from given image_url: HTTP Status 404",
        ),
        (
            ForbiddenSource("closed"), "bg_image_url", "failed_bg_download",
            "Failed to download background image from given image_url: https://a.example/b.jpg",
        ),
    ],
)  # fmt: skip
def test_failed_fetch_names_the_field_of_the_url(error: ServiceError, field: str, code: str, title: str) -> None:
    found = download_error(error, field, "https://a.example/b.jpg")
    assert isinstance(found, RemoveBgError)
    assert (found.removebg_code, found.title) == (code, title)
