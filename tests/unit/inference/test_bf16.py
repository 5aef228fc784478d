"""Preparing a model for bf16: its record, and the models that are refused."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper
from PIL import Image

from services.errors import EngineUnavailable
from services.inference import bf16 as module
from services.inference.bf16 import emulate_bf16, measure, model_input, prepare
from services.inference.catalogue import CATALOGUE
from services.inference.graph import bf16
from services.inference.record import read_record
from services.inference.runtime import import_rembg
from tests.support.tiny_models import save, stand_in


def small_model(folder: Path, weight: float, side: int = 8) -> onnx.ModelProto:
    """A 1×1 convolution by this weight, of three channels."""
    weights = np.full((3, 3, 1, 1), weight, np.float32)
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"]), helper.make_node("Relu", ["y"], ["out"])]
    shape = [1, 3, side, side]
    return onnx.load(str(save(folder / "small.onnx", nodes, {"x": shape}, {"out": shape}, w=weights)))


@pytest.mark.parametrize("name", ["sam", "u2net_cloth_seg", "birefnet-general"])
def test_model_whose_mask_is_made_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} can't be prepared"):
        prepare(CATALOGUE[name], tmp_path, [], 1)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable):
        prepare(CATALOGUE["u2netp"], tmp_path, [], 1)
    assert list(tmp_path.iterdir()) == []


def test_emulation_rounds_the_weights_and_data_of_convolutions(tmp_path: Path) -> None:
    model = small_model(tmp_path, 1.003)
    found = emulate_bf16(model)
    onnx.checker.check_model(found)
    assert [node.op_type for node in found.graph.node] == ["Mul", "Sub", "Sub", "Conv", "Relu"]
    data = np.random.default_rng(2).random((1, 3, 8, 8)).astype(np.float32)
    session = import_rembg().InferenceSession(found.SerializeToString(), providers=["CPUExecutionProvider"])
    (result,) = session.run(None, {"x": data})
    expected = bf16(data).sum(axis=1) * bf16(np.array([1.003]))[0]
    np.testing.assert_allclose(result[:, 0], expected, rtol=1e-6)
    assert np.abs(result[:, 0] - data.sum(axis=1) * 1.003).max() > 1e-3
    # The original is not changed.
    assert numpy_helper.to_array(model.graph.initializer[0])[0, 0, 0, 0] == np.float32(1.003)


def test_prepared_model_is_recorded_next_to_the_original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = stand_in("u2netp", tmp_path, monkeypatch)
    monkeypatch.setattr(module, "bf16_is_fast", lambda: False)
    record = prepare(spec, tmp_path, [Image.linear_gradient("L").convert("RGB")], 1)
    assert read_record(spec, tmp_path) == record
    assert record.f32_largest_difference < 1e-6
    assert record.measured_mean_difference is None
    # Only the first output is kept.
    assert len(onnx.load(str(spec.prepared_path(tmp_path))).graph.output) == 1
    assert not list(tmp_path.glob("*.part"))


def test_input_is_normalised_as_rembg_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = stand_in("u2netp", tmp_path, monkeypatch)
    (found,) = model_input(spec, spec.path(tmp_path), Image.new("RGB", (50, 40), (255, 0, 0))).values()
    assert found.shape == (1, 3, 320, 320)
    # ImageNet's means and deviations.
    np.testing.assert_allclose(found[0, :, 0, 0], [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225], atol=1e-5)


def test_channels_are_measured_over_all_pictures(tmp_path: Path) -> None:
    model = small_model(tmp_path, 1.0)
    pictures = [np.full((1, 3, 8, 8), value, np.float32) for value in (1, 2)]
    statistics = measure(model, [{"x": picture} for picture in pictures])["y"]
    # The sum of three channels of 1 or 2.
    assert statistics.mean.tolist() == [4.5] * 3
    assert statistics.spread.tolist() == [1.5] * 3
    assert statistics.least.tolist() == [3.0] * 3
    assert (statistics.height, statistics.width) == (8, 8)
