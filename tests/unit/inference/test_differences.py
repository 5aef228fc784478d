"""Differences of masks from f32's, and ratios of their times."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.inference import differences
from services.inference.differences import difference, measured_difference, time_ratio
from services.inference.record import Difference

PHOTO = Image.new("RGB", (64, 48))


def segmenter(grey: int, seconds: float = 0.0, clock: Any = None) -> Any:
    """A segmenter whose masks are of this grey, and take these seconds of the clock."""

    def mask(image: Image.Image, _deadline: object) -> Any:
        if clock:
            clock.now += seconds
        return np.full(image.size, grey, np.uint8)

    return SimpleNamespace(spec=SimpleNamespace(input_size=32), mask=mask)


def test_difference_has_the_mean_and_the_worst_photo() -> None:
    zeros, some = np.zeros((1, 1, 4, 4)), np.full((4, 4), 0.5)
    assert difference([zeros, zeros], [zeros, some]) == Difference(mean=0.25, worst=0.5)


def test_exact_masks_are_cut_to_eight_bits_before_they_are_compared() -> None:
    exact = [np.full((1, 1, 32, 32), 51.9 / 255, np.float32)]
    assert measured_difference(segmenter(51), [PHOTO], exact).worst == pytest.approx(0, abs=1e-7)
    assert measured_difference(segmenter(102), [PHOTO], exact).mean == pytest.approx(0.2)


def test_time_is_the_ratio_of_processor_times(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr(differences, "time", SimpleNamespace(process_time=lambda: clock.now))
    assert time_ratio(segmenter(1, 3.0, clock), segmenter(1, 4.0, clock), PHOTO) == pytest.approx(0.75)
