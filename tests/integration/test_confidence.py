"""Confidence: high for clear photographs, low without a subject, and lower with each defect of the mask."""

import time
from collections.abc import Callable
from itertools import pairwise

import cv2
import numpy as np
import pytest
from PIL import Image

from services.capacity.deadline import Deadline
from services.imaging.confidence import confidence
from services.imaging.rasters import Mask, Photo
from services.imaging.segment import segment
from services.inference.segmenter import RembgSegmenter

Load = Callable[[str], Image.Image]


def disc(radius: int, side: int = 320, blur: float = 1.0, x: int | None = None) -> Mask:
    mask = np.zeros((side, side), np.uint8)
    cv2.circle(mask, (side // 2 if x is None else x, side // 2), radius, 255, -1)
    return np.asarray(cv2.GaussianBlur(mask, (0, 0), blur), np.uint8)


def of(image: Image.Image, segmenter: RembgSegmenter) -> float:
    return confidence(segment(Photo(np.asarray(image.convert("RGB"))), segmenter, Deadline()))


def test_clear_photographs_have_high_confidence(segmenter: RembgSegmenter, photo: Load) -> None:
    found = {
        n: of(photo(n), segmenter) for n in ("astronaut", "chelsea", "coffee", "motorcycle_left", "camera", "horse")
    }
    assert min(found.values()) > 0.7, found
    assert found["coffee"] > 0.95
    # The rocket is small and hazy.
    assert of(photo("rocket"), segmenter) > 0.4


@pytest.mark.long
def test_images_without_a_subject_have_low_confidence(segmenter: RembgSegmenter, photo: Load) -> None:
    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (480, 640, 3), dtype=np.uint8)
    columns = np.mgrid[:480, :640][1]
    pictures = {
        "noise": Image.fromarray(noise),
        "clouds": Image.fromarray(noise[:12, :16]).resize((640, 480), Image.Resampling.BICUBIC),
        "grain": Image.fromarray(np.clip(random.normal(128, 20, (480, 640)), 0, 255).astype(np.uint8)),
        "stripes": Image.fromarray((columns // 20 % 2 * 255).astype(np.uint8)),
        "gradient": Image.fromarray((columns * 255 // 640).astype(np.uint8)),
        **{colour: Image.new("RGB", (640, 480), colour) for colour in ("black", "#ffffff", "#808080", "#c81e1e")},
        **{texture: photo(texture) for texture in ("brick", "grass", "gravel")},
        "shuttle's wall": photo("astronaut").crop((300, 0, 400, 80)),
    }
    found = {name: of(image, segmenter) for name, image in pictures.items()}
    assert max(found.values()) < 0.15, found


def test_confidence_falls_with_each_defect() -> None:
    assert confidence(disc(80)) > 0.99
    blurred = [confidence(disc(80, blur=blur)) for blur in (1, 4, 8, 16, 32)]
    assert all(a > b for a, b in pairwise(blurred)), blurred
    small = [confidence(disc(radius, blur=0.6)) for radius in (40, 15, 10, 6, 3)]
    assert small[0] == 1.0
    assert all(a > b for a, b in pairwise(small[1:])), small
    many = np.tile(disc(16, side=80), (4, 4))
    assert 0.4 < confidence(many) < 0.6
    half, most = np.zeros((320, 320), np.uint8), np.full((320, 320), 255, np.uint8)
    # A portrait can fill one side of the image.
    half[:, :160] = 255
    most[:20] = 0
    assert confidence(half) > 0.95
    assert confidence(most) < 0.7
    assert confidence(np.full((320, 320), 255, np.uint8)) == 0.0
    assert confidence(np.zeros((320, 320), np.uint8)) == 0.0
    assert confidence(np.full((320, 320), 128, np.uint8)) == 0.0


def test_confidence_does_not_depend_on_mask_size_or_shape() -> None:
    for side in (320, 768, 1024):
        assert confidence(disc(side // 4, side=side, blur=side / 320)) == pytest.approx(1.0, abs=0.02)
    assert confidence(np.ascontiguousarray(disc(80, side=1024)[400:624])) > 0.9
    assert 0.0 <= confidence(np.full((1, 3), 200, np.uint8)) <= 1.0


def test_confidence_takes_about_a_millisecond() -> None:
    random = np.random.default_rng(2)
    worst = np.asarray(cv2.GaussianBlur(random.integers(0, 256, (320, 320), dtype=np.uint8), (0, 0), 2), np.uint8)
    seconds = []
    for mask in [disc(80), worst] * 50:
        start = time.perf_counter()
        confidence(mask)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.002
