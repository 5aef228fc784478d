"""A graph's edges and weights, and rounding to bf16."""

from pathlib import Path

import numpy as np
import onnx
from onnx import helper

from services.inference.graph import Graph, bf16, bf16_parts
from tests.support.tiny_models import save


def graph(folder: Path) -> Graph:
    """x → a; a + a → b; a, b → out."""
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["a"]),
        helper.make_node("Add", ["a", "a"], ["b"]),
        helper.make_node("Sub", ["a", "b"], ["out"]),
    ]
    shapes: tuple[dict[str, list[int]], ...] = ({"x": [1, 2]}, {"out": [1, 2]})
    return Graph(onnx.load(str(save(folder / "graph.onnx", nodes, *shapes, factor=np.array([3, 4], np.float32)))))


def test_edges_are_found_in_both_directions(tmp_path: Path) -> None:
    found = graph(tmp_path)
    assert {name: node.op_type for name, node in found.makers.items()} == {"a": "Mul", "b": "Add", "out": "Sub"}
    # Add reads a twice and is listed once.
    assert [node.op_type for node in found.readers["a"]] == ["Add", "Sub"]
    assert found.readers["out"] == []
    assert found.outputs == {"out"}


def test_stored_weights_go_into_the_model(tmp_path: Path) -> None:
    found = graph(tmp_path)
    assert found.array("factor").tolist() == [3, 4]
    # A transposed array is not contiguous, and its shape is another one.
    found.store("factor", np.arange(6, dtype=np.float32).reshape(2, 3).T)
    (tensor,) = onnx.load_from_string(found.model.SerializeToString()).graph.initializer
    assert onnx.numpy_helper.to_array(tensor).tolist() == [[0, 3], [1, 4], [2, 5]]


def test_bf16_rounds_to_nearest_and_ties_to_even() -> None:
    step = 2.0**-7
    values = np.array([1, 1 + 0.49 * step, 1 + 0.5 * step, 1 + 0.51 * step, 1 + 1.5 * step, -1 - 0.51 * step, 0])
    assert bf16(values).tolist() == [1, 1, 1, 1 + step, 1 + 2 * step, -1 - step, 0]
    assert bf16(np.array([np.inf, -np.inf])).tolist() == [np.inf, -np.inf]


def test_three_parts_have_the_precision_of_f32() -> None:
    values = np.random.default_rng(4).normal(0, 300, 500)
    parts = bf16_parts(values)
    for part in parts:
        assert np.array_equal(bf16(part), part)
    total = np.sum([part.astype(np.float64) for part in parts], axis=0)
    np.testing.assert_allclose(total, values, rtol=2**-23)
    assert np.abs(parts[0] - values).max() > 0.1
