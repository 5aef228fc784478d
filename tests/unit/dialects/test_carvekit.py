"""CarveKit's default size and error body."""

import pytest

from services.containers.errors import CorruptImage
from services.dialects.carvekit import error_body, parse_options
from services.dialects.removebg_errors import RemoveBgError, download_error
from services.errors import BadKey, EmptyImage, MissingKey, ServiceError, all_errors
from services.net.errors import BadURL, SourceFailed
from tests.support.samples import sample


def test_size_is_full_by_default() -> None:
    assert parse_options({}).options.max_pixels == 25_000_000
    assert parse_options({"size": "preview"}).options.max_pixels == 250_000


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (MissingKey(), 403, "Missing API Key"),
        (BadKey(), 403, "Missing API Key"),
        (RemoveBgError("missing_source", "No image given"), 400, "File not found"),
        (EmptyImage(), 400, "Empty image"),
        (CorruptImage("x"), 400, "Error decode image!"),
        (download_error(BadURL("x"), "image_url"), 400, "Invalid image url."),
        (download_error(SourceFailed(status=404), "bg_image_url"), 400, "Error download image!"),
        (RemoveBgError("invalid_size", "Invalid size", "found x"), 400, "Invalid size: found x"),
    ],
)
def test_error_is_only_a_title(error: ServiceError, status: int, title: str) -> None:
    found, body = error_body(error, 1)
    assert (found, body.model_dump()) == (status, {"errors": [{"title": title}]})


def test_every_error_has_a_title() -> None:
    for error in all_errors():
        assert error_body(sample(error), 1)[1].errors[0].title
