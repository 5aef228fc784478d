"""Parses callers' values: booleans and colours."""

import re
from typing import Final

from PIL import ImageColor

Colour = tuple[int, int, int, int]
"""Red, green, blue, alpha, each 0 to 255, not premultiplied."""

TRUE: Final = frozenset({"true", "1", "yes", "on"})
FALSE: Final = frozenset({"false", "0", "no", "off"})
BOOLEAN_WORDS: Final = "true, false, 1, 0, yes, no, on, off"


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
