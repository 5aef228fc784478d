"""Convolutions in int8: which may be, their weights, and what they compute."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from services.inference.calibration import measure
from services.inference.graph import Statistics
from services.inference.int8 import KNOWN, Scale, candidates, equalised, known_scales, quantise, quantised_weights
from services.inference.runtime import import_rembg
from tests.support.tiny_models import saved

SHAPE = [1, 3, 16, 16]
RANDOM = np.random.default_rng(4)
FEED = {"x": RANDOM.normal(0, 1, SHAPE).astype(np.float32)}


def weights(outputs: int = 3) -> Any:
    return RANDOM.normal(0, 0.3, (outputs, 3, 3, 3)).astype(np.float32)


@pytest.fixture
def model(tmp_path: Path) -> onnx.ModelProto:
    """x → convolution a → ReLU → convolution b."""
    nodes = [
        helper.make_node("Conv", ["x", "aw", "ab"], ["a"], pads=[1] * 4),
        helper.make_node("Relu", ["a"], ["r"]),
        helper.make_node("Conv", ["r", "bw", "bb"], ["b"], pads=[1] * 4),
    ]
    biases = {name: RANDOM.normal(0, 0.3, 3).astype(np.float32) for name in ("ab", "bb")}
    found = saved(tmp_path / "m.onnx", nodes, {"x": SHAPE}, {"b": SHAPE}, aw=weights(), bw=weights(), **biases)
    # Per-channel scales need 13: an older file is raised to it.
    found.opset_import[0].version = 11
    return found


def statistics(model: onnx.ModelProto) -> dict[str, Statistics]:
    return measure(model, [FEED], ["a", "r"])


def plain_scale(model: onnx.ModelProto) -> Scale:
    return Scale(float(statistics(model)["r"].most.max()), (1.0,) * 3)


def run(model: onnx.ModelProto) -> Any:
    session = import_rembg().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, FEED)[0]


def test_only_convolutions_of_data_above_zero_are_candidates(model: onnx.ModelProto) -> None:
    assert candidates(model, statistics(model)) == ["b"]


def test_convolution_that_reads_ones_is_not_a_candidate(model: onnx.ModelProto) -> None:
    found = {**statistics(model), "j": statistics(model)["r"]}
    model.graph.node.insert(2, helper.make_node("Concat", ["r", "ones"], ["j"], axis=1))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(SHAPE, np.float32), "ones"))
    model.graph.node[3].input[0] = "j"
    assert candidates(model, found) == []


def test_quantised_convolution_computes_nearly_the_same_and_the_model_stays(model: onnx.ModelProto) -> None:
    before, exact = model.SerializeToString(), run(model)
    found = quantise(model, {"b": plain_scale(model)}, statistics(model))
    onnx.checker.check_model(found)
    difference = np.abs(run(found) - exact)
    assert 0 < difference.max() < 0.02 * np.abs(exact).max()
    assert model.SerializeToString() == before
    types = {tensor.name: tensor.data_type for tensor in found.graph.initializer}
    assert onnx.TensorProto.INT8 in types.values()
    # f32's weights are gone.
    assert "bw" not in types


def test_bias_takes_back_what_the_weights_lose_on_average(model: onnx.ModelProto, monkeypatch: Any) -> None:
    found = statistics(model)
    channels = (0.25, 1.0, 4.0)
    scale = {"b": Scale(float((found["r"].most / channels).max()), channels)}
    exact = run(model).mean(axis=(0, 2, 3))
    # Weights of two bits lose much.
    monkeypatch.setattr(
        "services.inference.int8.quantised_weights",
        lambda given: (np.rint(given * 2).astype(np.int8), np.full(3, 0.5, np.float32)),
    )
    lost = np.abs(run(quantise(model, scale, found)).mean(axis=(0, 2, 3)) - exact).max()
    blank = {name: Statistics(**{**vars(each), "mean": each.mean * 0}) for name, each in found.items()}
    assert lost < np.abs(run(quantise(model, scale, blank)).mean(axis=(0, 2, 3)) - exact).max() / 2


def test_equalising_keeps_channels_of_small_values_beside_one_of_large_ones(model: onnx.ModelProto) -> None:
    """A channel of a hundred times the others' values would leave them two steps of 255."""
    for name, factor in (("aw", 100), ("ab", 100), ("bw", 0.01)):
        tensor = next(each for each in model.graph.initializer if each.name == name)
        values = onnx.numpy_helper.to_array(tensor).copy()
        values[(slice(None), 0) if name == "bw" else 0] *= factor
        tensor.CopyFrom(onnx.numpy_helper.from_array(values, name))
    found, exact = statistics(model), run(model)
    kernels = next(onnx.numpy_helper.to_array(each) for each in model.graph.initializer if each.name == "bw")
    scale = equalised(found["r"].most, kernels, 0.5, 1.0)
    worst = [np.abs(run(quantise(model, {"b": each}, found)) - exact).max() for each in (scale, plain_scale(model))]
    assert worst[0] < worst[1] / 10


def test_equalised_scale_holds_the_largest_value_and_channels_that_are_always_zero() -> None:
    most = np.array([0.0, 1.0, 50.0], np.float32)
    kernels = np.ones((2, 3, 1, 1), np.float32)
    scale = equalised(most, kernels, 0.75, 0.85)
    assert scale.largest == pytest.approx(0.85 * max(most / scale.channels), rel=1e-3)
    assert scale.channels[0] < scale.channels[1] < scale.channels[2]
    # All of the excess in the weights: the data are alike. None of it: they stay as they are.
    alike = most / equalised(most, kernels, 1.0, 1.0).channels
    assert alike[1] == pytest.approx(alike[2], rel=1e-3)
    assert len(set(equalised(most, kernels, 0.0, 1.0).channels)) == 1


def test_unknown_convolution_is_an_error(model: onnx.ModelProto) -> None:
    with pytest.raises(ValueError, match="no convolution nowhere"):
        quantise(model, {"nowhere": Scale(1.0, (1.0,) * 3)}, statistics(model))


def test_weights_are_within_a_step_and_an_outlier_may_be_clipped() -> None:
    given = weights(8)
    integers, steps = quantised_weights(given)
    assert integers.dtype == np.int8
    assert integers.min() >= -127
    plain = np.abs(given).max(axis=(1, 2, 3)) / 127
    assert (steps <= plain * 1.0001).all()
    errors = [
        ((np.clip(np.rint(given / s[:, None, None, None]), -127, 127) * s[:, None, None, None] - given) ** 2).sum()
        for s in (steps, plain)
    ]
    assert errors[0] <= errors[1]
    # Weights that are all zero have a step as well.
    assert quantised_weights(np.zeros((1, 2, 1, 1), np.float32))[1][0] > 0


def test_known_scales_belong_to_one_file() -> None:
    assert known_scales("0" * 64) == {}
    for digest, scales in json.loads(KNOWN.read_text()).items():
        assert len(digest) == 64
        assert scales
        found = known_scales(digest)
        assert list(found) == list(scales)
        assert all(scale.largest > 0 and min(scale.channels) > 0 for scale in found.values())
