"""Prompts: points and a box that select the subject, for the model `sam`."""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson

MAX_MARKS: Final = 32
MAX_CHARS: Final = 8192
ALLOWED: Final = (
    f"a JSON list of 1 to {MAX_MARKS} marks in px of the upright image, at most one of them a rectangle: "
    '[{"type": "point", "data": [x, y], "label": 1 (subject) or 0 (background)}, '
    '{"type": "rectangle", "data": [left, top, right, bottom]}]'
)


class Mark(NamedTuple):
    """A point in px, with its label in Segment Anything's numbers: 0 background, 1 subject, 2 and 3 a box's top left
    and bottom right corner.
    """

    x: float
    y: float
    label: int


Prompt = tuple[Mark, ...]


def parse_prompt(value: object) -> Prompt:
    """Parse marks from JSON text, or from its value. Raises `ValueError`."""
    if isinstance(value, tuple) and value and all(isinstance(mark, Mark) for mark in value):
        return value
    if isinstance(value, str):
        if len(value) > MAX_CHARS:
            raise ValueError("too long")
        value = orjson.loads(value)
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_MARKS:
        raise ValueError("not a list of marks")
    found = tuple(mark for item in value for mark in _marks(item))
    if sum(mark.label == 2 for mark in found) > 1:
        raise ValueError("more than one rectangle")
    return found


def outside(prompt: Prompt, width: int, height: int) -> Mark | None:
    """Return the first mark outside a picture of that size; None when all are inside."""
    return next((mark for mark in prompt if not (0 <= mark.x <= width and 0 <= mark.y <= height)), None)


def scaled(prompt: Prompt, across: float, down: float) -> Prompt:
    """Return the prompt in a picture that was resized by these factors."""
    return tuple(Mark(mark.x * across, mark.y * down, mark.label) for mark in prompt)


def moved(prompt: Prompt | None, right: float, down: float) -> Prompt | None:
    """Return the prompt moved by this many px; None stays None."""
    return None if prompt is None else tuple(Mark(mark.x + right, mark.y + down, mark.label) for mark in prompt)


def _marks(item: object) -> list[Mark]:
    if not isinstance(item, Mapping):
        raise ValueError("a mark is an object")  # noqa: TRY004 - pydantic collects ValueError
    kind, data = item.get("type"), item.get("data")
    if kind == "point" and set(item) <= {"type", "data", "label"}:
        x, y = _numbers(data, 2)
        label = item.get("label", 1)
        if type(label) is not int or label not in (0, 1):
            raise ValueError("a label is 0 or 1")
        return [Mark(x, y, label)]
    if kind == "rectangle" and set(item) <= {"type", "data"}:
        left, top, right, bottom = _numbers(data, 4)
        if not (left < right and top < bottom):
            raise ValueError("a rectangle is left, top, right, bottom")
        return [Mark(left, top, 2), Mark(right, bottom, 3)]
    raise ValueError("a mark is a point or a rectangle")


def _numbers(data: Any, count: int) -> list[float]:
    if not isinstance(data, list) or len(data) != count or not all(type(n) in (int, float) for n in data):
        raise ValueError(f"data are {count} numbers")
    if not all(abs(n) <= 1e6 for n in data):  # NaN is not, either
        raise ValueError("too large")
    return [float(n) for n in data]
