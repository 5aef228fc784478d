"""Lets chosen convolutions of a model run in int8: their data and weights are quantised in the file (QDQ).

Data are unsigned with one scale for the tensor, weights signed with one scale for each output channel, the one with
the least squared error. What quantised weights take from a channel's mean goes back into the bias. Before, data are
equalised: each channel is divided by its own factor, which its weights take up, so that a channel of small values is
not rounded away beside one of large values (Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias
Correction", 2019). Which convolutions are worth it, and their scales, are known for a model's file (`int8.json`, which
`benchmarks/choose_int8.py` writes); other models have no int8.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.inference.graph import Floats, Graph, Statistics

# The first operator set whose weights may have a scale for each channel.
OPSET: Final = 13
KNOWN: Final = Path(__file__).parent / "int8.json"
# Weights beyond this part of the largest one may be clipped, where the others gain more.
CLIPS: Final = np.linspace(1.0, 0.6, 21)
# A channel counts as having at least this part of the largest channel's values: some are zero on all photographs.
LEAST_CHANNEL: Final = 1e-3


@dataclass(frozen=True)
class Scale:
    """How a convolution's data become integers."""

    largest: float
    """The largest value that is not clipped, after the division."""
    channels: tuple[float, ...]
    """What each channel is divided by before."""


def known_scales(original_sha256: str) -> dict[str, Scale]:
    """Return the outputs of the convolutions that int8 is good for, with the scales of their data; or {}."""
    found = json.loads(KNOWN.read_text()).get(original_sha256, {})
    return {output: Scale(scale["largest"], tuple(scale["channels"])) for output, scale in found.items()}


def equalised(most: Floats, weights: Floats, share: float, unclipped: float) -> Scale:
    """Return the scale of a convolution's data, from the largest value of each channel (`most`, shape (C,)) and the
    weights (O, C, kH, kW).

    `share` of each channel's excess goes from its data into its weights: 0 leaves the weights alike, 1 the data (Xiao
    et al., "SmoothQuant", 2023). Data above `unclipped` of the largest value are clipped.
    """
    data, kernels = (_at_least(values) for values in (most, np.abs(weights).max(axis=(0, 2, 3))))
    factors = data**share / kernels ** (1 - share)
    factors /= np.exp(np.log(factors).mean())
    short = tuple(float(f"{factor:.4g}") for factor in factors)
    return Scale(float(f"{unclipped * float((data / short).max()):.4g}"), short)


def _at_least(values: Floats) -> NDArray[np.float64]:
    return np.maximum(values.astype(np.float64), LEAST_CHANNEL * float(values.max()))


def candidates(model: Any, statistics: Mapping[str, Statistics]) -> list[str]:
    """Return the outputs of the convolutions that could run in int8: data never below zero, and without recentring's
    ones, whose weights are too large beside the others.
    """
    graph = Graph(model)
    return [
        node.output[0]
        for node in model.graph.node
        if node.op_type == "Conv"
        and len(node.input) == 3
        and all(name in graph.weights and len(graph.readers[name]) == 1 for name in node.input[1:])
        and node.input[0] in statistics
        and float(statistics[node.input[0]].least.min()) >= 0
        and not _reads_ones(graph, node.input[0])
    ]


def quantise(model: Any, scales: Mapping[str, Scale], statistics: Mapping[str, Statistics]) -> Any:
    """Return a copy of the model whose convolutions in `scales` (by output) run in int8.

    `statistics` are those of their data. Raises `ValueError` where the model has no such convolution.
    """
    import onnx
    from onnx import version_converter

    copy = version_converter.convert_version(model, max(OPSET, model.opset_import[0].version))
    graph = Graph(copy)
    nodes = []
    for node in copy.graph.node:
        if node.output[0] in scales and node.op_type == "Conv":
            nodes += _quantised(graph, node, scales[node.output[0]], statistics[node.input[0]].mean)
        nodes.append(node)
    missing = set(scales) - {node.output[0] for node in nodes if node.op_type == "Conv"}
    if missing:
        raise ValueError(f"the model has no convolution {', '.join(sorted(missing))}")
    found = onnx.ModelProto.FromString(copy.SerializeToString())
    del found.graph.node[:]
    found.graph.node.extend(nodes)
    read = {name for node in nodes for name in node.input}
    kept = [tensor for tensor in copy.graph.initializer if tensor.name in read]
    del found.graph.initializer[:]
    found.graph.initializer.extend(kept)
    # The types that inner tensors had.
    del found.graph.value_info[:]
    return found


def _quantised(graph: Graph, node: Any, scale: Scale, mean: Floats) -> list[Any]:
    """Make a convolution read quantised data and weights; return the new nodes, which come before it."""
    from onnx import helper, numpy_helper

    source, output, channels = node.input[0], node.output[0], np.array(scale.channels, np.float32)
    weights = graph.array(node.input[1]) * channels[:, None, None]
    integers, steps = quantised_weights(weights)
    lost = (weights - integers * steps[:, None, None, None]).sum(axis=(2, 3)) @ (mean / channels)
    graph.store(node.input[2], (graph.array(node.input[2]) + lost).astype(np.float32))
    tensors = {
        "factors": (1 / channels)[None, :, None, None],
        "step": np.float32(scale.largest / 255),
        "zero": np.uint8(0),
        "weights": integers,
        "steps": steps,
        "zeros": np.zeros(len(steps), np.int8),
    }
    names = {key: f"{output}.int8.{key}" for key in tensors}
    graph.model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), names[key]) for key, value in tensors.items()
    )
    divided, number, data, kernel = (f"{output}.int8.{key}" for key in ("divided", "number", "data", "kernel"))
    node.input[0], node.input[1] = data, kernel
    return [
        helper.make_node("Mul", [source, names["factors"]], [divided]),
        helper.make_node("QuantizeLinear", [divided, names["step"], names["zero"]], [number]),
        helper.make_node("DequantizeLinear", [number, names["step"], names["zero"]], [data]),
        helper.make_node("DequantizeLinear", [names["weights"], names["steps"], names["zeros"]], [kernel], axis=0),
    ]


def quantised_weights(weights: Floats) -> tuple[NDArray[np.int8], Floats]:
    """Return the weights as integers from -127 to 127, and each output channel's step with the least squared error."""
    most = np.maximum(np.abs(weights).max(axis=(1, 2, 3)), 1e-12) / 127
    steps = most[None, :] * CLIPS[:, None]
    errors = [
        ((_rounded(weights, step) * step[:, None, None, None] - weights) ** 2).sum(axis=(1, 2, 3)) for step in steps
    ]
    best = steps[np.argmin(errors, axis=0), np.arange(len(most))].astype(np.float32)
    return _rounded(weights, best).astype(np.int8), best


def _rounded(weights: Floats, steps: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(np.clip(np.rint(weights / steps[:, None, None, None]), -127, 127))


def _reads_ones(graph: Graph, tensor: str) -> bool:
    maker = graph.makers.get(tensor)
    return maker is not None and maker.op_type == "Concat" and any(name in graph.weights for name in maker.input)
