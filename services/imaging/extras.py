"""Makes the files that pages show beside a result: its matte, and a small picture of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.imaging.blend import resize, resize_cutout
from services.imaging.compose import Canvas
from services.imaging.encode import encode
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.options import Options
from services.imaging.png import write_png
from services.imaging.rasters import Matte

# px; the longer side of a preview.
PREVIEW_SIDE: Final = 320
# Pixels across that the mean of a preview's pixel is taken of: more would only cost memory.
SAMPLES: Final = 4


@dataclass
class Extras:
    """Files that come with a result; empty until the pipeline fills them, for an animation from its first frame.

    `mask` is the matte in the upright photo's size, an 8-bit grey PNG, as `output=mask` gives it; `preview` is the
    result as WebP of at most `PREVIEW_SIDE` px. `on_frame` is called as the work on an animation goes on: with the
    number of frames done, and of all; each pass over the frames counts.
    """

    mask: bytes = b""
    preview: bytes = b""
    on_frame: Callable[[int, int], None] = lambda _done, _all: None

    def fill(self, matte: Matte, canvas: Canvas) -> None:
        """Encode both files."""
        self.mask = write_png(matte)
        self.preview = encode(shrunk(canvas), Options(format=Format.WEBP))


def shrunk(canvas: Canvas) -> Canvas:
    """Return the canvas with a longer side of at most `PREVIEW_SIDE` px; never enlarged."""
    side = max(canvas.width, canvas.height)
    if side <= PREVIEW_SIDE:
        return canvas
    size = (
        max(1, round(canvas.width * PREVIEW_SIDE / side)),
        max(1, round(canvas.height * PREVIEW_SIDE / side)),
    )
    step = max(1, min(side // (PREVIEW_SIDE * SAMPLES), *canvas.pixels.shape[:2]))
    pixels = np.ascontiguousarray(canvas.pixels[::step, ::step])
    if canvas.alpha is None:
        return Canvas(np.asarray(resize(pixels, size), dtype=np.uint8), None, Box(0, 0, 0, 0))
    alpha = np.ascontiguousarray(canvas.alpha[::step, ::step])
    return Canvas(*resize_cutout(pixels, alpha, size), Box(0, 0, 0, 0))
