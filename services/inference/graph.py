"""An ONNX graph for recentring: its edges, its tensors' statistics, and rounding to bf16."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Statistics:
    """A tensor's statistics over the calibration pictures, per channel: mean, spread, least and largest value; and its
    size in px.
    """

    mean: Floats
    spread: Floats
    least: Floats
    most: Floats
    height: int
    width: int


@dataclass(frozen=True)
class Shift:
    """`amount` is taken from output `channel` of the convolution that makes `tensor`."""

    tensor: str
    channel: int
    amount: float
    convolutions: tuple[tuple[str, int], ...]
    """Where it is given back: (output name of the convolution, its input channel)."""


@dataclass
class Graph:
    """An ONNX graph with its edges: the node that makes a tensor, and the nodes that read it."""

    model: Any
    makers: dict[str, Any] = field(default_factory=dict)
    readers: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    weights: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for node in self.model.graph.node:
            self.makers.update(dict.fromkeys(node.output, node))
            for name in dict.fromkeys(node.input):
                self.readers[name].append(node)
        self.weights = {tensor.name: tensor for tensor in self.model.graph.initializer}

    @property
    def outputs(self) -> set[str]:
        return {output.name for output in self.model.graph.output}

    def array(self, name: str) -> Floats:
        """Return an initializer's values."""
        from onnx import numpy_helper

        found: Floats = numpy_helper.to_array(self.weights[name])
        return found

    def store(self, name: str, values: Floats) -> None:
        """Give an initializer new values (and shape)."""
        from onnx import numpy_helper

        self.weights[name].CopyFrom(numpy_helper.from_array(np.ascontiguousarray(values), name))


def bf16(values: NDArray[Any]) -> Floats:
    """Round the values to bf16 (nearest, ties to even), as f32."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    rounded = (bits + 0x7FFF + ((bits >> 16) & 1)) & np.uint32(0xFFFF0000)
    return rounded.astype(np.uint32).view(np.float32)


def bf16_parts(values: NDArray[np.float64]) -> tuple[Floats, Floats, Floats]:
    """Split `values` into three arrays, each exact in bf16, whose sum has f32's precision."""
    first = bf16(values)
    second = bf16(values - first)
    return first, second, bf16(values - first - second)
