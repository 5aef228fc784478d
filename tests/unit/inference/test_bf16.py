"""Emulating bf16 in f32 arithmetic."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from services.inference.bf16 import emulate_bf16
from services.inference.calibration import measure
from services.inference.graph import bf16
from services.inference.int8 import Scale, quantise
from services.inference.runtime import import_rembg
from tests.support.tiny_models import saved


def small_model(folder: Path, weight: float, side: int = 8) -> onnx.ModelProto:
    """A 1×1 convolution by this weight, of three channels."""
    weights = np.full((3, 3, 1, 1), weight, np.float32)
    nodes = [helper.make_node("Conv", ["x", "w", "b"], ["y"]), helper.make_node("Relu", ["y"], ["out"])]
    shape = [1, 3, side, side]
    return saved(folder / "small.onnx", nodes, {"x": shape}, {"out": shape}, w=weights, b=np.zeros(3, np.float32))


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


def test_emulation_leaves_convolutions_in_int8_alone(tmp_path: Path) -> None:
    model = small_model(tmp_path, 1.003)
    data = np.random.default_rng(2).random((1, 3, 8, 8)).astype(np.float32)
    quantised = quantise(model, {"y": Scale(1.0, (1.0,) * 3)}, measure(model, [{"x": data}], ["x"]))
    operations = [node.op_type for node in emulate_bf16(quantised).graph.node]
    assert operations == [node.op_type for node in quantised.graph.node]
