"""Fusing the last step changes a network's form, not what it computes; networks of another form stay as they are."""

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper, numpy_helper

from services.inference.calibration import measure
from services.inference.graph import Floats
from services.inference.runtime import import_rembg
from services.inference.side_outputs import bilinear, fuse_side_outputs, single_channels

HEIGHT, WIDTH = 24, 32
LINEAR = {"mode": "linear", "coordinate_transformation_mode": "pytorch_half_pixel"}


def network(**resize: Any) -> Any:
    """Three side outputs, two of them enlarged, and the sum that U²-Net makes of them."""
    random = np.random.default_rng(1)
    weights: dict[str, Any] = {"scales2": [1, 1, 2, 2], "scales8": [1, 1, 8, 8], "roi": []}

    def conv(name: str, source: str, inputs: int, outputs: int, side: int = 3) -> Any:
        weights[f"{name}.w"] = random.normal(0, 0.3, (outputs, inputs, side, side))
        weights[f"{name}.b"] = random.normal(0, 0.3, outputs)
        given = [source, f"{name}.w", f"{name}.b"]
        return helper.make_node("Conv", given, [name], kernel_shape=[side, side], pads=[side // 2] * 4)

    def enlarged(name: str, source: str, scales: str) -> Any:
        return helper.make_node("Resize", [source, "roi", scales], [name], **{**LINEAR, **resize})

    nodes = [
        conv("a", "image", 3, 4),
        helper.make_node("MaxPool", ["a"], ["half"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("MaxPool", ["a"], ["eighth"], kernel_shape=[8, 8], strides=[8, 8]),
        *(conv("s1", "a", 4, 1), conv("s2", "half", 4, 1), conv("s3", "eighth", 4, 1)),
        *(enlarged("l2", "s2", "scales2"), enlarged("l3", "s3", "scales8")),
        helper.make_node("Concat", ["s1", "l2", "l3"], ["joined"], axis=1),
        conv("fused", "joined", 3, 1, side=1),
        helper.make_node("Sigmoid", ["fused"], ["mask"]),
        helper.make_node("Sigmoid", ["s1"], ["other"]),
    ]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes,
        "test",
        [value("image", onnx.TensorProto.FLOAT, [1, 3, HEIGHT, WIDTH])],
        [value("mask", onnx.TensorProto.FLOAT, [1, 1, HEIGHT, WIDTH])],
        [numpy_helper.from_array(np.asarray(values, np.float32), name) for name, values in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 11)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model


FEEDS = [
    {"image": np.random.default_rng(seed).normal(0, 1, (1, 3, HEIGHT, WIDTH)).astype(np.float32)} for seed in (2, 3)
]


def masks(model: Any) -> list[Floats]:
    session = import_rembg().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [session.run(None, feed)[0] for feed in FEEDS]


def fuse(model: Any) -> bool:
    return fuse_side_outputs(model, measure(model, FEEDS[:1], single_channels(model)))


def test_nothing_is_measured_where_nothing_is_watched() -> None:
    assert measure(network(), FEEDS, []) == {}


def test_fused_network_gives_the_same_masks() -> None:
    model = network()
    before = masks(model)
    assert fuse(model)
    onnx.checker.check_model(model)
    assert not {node.op_type for node in model.graph.node} & {"Resize"}
    assert "other" not in {name for node in model.graph.node for name in node.output}
    for old, new in zip(before, masks(model), strict=True):
        assert np.abs(old - new).max() < 1e-6
        assert np.ptp(old) > 0.3


def reads_a_side_output(model: Any) -> None:
    model.graph.output.append(helper.make_tensor_value_info("s2", onnx.TensorProto.FLOAT, None))
    model.graph.node.append(helper.make_node("Identity", ["s2"], ["again"]))
    model.graph.output[1].name = "again"


def shares_weights(model: Any) -> None:
    next(node for node in model.graph.node if node.output[0] == "s3").input[1] = "s2.w"


def adds_after_fusing(model: Any) -> None:
    model.graph.node.append(helper.make_node("Add", ["mask", "mask"], ["twice"]))
    model.graph.output[0].name = "twice"


@pytest.mark.parametrize("change", [reads_a_side_output, shares_weights, adds_after_fusing])
def test_network_of_another_form_is_left_alone(change: Callable[[Any], None]) -> None:
    model = network()
    change(model)
    before = masks(model)
    assert not fuse(model)
    assert all(np.array_equal(old, new) for old, new in zip(before, masks(model), strict=True))


@pytest.mark.parametrize("resize", [{"mode": "nearest"}, {"coordinate_transformation_mode": "align_corners"}])
def test_other_ways_of_enlarging_are_left_alone(resize: dict[str, str]) -> None:
    assert not fuse(network(**resize))


@pytest.mark.parametrize(("size", "larger"), [(10, 320), (5, 12), (7, 7), (1, 4)])
def test_bilinear_weights_are_those_of_the_runtime(size: int, larger: int) -> None:
    node = helper.make_node("Resize", ["row", "", "", "sizes"], ["long"], **LINEAR)
    graph = helper.make_graph(
        [node],
        "test",
        [helper.make_tensor_value_info("row", onnx.TensorProto.FLOAT, [1, 1, size, size])],
        [helper.make_tensor_value_info("long", onnx.TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.array([1, 1, larger, larger], np.int64), "sizes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])
    model.ir_version = 8
    session = import_rembg().InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    row = np.random.default_rng(4).normal(0, 1, (1, 1, size, size)).astype(np.float32)
    weights = bilinear(size, larger)
    assert np.abs(session.run(None, {"row": row})[0][0, 0] - weights @ row[0, 0] @ weights.T).max() < 1e-5
