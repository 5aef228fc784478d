"""The resize for the model gives Pillow's pixels, on one thread."""

import time

import numpy as np
import pytest
import skimage.data
from PIL import Image

from services.imaging.lanczos import resize
from services.imaging.rasters import Pixels

PHOTO = Image.fromarray(skimage.data.astronaut())


def pixels_of(width: int, height: int) -> Pixels:
    return np.asarray(PHOTO.resize((width, height)))


@pytest.mark.parametrize(
    ("photo", "size"),
    [
        ((512, 512), (320, 320)),
        ((1021, 683), (320, 320)),
        ((1900, 1500), (320, 320)),
        ((100, 61), (320, 320)),
        ((320, 320), (320, 320)),
        ((900, 5), (320, 320)),
        ((1, 7), (320, 320)),
        ((640, 480), (1024, 768)),
        ((700, 500), (1, 1)),
    ],
)
def test_pixels_are_those_of_pillow(photo: tuple[int, int], size: tuple[int, int]) -> None:
    pixels = pixels_of(*photo)
    expected = np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS), dtype=np.int16)
    found = resize(pixels, size)
    assert found.shape == expected.shape
    assert found.dtype == np.uint8
    off = np.abs(found - expected)
    assert off.max() <= 2
    assert (off > 0).mean() < 0.01


def test_no_other_thread_works_on_it() -> None:
    pixels = pixels_of(1900, 1500)
    resize(pixels, (320, 320))
    process, thread = time.process_time(), time.thread_time()
    for _ in range(10):
        resize(pixels, (320, 320))
    assert time.process_time() - process < 1.3 * (time.thread_time() - thread)


def test_very_long_photo_keeps_its_gradient() -> None:
    ramp = np.broadcast_to(np.linspace(0, 255, 60_000).astype(np.uint8)[None, :, None], (4, 60_000, 3))
    found = resize(np.ascontiguousarray(ramp), (320, 320))
    assert np.abs(found.astype(int) - np.linspace(0, 255, 320)[None, :, None]).max() < 3
