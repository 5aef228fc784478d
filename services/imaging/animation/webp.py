"""Writes animated WebP: each frame is a WebP of its own in a chunk (WebP Container Specification, "Animation")."""

import struct
from fractions import Fraction
from typing import Final

from services.containers.webp import (
    ANIMATED,
    PICTURE,
    REPLACES,
    START,
    THOUSANDTHS,
    WITH_ALPHA,
    riff_chunk,
    riff_chunks,
    riff_file,
    three_bytes,
)
from services.imaging.animation.changes import Changes, Ticks, part_of_canvas
from services.imaging.compose import Canvas
from services.imaging.encode import check_side, density, encode
from services.imaging.options import Options

WITH_EXIF: Final = 0x08
# Places are counted in units of so many px.
UNIT: Final = 2
MAX_DURATION: Final = (1 << 24) - 1
MAX_PLAYS: Final = 65535
# The canvas behind the frames: transparent.
BEHIND: Final = b"\0\0\0\0"


class WebpWriter:
    """Writes frames as `encode` writes a still picture, with `options.quality`."""

    def __init__(self, options: Options, plays: int) -> None:
        self._options, self._plays = options.model_copy(update={"dpi": None}), plays
        self._exif = density(options.dpi).removeprefix(b"Exif\0\0")
        self._changes, self._ticks = Changes(UNIT), Ticks(THOUSANDTHS, MAX_DURATION)
        self._frames: list[bytes] = []
        self._size, self._flags = (0, 0), ANIMATED | (WITH_EXIF if self._exif else 0)

    def add(self, canvas: Canvas, duration: Fraction) -> None:
        """Encode what the canvas changes."""
        check_side(canvas, self._options)
        self._size = (canvas.width, canvas.height)
        self._flags |= WITH_ALPHA if canvas.alpha is not None else 0
        box = self._changes.of(canvas)
        file = encode(part_of_canvas(canvas, box), self._options)
        place = three_bytes(box.left // UNIT, box.top // UNIT, box.width - 1, box.height - 1, self._ticks.of(duration))
        found = riff_chunks(file, START, len(file))
        picture = b"".join(riff_chunk(name, file[part]) for name, part in found if name in PICTURE)
        self._frames.append(riff_chunk(b"ANMF", place + bytes([REPLACES]) + picture))

    def finish(self) -> bytes:
        """Return the file."""
        width, height = self._size
        extended = struct.pack("<I", self._flags) + three_bytes(width - 1, height - 1)
        controls = BEHIND + struct.pack("<H", min(self._plays, MAX_PLAYS))
        exif = [riff_chunk(b"EXIF", self._exif)] if self._exif else []
        return riff_file([riff_chunk(b"VP8X", extended), riff_chunk(b"ANIM", controls), *self._frames, *exif])
