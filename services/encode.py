"""A canvas becomes the bytes of an image file. No metadata of the input reaches the result."""

import io
from collections.abc import Mapping
from typing import Final

import cv2
from PIL import Image

from services.compose import Canvas
from services.errors import BadOption
from services.options import Format, Options
from services.png import write_png

MAX_SIDE: Final[Mapping[Format, int]] = {Format.WEBP: 16383, Format.JPEG: 65500}


def encode(canvas: Canvas, options: Options) -> bytes:
    """The canvas in `options.format`; `options.quality` counts for the lossy ones.

    Raises `BadOption` where the format can't hold a side so long.
    """
    side = max(canvas.width, canvas.height)
    limit = MAX_SIDE.get(options.format, side)
    if side > limit:
        raise BadOption(
            f"format is '{options.format}', which can't hold a side of {side} px (at most {limit}); "
            "allowed here: png, or a smaller max_width and max_height"
        )
    if options.format is Format.PNG:
        return write_png(canvas.pixels, canvas.alpha)
    out = io.BytesIO()
    if options.format is Format.WEBP:
        _image(canvas).save(out, "WEBP", quality=options.quality, method=2)
    else:
        _image(canvas).save(out, "JPEG", quality=options.quality, progressive=True, subsampling="4:2:0")
    return out.getvalue()


def _image(canvas: Canvas) -> Image.Image:
    if canvas.alpha is None:
        return Image.fromarray(canvas.pixels)
    rgba = cv2.cvtColor(canvas.pixels, cv2.COLOR_RGB2RGBA)
    return Image.fromarray(cv2.insertChannel(canvas.alpha, rgba, 3))
