"""Writes GIF: up to 255 colours for each frame, and pixels that are there or not.

A subject leaves its place when it moves, and a GIF's frame can't take pixels away: so each frame is drawn whole and
cleared after it. Where a background makes all frames opaque, only what changes is written.
"""

import io
import struct
from fractions import Fraction
from typing import Final

import cv2
import numpy as np
from PIL import Image

from services.containers.gif import (
    APPLICATION,
    CONTROL,
    END,
    EXTENSION,
    HAS_TABLE,
    HUNDREDTHS,
    IMAGE,
    LOOPS,
    PLACE,
    SCREEN,
    SIGNATURE,
    gif_frames,
    gif_head,
)
from services.imaging.animation.changes import Changes, Ticks, part_of_canvas
from services.imaging.compose import Canvas
from services.imaging.geometry import Box
from services.imaging.rasters import Pixels
from services.imaging.region import visible_box

MAX_DURATION = MAX_REPEATS = 65535
# An alpha below this is transparent: a GIF has nothing in between.
HALF: Final = 128
COLOURS: Final = 255
# The colour table's last place is for transparent pixels.
HIDDEN: Final = 255
KEEPS, CLEARS, TRANSPARENT = 1 << 2, 2 << 2, 1


class GifWriter:
    """Writes frames with a colour table each."""

    def __init__(self, plays: int) -> None:
        self._plays = plays
        self._changes, self._ticks = Changes(), Ticks(HUNDREDTHS, MAX_DURATION)
        self._frames: list[bytes] = []
        self._size = (0, 0)

    def add(self, canvas: Canvas, duration: Fraction) -> None:
        """Encode the canvas's visible part, or what an opaque canvas changes."""
        self._size = (canvas.width, canvas.height)
        if canvas.alpha is None:
            box, bits = self._changes.of(canvas), KEEPS
        else:
            box, bits = visible_box(canvas.alpha, HALF - 1), CLEARS | TRANSPARENT
            box = Box(0, 0, 1, 1) if box.empty else box
        table, pixels = _picture(part_of_canvas(canvas, box))
        control = struct.pack("<BHB", bits, self._ticks.of(duration), HIDDEN)
        table_bits = HAS_TABLE | (len(table) // 3).bit_length() - 2
        place = PLACE.pack(box.left, box.top, box.width, box.height, table_bits)
        self._frames.append(
            bytes([EXTENSION, CONTROL, len(control)]) + control + bytes([0, IMAGE]) + place + table + pixels
        )

    def finish(self) -> bytes:
        """Return the file."""
        loop = b""
        if self._plays != 1:
            repeats = struct.pack("<BBHB", 3, 1, min(max(0, self._plays - 1), MAX_REPEATS), 0)
            loop = bytes([EXTENSION, APPLICATION, len(LOOPS[0])]) + LOOPS[0] + repeats
        return b"".join([SIGNATURE, SCREEN.pack(*self._size, 0, 0, 0), loop, *self._frames, bytes([END])])


def write_gif(canvas: Canvas) -> bytes:
    """Return a still picture."""
    writer = GifWriter(plays=1)
    writer.add(canvas, Fraction())
    return writer.finish()


def _picture(canvas: Canvas) -> tuple[bytes, bytes]:
    """Return a picture's colour table and its compressed pixels."""
    out = io.BytesIO()
    _with_table(canvas).save(out, "GIF", optimize=False, interlace=False)
    data = out.getvalue()
    frame = next(gif_frames(data))
    return gif_head(data).common, data[frame.parts[-1]]


def _with_table(canvas: Canvas) -> Image.Image:
    grey = canvas.pixels.ndim == 2
    colours = np.asarray(cv2.cvtColor(canvas.pixels, cv2.COLOR_GRAY2RGB) if grey else canvas.pixels, dtype=np.uint8)
    if canvas.alpha is None:
        return _quantised(colours)
    hidden = canvas.alpha < HALF
    if not hidden.all():
        # Hidden pixels must not take up colours.
        colours = np.asarray(np.where(hidden[..., None], colours[~hidden][0], colours), dtype=np.uint8)
    image = _quantised(colours)
    indices = np.where(hidden, np.uint8(HIDDEN), np.asarray(image))
    whole = Image.fromarray(indices, "P")
    table = image.getpalette() or []
    whole.putpalette(table + [0] * (3 * (HIDDEN + 1) - len(table)))
    return whole


def _quantised(colours: Pixels) -> Image.Image:
    # Without dithering, whose pattern would move from frame to frame.
    image = Image.fromarray(colours)
    return image.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
