"""Measures prepared models: their masks' differences from f32's, and their time."""

import statistics
import time
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.capacity.deadline import Deadline
from services.inference.graph import Floats
from services.inference.record import Difference
from services.inference.runtime import import_rembg
from services.inference.segmenter import RembgSegmenter

# Pairs of masks whose times are compared.
ROUNDS: Final = 5


def plain_masks(model: bytes, feeds: Sequence[dict[str, Floats]]) -> list[Floats]:
    """Return the model's first output for each feed, in plain ONNX Runtime, scaled from 0 to 1 as rembg does."""
    session = import_rembg().InferenceSession(model, providers=["CPUExecutionProvider"])
    return [_scaled(session.run(None, feed)[0]) for feed in feeds]


def difference(exact: Sequence[NDArray[Any]], others: Sequence[NDArray[Any]]) -> Difference:
    """Return how far masks from 0 to 1 differ from the exact ones."""
    found = [float(np.abs(a.squeeze() - b.squeeze()).mean()) for a, b in zip(exact, others, strict=True)]
    return Difference(float(np.mean(found)), max(found))


def measured_difference(
    segmenter: RembgSegmenter, photos: Sequence[Image.Image], exact: Sequence[Floats]
) -> Difference:
    """Return how far the segmenter's masks differ from the exact ones, which are cut to eight bits as rembg's are."""
    side = (segmenter.spec.input_size, segmenter.spec.input_size)
    masks = [segmenter.mask(photo.resize(side, Image.Resampling.LANCZOS), Deadline()) for photo in photos]
    return difference([np.floor(mask * 255) / 255 for mask in exact], [mask / 255 for mask in masks])


def time_ratio(one: RembgSegmenter, other: RembgSegmenter, photo: Image.Image) -> float:
    """Return the processor time of a mask of `one` in proportion to `other`'s: the median of alternating pairs."""
    image = photo.resize((one.spec.input_size, one.spec.input_size))
    return statistics.median(_seconds(one, image) / _seconds(other, image) for _ in range(ROUNDS))


def _seconds(segmenter: RembgSegmenter, image: Image.Image) -> float:
    start = time.process_time()
    segmenter.mask(image, Deadline())
    return max(time.process_time() - start, 1e-6)


def _scaled(found: Floats) -> Floats:
    return np.asarray((found - found.min()) / (found.max() - found.min()), dtype=np.float32)
