"""Writes animated PNG (PNG specification, third edition, 11.3.2.10); each frame is encoded as a still PNG is."""

import struct
from fractions import Fraction
from typing import Final

from services.containers.apng import CHECKSUM, CONTENT, CONTROL, SIGNATURE, png_chunk, png_chunks
from services.imaging.animation.changes import Changes, part_of_canvas
from services.imaging.compose import Canvas
from services.imaging.options import Options
from services.imaging.png import write_png

# The largest numerator and denominator of a duration.
MOST: Final = 65535
KEEP, REPLACE = 0, 0
MAX_PLAYS: Final = (1 << 31) - 1


class ApngWriter:
    """Writes frames without loss."""

    def __init__(self, options: Options, count: int, plays: int) -> None:
        self._dpi, self._count, self._plays = options.dpi, count, plays
        self._changes, self._sequence = Changes(), 0
        self._chunks: list[bytes] = [SIGNATURE]

    def add(self, canvas: Canvas, duration: Fraction) -> None:
        """Encode what the canvas changes."""
        first, box = len(self._chunks) == 1, self._changes.of(canvas)
        part = part_of_canvas(canvas, box)
        file = write_png(part.pixels, part.alpha, self._dpi if first else None)
        delay = seconds_in(duration)
        control = (box.width, box.height, box.left, box.top, delay.numerator, delay.denominator, KEEP, REPLACE)
        control_chunk = png_chunk(b"fcTL", CONTROL.pack(self._next(), *control))
        for name, place in png_chunks(file):
            if name == b"IDAT":
                # In front of the frame's first data.
                self._chunks.append(control_chunk)
                control_chunk = b""
                content = file[place.start + CONTENT : place.stop - CHECKSUM]
                number = b"" if first else struct.pack(">I", self._next())
                self._chunks.append(file[place] if first else png_chunk(b"fdAT", number + content))
            elif first and name != b"IEND":
                self._chunks.append(file[place])
                if name == b"IHDR":
                    plays = min(self._plays, MAX_PLAYS)
                    self._chunks.append(png_chunk(b"acTL", struct.pack(">II", self._count, plays)))

    def finish(self) -> bytes:
        """Return the file."""
        return b"".join([*self._chunks, png_chunk(b"IEND", b"")])

    def _next(self) -> int:
        self._sequence += 1
        return self._sequence - 1


def seconds_in(duration: Fraction) -> Fraction:
    """Return the nearest duration that a PNG can hold, in seconds."""
    if duration >= MOST:
        return Fraction(MOST)
    # A numerator is the larger one from a second on.
    return duration.limit_denominator(MOST if duration < 1 else int(MOST / duration))
