"""Parses callers' values: booleans, numbers, words, formats, colours and canvases."""

import re
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any, Final, NamedTuple

from PIL import ImageColor
from pydantic import BeforeValidator

from services.imaging.formats import Format, usable_formats

Colour = tuple[int, int, int, int]
"""Red, green, blue, alpha, each 0 to 255, not premultiplied."""


class Gradient(NamedTuple):
    """Two opaque colours and the direction from the first to the second: degrees clockwise from upwards, as in CSS."""

    degrees: float
    first: Colour
    second: Colour


class CanvasSize(NamedTuple):
    """The size of a canvas in px or, where `ratio` is set, only its aspect ratio."""

    width: float
    height: float
    ratio: bool


class Detail(StrEnum):
    """Whether the model looks a second time, at the subject alone."""

    AUTO = "auto"
    OFF = "off"
    ALWAYS = "always"


class Enlarge(StrEnum):
    """Whether a subject that is smaller than its share of the canvas is enlarged."""

    NEVER = "never"
    ALWAYS = "always"


class Output(StrEnum):
    """The content of a result: the subject, or its mask."""

    CUTOUT = "cutout"
    MASK = "mask"


class Edges(StrEnum):
    """How the model's small mask becomes a matte of the photo's size."""

    SOFT = "soft"
    REFINED = "refined"
    MATTING = "matting"


class Shadow(StrEnum):
    """The shadow of the subject: a soft copy of it, or darkness where it touches the ground."""

    NONE = "none"
    DROP = "drop"
    CONTACT = "contact"


# Bounds of a canvas: px of a side, and the longer side divided by the shorter.
MAX_CANVAS_SIDE: Final = 16384
MAX_RATIO: Final = 10
TRUE: Final = frozenset({"true", "1", "yes", "on"})
FALSE: Final = frozenset({"false", "0", "no", "off"})
BOOLEAN_WORDS: Final = "true, false, 1, 0, yes, no, on, off"
WORDS: Final[Mapping[str, str]] = {
    "background": "hex of 3, 4, 6 or 8 digits with or without '#' (as ff8800 or #f80), or a CSS colour name",
    "background_gradient": "'degrees colour colour', as '90 #fff #ddd': 0 to 360, and two opaque colours",
    "canvas": "'width height' in px, as '1000 1000' or 1000x1000, each from 1 to 16384; or a ratio from 1:10 to 10:1",
    "crop_margin": "one, two or four of 30px, 10% or 0, as in CSS",
    "scale": "10% to 100%, or original",
    "position": "original, center, 'n%' or 'x% y%' with 0% to 100%",
    "roi": "'x1 y1 x2 y2', each as 30px, 10% or 0, inside the image and not empty",
}


def parse_bool(value: object) -> bool:
    """Parse one of `BOOLEAN_WORDS` in any case, or a boolean. Raises ValueError."""
    if isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text not in TRUE | FALSE:
        raise ValueError("neither true nor false")
    return text in TRUE


def parse_colour(value: object) -> Colour:
    """Parse a colour from hex (3, 4, 6 or 8 digits, with or without '#') or a CSS name. Raises ValueError."""
    if isinstance(value, tuple) and len(value) == 4 and all(type(v) is int and 0 <= v <= 255 for v in value):
        return value
    if not isinstance(value, str):
        raise ValueError("not a colour")  # noqa: TRY004 - pydantic collects ValueError
    text = value.strip().lower()
    if text == "transparent":
        return (0, 0, 0, 0)
    named = ImageColor.colormap.get(text)
    # Pillow caches a looked-up colour in this form.
    if isinstance(named, tuple):
        return named[0], named[1], named[2], 255
    digits = (named or text).removeprefix("#")
    if not re.fullmatch(r"[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8}", digits, re.ASCII):
        raise ValueError("not a colour")
    if len(digits) < 6:
        digits = "".join(d * 2 for d in digits)
    red, green, blue, alpha = bytes.fromhex(digits.ljust(8, "f"))
    return red, green, blue, alpha


def parse_gradient(value: object) -> Gradient:
    """Parse `90 #fff #ddd`: degrees from 0 to 360 and two opaque colours. Raises ValueError."""
    if isinstance(value, Gradient):
        return value
    words = value.split() if isinstance(value, str) else []
    if len(words) != 3 or not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,9})?(deg)?", words[0], re.ASCII):
        raise ValueError("not a gradient")
    degrees, first, second = float(words[0].removesuffix("deg")), parse_colour(words[1]), parse_colour(words[2])
    if degrees > 360 or first[3] != 255 or second[3] != 255:
        raise ValueError("not a gradient")
    return Gradient(degrees, first, second)


def parse_canvas(value: object) -> CanvasSize:
    """Parse `1000 1000` or `1000x1000` (px), or a ratio such as `4:5`. Raises ValueError."""
    if isinstance(value, CanvasSize):
        return value
    text = value.strip(" ").lower() if isinstance(value, str) else ""
    if sides := re.fullmatch(r"([0-9]{1,5})(?:px)?(?: +| *[x×] *)([0-9]{1,5})(?:px)?", text, re.ASCII):
        width, height = int(sides[1]), int(sides[2])
        if not 1 <= min(width, height) <= max(width, height) <= MAX_CANVAS_SIDE:
            raise ValueError("not a canvas")
        return CanvasSize(width, height, ratio=False)
    sides = re.fullmatch(r"([0-9]{1,5}(?:\.[0-9]{1,4})?) *: *([0-9]{1,5}(?:\.[0-9]{1,4})?)", text, re.ASCII)
    across, down = (float(sides[1]), float(sides[2])) if sides else (0.0, 0.0)
    if not min(across, down) > 0 or max(across, down) > MAX_RATIO * min(across, down):
        raise ValueError("not a canvas")
    return CanvasSize(across, down, ratio=True)


def parse_number(value: object) -> object:
    """Convert text of plain ASCII digits to a number; other texts that Python would take ('４', '1_0', 'nan') are
    refused.
    """
    if isinstance(value, bool):
        raise ValueError("a number, not a boolean")  # noqa: TRY004 - pydantic collects ValueError
    if isinstance(value, str):
        text = value.strip(" ")
        if not re.fullmatch(r"[+-]?[0-9]{1,12}(\.[0-9]{1,12})?", text, re.ASCII):
            raise ValueError("not a number")
        return float(text) if "." in text else int(text)
    return value


def parse_word(value: object) -> object:
    """Strip a text and lower its case; other values pass unchanged."""
    return value.strip().lower() if isinstance(value, str) else value


def parse_format(value: object) -> object:
    """Parse the name of a format; jpg means jpeg. Raises ValueError for AVIF where Pillow cannot write it."""
    name = "jpeg" if parse_word(value) == "jpg" else parse_word(value)
    if name == Format.AVIF and Format.AVIF not in usable_formats():
        raise ValueError("this server's Pillow can't write AVIF")
    return name


def read_with(parse: Callable[[object], object]) -> BeforeValidator:
    """Read an option's text with `parse`; None stays None."""
    return BeforeValidator(lambda value: value if value is None else parse(value), json_schema_input_type=str)


def text_examples(*examples: str) -> dict[str, Any]:
    """Return the schema keys of a short text option with these examples."""
    return {"maxLength": 64, "examples": list(examples)}


Number = BeforeValidator(parse_number)
Bool = BeforeValidator(parse_bool)
