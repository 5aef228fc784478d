"""withoutBG's query, bodies and errors."""

import pytest

from services.dialects.withoutbg import cloud_error_body, error_body, parse_options
from services.errors import BadOption, MethodNotAllowed, MissingImage, NotFound
from services.imaging.options import Output


@pytest.mark.parametrize(
    ("query", "output"),
    [
        ({}, Output.CUTOUT), ({"output": ""}, Output.CUTOUT), ({"output": "cutout"}, Output.CUTOUT),
        ({"output": "processed", "x": "y"}, Output.CUTOUT), ({"output": "matte"}, Output.MASK),
    ],
)  # fmt: skip
def test_output_is_the_cut_out_or_its_matte(query: dict[str, str], output: Output) -> None:
    assert parse_options(query).output is output


def test_other_output_is_refused() -> None:
    with pytest.raises(BadOption, match="output is 'mask'; allowed: cutout, processed, matte"):
        parse_options({"output": "mask"})


def test_error_is_a_text_whose_key_depends_on_what_raised_it() -> None:
    status, body = error_body(MissingImage("no field"), 1)
    assert (status, body.model_dump()) == (400, {"error": "No image was sent: no field"})
    for error in (NotFound("x"), MethodNotAllowed("x")):
        assert list(error_body(error, 1)[1].model_dump()) == ["detail"]
    assert cloud_error_body(MissingImage(), 1)[1].model_dump() == dict.fromkeys(
        ("detail", "error"), "No image was sent"
    )
