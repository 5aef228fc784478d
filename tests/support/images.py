"""Find, encode and decode photographs."""

import io
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from PIL import Image

_skimage = find_spec("skimage")


assert _skimage
assert _skimage.origin
PHOTOS = Path(_skimage.origin).parent / "data"


def encoded(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    """Encode the image in that format."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def pixels(data: bytes) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The pixels of an encoded image as they are."""
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)
