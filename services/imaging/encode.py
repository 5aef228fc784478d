"""Encodes a canvas as an image file. Its only metadata are `dpi`; none of the input reaches the result."""

import io
import zipfile
from collections.abc import Mapping
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.ExifTags import Base
from PIL.TiffImagePlugin import IFDRational

from services.errors import BadOption
from services.imaging.animation.gif import write_gif
from services.imaging.blend import resize_cutout
from services.imaging.compose import Canvas
from services.imaging.formats import Format
from services.imaging.options import Options
from services.imaging.png import write_png
from services.imaging.rasters import Matte

# AVIF: libavif's own limit for decoding; no reader opens a larger picture.
MAX_SIDE: Final[Mapping[Format, int]] = {
    Format.WEBP: 16383, Format.JPEG: 65500, Format.ZIP: 65500, Format.AVIF: 32768, Format.GIF: 65535,
}  # fmt: skip
# Of 0 to 10: the slowest speed that costs less than WebP does here.
AVIF_SPEED: Final = 9
# The encoders' peak of bytes per pixel, as a multiple of a PNG removal's; measured.
MEMORY: Final[Mapping[Format, float]] = {Format.WEBP: 1.25, Format.AVIF: 1.5}
# EXIF's ResolutionUnit.
INCH: Final = 2
HIDDEN_BLOCK: Final = 16  # px
# The format's first: the same picture gives the same bytes.
ZIP_DATE: Final = (1980, 1, 1, 0, 0, 0)


def encode(canvas: Canvas, options: Options) -> bytes:
    """Encode the canvas in `options.format`; `options.quality` counts for the lossy formats.

    Raises `BadOption` where the format can't hold a side of this length.
    """
    check_side(canvas, options)
    if options.format is Format.PNG:
        return write_png(canvas.pixels, canvas.alpha, options.dpi)
    if options.format is Format.GIF:
        return write_gif(canvas)
    if options.format is Format.ZIP:
        return _zip(canvas, options)
    if options.format is Format.JPEG:
        return _jpeg(canvas.pixels, options)
    out = io.BytesIO()
    image = _image(canvas)
    exif = density(options.dpi)
    if options.format is Format.WEBP:
        image.save(out, "WEBP", quality=options.quality, method=2, exif=exif)
    else:
        subsampling = "4:2:0"
        image.save(
            out, "AVIF", quality=options.quality, speed=AVIF_SPEED, subsampling=subsampling, max_threads=1, exif=exif
        )
    return out.getvalue()


def check_side(canvas: Canvas, options: Options) -> None:
    """Raise `BadOption` where `options.format` can't hold a side of the canvas's length."""
    side = max(canvas.width, canvas.height)
    limit = MAX_SIDE.get(options.format, side)
    if side > limit:
        allowed = f"a side of at most {limit} px; this one has {side}"
        raise BadOption("format", options.format.value, allowed, "Use png, or a smaller max_width and max_height")


def density(dpi: int | None) -> bytes:
    """Return an EXIF block with only the density: WebP and AVIF have no field of their own for it."""
    if dpi is None:
        return b""
    exif = Image.Exif()
    exif[Base.XResolution] = exif[Base.YResolution] = IFDRational(dpi)
    exif[Base.ResolutionUnit] = INCH
    return exif.tobytes()


def _jpeg(pixels: NDArray[np.uint8], options: Options) -> bytes:
    out = io.BytesIO()
    density = {} if options.dpi is None else {"dpi": (options.dpi, options.dpi)}
    Image.fromarray(pixels).save(out, "JPEG", quality=options.quality, progressive=True, subsampling="4:2:0", **density)
    return out.getvalue()


def _zip(canvas: Canvas, options: Options) -> bytes:
    """Return `color.jpg` and `alpha.png`, stored: combined they are the picture that PNG would give."""
    pixels = canvas.pixels if canvas.pixels.ndim == 3 else cv2.cvtColor(canvas.pixels, cv2.COLOR_GRAY2RGB)
    alpha = np.full(pixels.shape[:2], 255, dtype=np.uint8) if canvas.alpha is None else canvas.alpha
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in (
            ("color.jpg", _jpeg(np.asarray(pixels), options)),
            ("alpha.png", write_png(alpha, dpi=options.dpi)),
        ):
            entry = zipfile.ZipInfo(name, ZIP_DATE)
            entry.create_system = 3
            archive.writestr(entry, data, zipfile.ZIP_STORED)
    return out.getvalue()


def _level_hidden(pixels: NDArray[np.uint8], alpha: Matte) -> NDArray[np.uint8]:
    """Give pixels under alpha 0 the mean colour of visible pixels near them.

    Then they cost few bytes, keep the edge clean (chroma is shared by four pixels), and do not reveal the removed
    background.
    """
    height, width = alpha.shape
    size = (-(-width // HIDDEN_BLOCK), -(-height // HIDDEN_BLOCK))
    means, _ = resize_cutout(pixels, alpha, size)
    levelled = np.asarray(cv2.resize(means, (width, height), interpolation=cv2.INTER_NEAREST), dtype=np.uint8)
    return np.asarray(cv2.copyTo(pixels, alpha, levelled), dtype=np.uint8)


def _image(canvas: Canvas) -> Image.Image:
    if canvas.alpha is None:
        return Image.fromarray(canvas.pixels)
    rgba = cv2.cvtColor(_level_hidden(canvas.pixels, canvas.alpha), cv2.COLOR_RGB2RGBA)
    return Image.fromarray(cv2.insertChannel(canvas.alpha, rgba, 3))
