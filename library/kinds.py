"""The kinds of a picture: an image file's bytes or path, a PIL image, an array. Results have the kind that came."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image as PILImage
from PIL import ImageOps

from services.containers.errors import CorruptImage
from services.errors import BadOption, UploadTooLarge
from services.imaging.formats import Format
from services.imaging.pipeline import Result

Image: TypeAlias = PILImage.Image
Array: TypeAlias = NDArray[Any]
File: TypeAlias = bytes | str | os.PathLike[str]
Picture: TypeAlias = File | Image | Array
# The modes of PIL that a PNG holds without a loss.
PNG_MODES = frozenset({"1", "L", "LA", "P", "RGB", "RGBA", "I;16"})


def is_file(picture: object) -> bool:
    """Return whether a picture is an encoded file: its bytes or its path."""
    return isinstance(picture, bytes | str | os.PathLike)


def file_bytes(picture: Picture, max_bytes: int) -> bytes:
    """Return a picture as the bytes of an image file.

    Pixels in memory become a PNG without compression. Raises `OSError` for a path that can't be read, `UploadTooLarge`
    for a file of more than `max_bytes`, `CorruptImage` for pixels that can't be read, `TypeError` for anything else.
    """
    if isinstance(picture, bytes):
        return picture
    if isinstance(picture, str | os.PathLike):
        return _read(Path(picture), max_bytes)
    try:
        if isinstance(picture, PILImage.Image):
            return _png(picture)
        if isinstance(picture, np.ndarray):
            return _png(PILImage.fromarray(picture))
    except (ValueError, SyntaxError) as exc:
        # PIL's words for an empty or a closed image, and for a broken file that it has only opened.
        raise CorruptImage(str(exc)) from exc
    raise TypeError(f"a picture is bytes, a path, a PIL image or a NumPy array, not {type(picture).__name__}")


def like(picture: Picture, *, force_bytes: bool = False) -> Callable[[Result], Any]:
    """Return the function that turns a result into the kind of `picture`."""
    if force_bytes or is_file(picture):
        return lambda result: result.data
    return _array if isinstance(picture, np.ndarray) else _image


def check_format(chosen: Format, picture: Picture, *, force_bytes: bool = False) -> None:
    """Raise `BadOption` for a ZIP that should become pixels."""
    if chosen is Format.ZIP and not force_bytes and not is_file(picture):
        raise BadOption("format", "zip", "png, webp, jpeg or avif for pixels; force_return_bytes=True gives the file")


def _read(path: Path, max_bytes: int) -> bytes:
    if (size := path.stat().st_size) > max_bytes:
        raise UploadTooLarge(f"the file has {size} bytes; allowed: {max_bytes} (MAX_CONTENT_LENGTH)")
    return path.read_bytes()


def _png(image: Image) -> bytes:
    upright = ImageOps.exif_transpose(image)
    profile = upright.info.get("icc_profile")
    if upright.mode not in PNG_MODES:
        upright = upright.convert("RGBA" if upright.has_transparency_data else "RGB")
        # It describes the colours before the conversion.
        profile = None
    buffer = io.BytesIO()
    upright.save(buffer, "PNG", compress_level=0, icc_profile=profile)
    return buffer.getvalue()


def _image(result: Result) -> Image:
    image = PILImage.open(io.BytesIO(result.data))
    image.load()
    return cast(Image, image)


def _array(result: Result) -> Array:
    return np.asarray(_image(result))
