"""rembg's parameters in our options."""

import pytest

from services.dialects.rembg import parse_options
from services.errors import BadOption, ModelNotFound
from services.imaging.options import Edges, Output
from services.imaging.prompt import Mark


def test_absent_empty_and_unknown_parameters_give_the_defaults() -> None:
    options = parse_options({})
    assert (options.output, options.edges, options.smooth, options.background) == (
        Output.CUTOUT, Edges.REFINED, False, None,
    )  # fmt: skip
    assert options.keep_alpha
    assert parse_options({"model": "", "bgc": "", "af": "", "whatever": "1"}) == options


def test_alpha_matting_keeps_a_post_processed_matte_soft() -> None:
    assert parse_options({"a": "true"}).edges is Edges.MATTING
    assert parse_options({"ppm": "true"}).smooth
    assert not parse_options({"ppm": "true", "a": "true"}).smooth
    mask = parse_options({"ppm": "true", "a": "true", "om": "true"})
    assert (mask.output, mask.smooth) == (Output.MASK, True)


@pytest.mark.parametrize(
    ("text", "colour"), [("1,2,3", (1, 2, 3, 255)), (" 1, 2 ,3,4", (1, 2, 3, 4)), ("255,255,255,0", (255, 255, 255, 0))]
)
def test_background_colour_is_read(text: str, colour: tuple[int, ...]) -> None:
    assert parse_options({"bgc": text}).background == colour


def test_sam_prompt_is_read_without_the_label_of_its_rectangle() -> None:
    extras = (
        '{"sam_prompt": [{"type": "point", "data": [5, 6], "label": 0},'
        ' {"type": "rectangle", "data": [1, 2, 3, 4], "label": 1}]}'
    )
    assert parse_options({"extras": extras}).prompt == (Mark(5, 6, 0), Mark(1, 2, 2), Mark(3, 4, 3))
    assert parse_options({"extras": extras.replace('{"sam', '{"path": 1, "sam', 1)}).prompt is not None


@pytest.mark.parametrize("extras", ["{}", "{", "[]", "null", "no json", '{"model_path": "/x"}'])
def test_extras_without_a_prompt_are_ignored(extras: str) -> None:
    assert parse_options({"extras": extras}).prompt is None


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("vm", "true"), ("a", "perhaps"), ("af", "256"), ("ab", "-1"), ("ae", "-1"),
        ("bgc", "1,2"), ("bgc", "1,2,256"), ("bgc", "#ffffff"), ("bgc", "1,2,3,4,5"),
        ("extras", '{"sam_prompt": 1}'), ("extras", '{"sam_prompt": [1]}'),
        ("extras", '{"sam_prompt": [{"type": "point", "data": [1]}]}'),
    ],
)  # fmt: skip
def test_bad_value_is_refused_under_rembgs_own_name(name: str, value: str) -> None:
    with pytest.raises(BadOption) as refused:
        parse_options({name: value})
    assert (refused.value.option, refused.value.value) == (name, value)


def test_remote_model_is_not_found() -> None:
    with pytest.raises(ModelNotFound, match="another company's servers"):
        parse_options({"model": "withoutbg"})
