"""Compose the pictures of the quality benchmark from subjects with a known alpha and backgrounds.

Subjects are drawn, or cut out of scikit-image's photographs by closed-form matting. The composite is made with the
subject's alpha, so that alpha is exactly known.
"""

from collections.abc import Iterator
from typing import Final

import cv2
import numpy as np

from benchmarks.drawing import HEIGHT, SEED, WIDTH, Array, Subject, photograph
from benchmarks.drawn_subjects import DRAWN, long_hair

PHOTOGRAPHED: Final = ("astronaut", "chelsea", "coffee", "motorcycle_left")
# Two backgrounds for each subject. The default model finds the subject in front of both; otherwise its mask would say
# nothing about edges.
BACKGROUNDS: Final = {
    "astronaut": ("grass", "coffee"),
    "chelsea": ("brick", "rocket"),
    "coffee": ("ihc", "hubble_deep_field"),
    "motorcycle_left": ("brick", "retina"),
    "long hair": ("rocket", "brick"),
    "fur": ("retina", "gravel"),
    "glass": ("brick", "ihc"),
    "bicycle": ("coffee", "grass"),
    "leaves": ("coffee", "hubble_deep_field"),
    "thin lines": ("rocket", "brick"),
    "dandelion": ("retina", "coffee"),
    "chair": ("grass", "gravel"),
    "veil": ("grass", "retina"),
    "ball": ("astronaut", "brick"),
}


def photographed(name: str, cutout: Array) -> Subject:
    """Return a photograph's cut-out (RGBA), scaled to the height of the sheet and centred."""
    size = (round(cutout.shape[1] * HEIGHT / cutout.shape[0]), HEIGHT)
    alpha = cutout[..., 3:].astype(np.float32) / 255
    weighed = np.dstack([cutout[..., :3].astype(np.float32) / 255 * alpha, alpha])
    large = np.clip(cv2.resize(weighed, size, interpolation=cv2.INTER_CUBIC), 0, 1)
    sheet = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    beyond, left = max(0, (size[0] - WIDTH) // 2), max(0, (WIDTH - size[0]) // 2)
    sheet[:, left : left + size[0]] = large[:, beyond : beyond + WIDTH]
    return Subject(name, np.clip(sheet[..., :3] / np.maximum(sheet[..., 3:], 1e-3), 0, 1), sheet[..., 3])


def background(name: str) -> Array:
    """Return a photograph as a background out of focus, blurred more if it has a subject of its own."""
    sigma = 30 if name in PHOTOGRAPHED else 4
    return cv2.GaussianBlur(photograph(name), (0, 0), sigma).astype(np.float32) / 255


def over(subject: Subject, behind: Array) -> Array:
    """Composite the subject onto a background and add a camera's noise."""
    cover = subject.alpha[..., None]
    noise = np.random.default_rng(SEED).normal(0, 0.006, behind.shape).astype(np.float32)
    seen = subject.colour * cover + behind * (1 - cover) + noise
    return np.asarray(np.clip(seen * 255 + 0.5, 0, 255), dtype=np.uint8)


def composites(cutouts: dict[str, Array]) -> Iterator[tuple[str, Subject, Array]]:
    """Yield (name, subject, picture) of every subject in front of its two backgrounds."""
    made = [photographed(name, cutout) for name, cutout in cutouts.items()]
    for subject in (*made, long_hair(made[0]), *(draw() for draw in DRAWN)):
        for behind in BACKGROUNDS[subject.name]:
            yield f"{subject.name}-{behind}".replace(" ", "_"), subject, over(subject, background(behind))
