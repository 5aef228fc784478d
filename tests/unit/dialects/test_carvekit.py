"""CarveKit's default size and error body."""

from services.dialects.carvekit import error_body, parse_options
from services.errors import BadKey, MissingKey, all_errors
from tests.support.samples import sample


def test_size_is_full_by_default() -> None:
    assert parse_options({}).options.max_pixels == 25_000_000
    assert parse_options({"size": "preview"}).options.max_pixels == 250_000


def test_error_is_a_title_alone() -> None:
    status, body = error_body(MissingKey(), 1)
    assert (status, body.model_dump()) == (403, {"errors": [{"title": "Missing API Key"}]})
    assert error_body(BadKey(), 1)[0] == 403
    for error in all_errors():
        assert error_body(sample(error), 1)[1].errors[0].title
