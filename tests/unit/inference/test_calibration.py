"""Photographs for preparation: the model's input of them, and the statistics of its tensors."""

from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from PIL import Image

from services.inference.calibration import calibration_photos, measure, model_input
from tests.support.tiny_models import saved, stand_in


def test_calibration_photos_come_with_scikit_image() -> None:
    assert [photo.mode for photo in calibration_photos()] == ["RGB"] * 5


def test_input_is_normalised_as_rembg_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = stand_in("u2netp", tmp_path, monkeypatch)
    (found,) = model_input(spec, spec.path(tmp_path), Image.new("RGB", (50, 40), (255, 0, 0))).values()
    assert found.shape == (1, 3, 320, 320)
    # ImageNet's means and deviations.
    np.testing.assert_allclose(found[0, :, 0, 0], [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], atol=1e-5)


def test_channels_are_measured_over_all_pictures(tmp_path: Path) -> None:
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["out"])]
    shape = [1, 3, 8, 8]
    model = saved(tmp_path / "small.onnx", nodes, {"x": shape}, {"out": shape}, w=np.ones((3, 3, 1, 1), np.float32))
    pictures = [np.full((1, 3, 8, 8), value, np.float32) for value in (1, 2)]
    statistics = measure(model, [{"x": picture} for picture in pictures], ["y"])["y"]
    # The sum of three channels of 1 or 2.
    assert statistics.mean.tolist() == [4.5] * 3
    assert statistics.spread.tolist() == [1.5] * 3
    assert statistics.least.tolist() == [3.0] * 3
    assert statistics.most.tolist() == [6.0] * 3
    assert (statistics.height, statistics.width) == (8, 8)
