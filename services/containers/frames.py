"""The frames of an animation as its file describes them."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from services.containers.errors import CorruptImage


class Disposal(StrEnum):
    """What becomes of a frame's place before the next frame: it stays, is cleared, or gets back what was there."""

    KEEP = "keep"
    CLEAR = "clear"
    RESTORE = "restore"


@dataclass(frozen=True)
class Frame:
    """A frame: its place on the canvas in px, its duration in seconds, and where its bytes are in the file.

    With `blends` its transparent pixels show what is under them; without, it replaces what is in its place.
    """

    left: int
    top: int
    width: int
    height: int
    duration: Fraction
    disposal: Disposal
    blends: bool
    parts: tuple[slice, ...]


@dataclass(frozen=True)
class Head:
    """The canvas's size in px, how often the animation plays (0: for ever), and what all frames' files begin with."""

    width: int
    height: int
    plays: int
    common: bytes = b""


def cut_off(frame: int) -> CorruptImage:
    """Return the error of a file that ends too early; frames count from 1."""
    return CorruptImage(f"the file is cut off inside frame {frame}")


def check_place(frame: Frame, head: Head, number: int) -> None:
    """Raise `CorruptImage` for a frame that is empty or exceeds the canvas."""
    right, bottom = frame.left + frame.width, frame.top + frame.height
    if not (frame.width and frame.height and right <= head.width and bottom <= head.height):
        raise CorruptImage(
            f"frame {number} covers {frame.width}×{frame.height} px at {frame.left}, {frame.top}; "
            f"the canvas has {head.width}×{head.height}"
        )
