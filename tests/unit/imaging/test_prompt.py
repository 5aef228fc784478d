"""Prompts: parsing, moving and scaling."""

import json

import pytest

from services.imaging.prompt import MAX_CHARS, MAX_MARKS, Mark, moved, outside, parse_prompt, scaled

POINT = {"type": "point", "data": [10, 20.5]}
BOX = {"type": "rectangle", "data": [1, 2, 30, 40]}


def test_points_and_a_rectangle_become_marks() -> None:
    found = parse_prompt(json.dumps([POINT, {**POINT, "label": 0}, BOX]))
    assert found == (Mark(10, 20.5, 1), Mark(10, 20.5, 0), Mark(1, 2, 2), Mark(30, 40, 3))
    assert parse_prompt(found) is found


@pytest.mark.parametrize(
    "marks",
    [
        [],
        [POINT] * (MAX_MARKS + 1),
        [BOX, BOX],
        [{**POINT, "label": 2}],
        [{**POINT, "label": True}],
        [{**POINT, "colour": "red"}],
        [{**BOX, "label": 1}],
        [{"type": "rectangle", "data": [30, 2, 1, 40]}],
        [{"type": "point", "data": [1]}],
        [{"type": "point", "data": [1, "2"]}],
        [{"type": "point", "data": [1, float("nan")]}],
        [{"type": "point", "data": [1, 1e7]}],
        [{"type": "circle", "data": [1, 2]}],
        ["point"],
        {"0": POINT},
    ],
    ids=str,
)
def test_malformed_marks_are_refused(marks: object) -> None:
    with pytest.raises(ValueError):
        parse_prompt(marks)


def test_text_that_is_too_long_or_not_json_is_refused() -> None:
    assert parse_prompt(json.dumps([POINT]).ljust(MAX_CHARS))
    with pytest.raises(ValueError, match="too long"):
        parse_prompt(json.dumps([POINT]).ljust(MAX_CHARS + 1))
    with pytest.raises(ValueError):
        parse_prompt("[{]")


def test_first_mark_outside_the_picture_is_found() -> None:
    inside, right, above = Mark(10, 5, 1), Mark(10.5, 5, 1), Mark(3, -1, 0)
    assert outside((Mark(0, 0, 1), inside), 10, 5) is None
    assert outside((inside, right, above), 10, 5) is right
    assert outside((inside, above), 10, 5) is above


def test_prompt_is_scaled_and_moved_with_its_labels() -> None:
    prompt = (Mark(10, 20, 0), Mark(4, 8, 3))
    assert scaled(prompt, 0.5, 2) == (Mark(5, 40, 0), Mark(2, 16, 3))
    assert moved(prompt, -4, 1) == (Mark(6, 21, 0), Mark(0, 9, 3))
    assert moved(None, 1, 1) is None
