"""Boxes and lengths: how callers write them (`10%`, `30px`, `x1 y1 x2 y2`), and their px on a picture."""

import math
import re
from typing import Final, Literal, NamedTuple

LENGTH: Final = re.compile(r"\+?([0-9]{1,9}(?:\.[0-9]{1,9})?)(px|%)?", re.ASCII)
MARGIN_SHARE: Final = 0.5  # of the subject's side, at most
MARGIN_PX: Final = 500


class Box(NamedTuple):
    """A rectangle in px; it is empty when `width` or `height` is 0."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.left + self.width

    @property
    def bottom(self) -> int:
        return self.top + self.height

    @property
    def empty(self) -> bool:
        return self.width <= 0 or self.height <= 0

    def within(self, other: "Box") -> "Box":
        """Return the part of this box inside the other one; empty where there is none."""
        left, top = max(self.left, other.left), max(self.top, other.top)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        return Box(left, top, max(0, right - left), max(0, bottom - top))

    def around(self, other: "Box") -> "Box":
        """Return the smallest box that holds both."""
        left, top = min(self.left, other.left), min(self.top, other.top)
        return Box(left, top, max(self.right, other.right) - left, max(self.bottom, other.bottom) - top)

    def grown(self, top: int, right: int, bottom: int, left: int) -> "Box":
        return Box(self.left - left, self.top - top, self.width + left + right, self.height + top + bottom)

    def moved(self, right: int, down: int) -> "Box":
        return Box(self.left + right, self.top + down, self.width, self.height)

    @property
    def slices(self) -> tuple[slice, slice]:
        """Return the rows and columns of an array that this box covers."""
        return slice(self.top, self.bottom), slice(self.left, self.right)


class Length(NamedTuple):
    """A number of px, or of hundredths of a whole (`unit` "%")."""

    value: float
    unit: str

    def px(self, whole: int) -> float:
        return self.value if self.unit == "px" else self.value / 100 * whole


class OutOfBounds(ValueError):
    """A rectangle exceeds its picture."""


Margin = tuple[Length, Length, Length, Length]
"""Top, right, bottom, left, as in CSS."""
Corners = tuple[Length, Length, Length, Length]
"""x1, y1, x2, y2."""
Shares = tuple[float, float]
"""Of the free space, how much is left of the subject, and how much above it: 0 to 100 each."""


def parse_margin(value: object) -> Margin:
    """Parse one, two (top and bottom, left and right) or four (top, right, bottom, left) lengths. Raises ValueError."""
    found = _lengths(value)
    if len(found) == 1:
        return found[0], found[0], found[0], found[0]
    if len(found) == 2:
        return found[0], found[1], found[0], found[1]
    if len(found) == 4:
        return found[0], found[1], found[2], found[3]
    raise ValueError("not one, two or four lengths")


def parse_corners(value: object) -> Corners:
    """Parse four lengths. Raises ValueError."""
    found = _lengths(value)
    if len(found) != 4:
        raise ValueError("not four lengths")
    return found[0], found[1], found[2], found[3]


def parse_position(value: object) -> Shares | Literal["original"]:
    """Parse `original`, `center`, `n%` or `x% y%`. Raises ValueError."""
    text = value.strip().lower() if isinstance(value, str) else value
    if text == "original":
        return "original"
    if text == "center":
        return 50.0, 50.0
    found = _lengths(text)
    shares = [length.value for length in found if length.unit == "%" or length.value == 0]
    if len(shares) != len(found) or len(shares) > 2 or max(shares) > 100:
        raise ValueError("not a position")
    return shares[0], shares[-1]


def parse_scale(value: object) -> float | None:
    """Parse a percentage from 10 to 100, with or without `%`; None for `original`. Raises ValueError."""
    if isinstance(value, str):
        if value.strip().lower() == "original":
            return None
        found = LENGTH.fullmatch(value.strip(" "))
        if not found or found[2] == "px":
            raise ValueError("not a percentage")
        value = float(found[1])
    if isinstance(value, bool) or not isinstance(value, int | float) or not 10 <= value <= 100:
        raise ValueError("not a percentage from 10 to 100")
    return float(value)


def margins(margin: Margin, subject: Box) -> tuple[int, int, int, int]:
    """Return the top, right, bottom and left margin in px: each at most half of the subject's side, and 500 px."""
    sides = (subject.height, subject.width, subject.height, subject.width)
    top, right, bottom, left = (
        round(min(length.px(side), MARGIN_SHARE * side, MARGIN_PX)) for length, side in zip(margin, sides, strict=True)
    )
    return top, right, bottom, left


def mapped(box: Box, source: Box, target: Box) -> Box:
    """Return a box's place when `source` becomes `target`."""
    across, down = target.width / source.width, target.height / source.height
    left, top = round((box.left - source.left) * across), round((box.top - source.top) * down)
    right, bottom = round((box.right - source.left) * across), round((box.bottom - source.top) * down)
    return Box(target.left + left, target.top + top, max(1, right - left), max(1, bottom - top))


def corners_box(corners: Corners, width: int, height: int) -> Box:
    """Return the rectangle on a picture of that size, in whole px (outwards).

    Raises `OutOfBounds`, and ValueError where it is empty.
    """
    x1, y1, x2, y2 = (length.px(side) for length, side in zip(corners, (width, height) * 2, strict=True))
    if max(x1, x2) > width or max(y1, y2) > height:
        raise OutOfBounds(f"the region exceeds the image's bounds ({width}×{height} px)")
    if x2 <= x1 or y2 <= y1:
        raise ValueError("the region is empty: x2 must be greater than x1, and y2 greater than y1")
    left, top = math.floor(x1), math.floor(y1)
    return Box(left, top, math.ceil(x2) - left, math.ceil(y2) - top)


def _lengths(value: object) -> list[Length]:
    """Parse lengths between spaces: `30px`, `10%`, and 0 without a unit."""
    if type(value) is int and value == 0:
        value = "0"
    if not isinstance(value, str):
        raise ValueError("not a text")  # noqa: TRY004 - pydantic collects ValueError
    found = [LENGTH.fullmatch(word.lower()) for word in value.strip(" ").split(" ") if word]
    if not found:
        raise ValueError("no length")
    lengths = []
    for match in found:
        if not match or (not match[2] and float(match[1])):
            raise ValueError("not a length")
        lengths.append(Length(float(match[1]), match[2] or "px"))
    return lengths
