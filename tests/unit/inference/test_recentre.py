"""Recentring changes a network's numbers, not what it computes; and takes the error out of bf16."""

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from services.inference.bf16 import emulate_bf16
from services.inference.calibration import measure as measure_watched
from services.inference.catalogue import CATALOGUE
from services.inference.graph import Statistics, bf16, bf16_parts
from services.inference.recentre import recentre, watched_tensors
from services.inference.record import read_record
from services.inference.runtime import import_rembg
from tests.support.waiting import ROOT

SIDE = 24


def network(seed: int, dilation: int = 1, offset: float = 300.0) -> Any:
    """A small network with the operations that a shift must pass: its channel 2 lies near `offset`, almost constant."""
    random = np.random.default_rng(seed)
    weights: dict[str, np.ndarray[Any, np.dtype[np.float32]]] = {}

    def conv(name: str, source: str, inputs: int, outputs: int, d: int = 1) -> Any:
        weights[f"{name}.w"] = random.normal(0, 0.2, (outputs, inputs, 3, 3)).astype(np.float32)
        weights[f"{name}.b"] = random.normal(0, 0.2, outputs).astype(np.float32)
        inputs_of = [source, f"{name}.w", f"{name}.b"]
        return helper.make_node("Conv", inputs_of, [name], kernel_shape=[3, 3], pads=[d] * 4, dilations=[d, d])

    nodes = [
        conv("a", "image", 3, 4),
        helper.make_node("Relu", ["a"], ["ar"]),
        helper.make_node("MaxPool", ["ar"], ["ap"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Resize", ["ap", "roi", "scales"], ["au"], mode="linear"),
        conv("s", "image", 3, 3),
        helper.make_node("Concat", ["s", "au"], ["joined"], axis=1),
        conv("b", "joined", 7, 5, dilation),
        conv("c", "ar", 4, 5),
        helper.make_node("Add", ["b", "c"], ["sum"]),
        conv("e", "sum", 5, 1),
        helper.make_node("Sigmoid", ["e"], ["mask"]),
    ]
    weights["a.w"][2] *= 0.01
    weights["a.b"][2] = offset
    # As in a trained network, the bias takes out what the constant brings in.
    for name in ("b", "c"):
        at = 5 if name == "b" else 2
        weights[f"{name}.b"] -= offset * weights[f"{name}.w"][:, at].sum(axis=(1, 2))
    weights["roi"] = np.zeros(0, np.float32)
    weights["scales"] = np.array([1, 1, 2, 2], np.float32)
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("mask", onnx.TensorProto.FLOAT, [1, 1, SIDE, SIDE])],
        [numpy_helper.from_array(values, name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)], ir_version=6)
    onnx.checker.check_model(model)
    return model


def run(model: Any, feeds: list[dict[str, Any]]) -> list[Any]:
    session = import_rembg().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [session.run(None, feed)[0] for feed in feeds]


def measure(model: Any, feeds: list[dict[str, Any]]) -> dict[str, Statistics]:
    return measure_watched(model, feeds, watched_tensors(model))


def pictures(seed: int) -> list[dict[str, Any]]:
    random = np.random.default_rng(seed + 1000)
    return [{"image": random.normal(0, 1, (1, 3, SIDE, SIDE)).astype(np.float32)} for _ in range(3)]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_network_computes_the_same_with_borders_and_on_other_pictures(seed: int, dilation: int) -> None:
    model, before = network(seed, dilation), network(seed, dilation)
    (shift,) = recentre(model, measure(model, pictures(seed)))
    assert (shift.tensor, shift.channel) == ("a", 2)
    assert {output for output, _ in shift.convolutions} == {"b", "c"}
    assert 250 < shift.amount <= 300
    for feeds in (pictures(seed), pictures(seed + 7)):
        for ours, theirs in zip(run(model, feeds), run(before, feeds), strict=True):
            assert np.abs(ours - theirs).max() < 5e-5


@pytest.mark.parametrize("seed", range(5))
def test_bf16_loses_at_least_ten_times_less_than_before(seed: int) -> None:
    model, before, feeds = network(seed), network(seed), pictures(seed)
    recentre(model, measure(model, feeds))
    exact = run(before, feeds)

    def error(candidate: Any) -> float:
        return float(
            np.mean([np.abs(a - b).mean() for a, b in zip(exact, run(emulate_bf16(candidate), feeds), strict=True)])
        )

    assert error(model) < error(before) / 10


def test_network_that_cannot_be_recentred_stays_unchanged() -> None:
    feeds = pictures(0)
    normal = network(0, offset=0.01)
    assert recentre(normal, measure(normal, feeds)) == []  # nothing is ruined
    shared = network(0)
    shared.graph.output.append(helper.make_empty_tensor_value_info("ar"))  # somebody outside reads the channel
    bytes_before = shared.SerializeToString()
    assert recentre(shared, measure(shared, feeds)) == []
    assert shared.SerializeToString() == bytes_before
    through_sigmoid = network(0)
    through_sigmoid.graph.node.append(helper.make_node("Sigmoid", ["au"], ["unused"]))
    assert recentre(through_sigmoid, measure(through_sigmoid, feeds)) == []
    padded = network(0)
    node = next(node for node in padded.graph.node if node.output[0] == "c")
    del node.attribute[:]
    node.attribute.append(helper.make_attribute("auto_pad", "SAME_UPPER"))
    assert (
        recentre(padded, measure(padded, feeds)) == []
        # Whether the kernel's middle stays inside is not written down.
    )


def test_bf16_rounds_to_the_nearest_and_three_parts_are_f32() -> None:
    assert bf16(np.array([1.0, 226.3, -226.3, 1 + 2**-8, 1 + 3 * 2**-8])).tolist() == [
        1.0,
        226.0,
        -226.0,
        1.0,
        1.015625,
    ]
    values = np.random.default_rng(0).normal(0, 300, 1000)
    parts = bf16_parts(values)
    assert all(np.array_equal(bf16(part), part) for part in parts)
    assert np.abs(sum(part.astype(np.float64) for part in parts) - values).max() < 1e-4


def test_a_record_counts_only_for_the_very_files_it_was_made_of(tmp_path: Path) -> None:
    spec = CATALOGUE["u2netp"]
    for name in ("u2netp.onnx", "u2netp.prepared.onnx", "u2netp.prepared.json", "u2netp.int8.prepared.onnx"):
        shutil.copy(ROOT / "models" / name, tmp_path)
    assert read_record(spec, tmp_path) is not None
    prepared = spec.prepared_path(tmp_path)
    data = prepared.read_bytes()
    prepared.write_bytes(data[:-1] + b"x")
    assert read_record(spec, tmp_path) is None
    prepared.write_bytes(data)
    assert read_record(spec, tmp_path) is not None
    prepared.with_suffix(".json").write_text('{"version": 1}')
    assert read_record(spec, tmp_path) is None
