"""Fuses the last step of U²-Net: its side outputs, enlarged to the picture's size and added up.

The model enlarges each side output by itself, joins them as channels and weighs them by a 1×1 convolution. Engines
compute one channel as slowly as sixteen. By exact algebra the weights move into the convolutions that make the side
outputs, and enlarging becomes two matrix products: R·S·Cᵀ, R and C being the bilinear weights of rows and columns. The
row products of all side outputs are one product, which adds them up as well.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from services.inference.graph import Floats, Graph, Statistics

# The names of the new tensors begin with this.
PREFIX: Final = "side_outputs"


# Ways of enlarging that are the same, but for a picture of one pixel.
HALF_PIXEL: Final = (b"half_pixel", b"pytorch_half_pixel")


@dataclass(frozen=True)
class SideOutputs:
    """The last step: the 1×1 convolution, and those that make its input's channels.

    The first has the picture's size, the others are enlarged to it.
    """

    fusion: Any
    convolutions: tuple[Any, ...]


def single_channels(model: Any) -> list[str]:
    """Return the outputs of the convolutions that make one channel, as those of side outputs do."""
    weights = {tensor.name: tensor.dims for tensor in model.graph.initializer}
    convolutions = (node for node in model.graph.node if node.op_type == "Conv")
    return [node.output[0] for node in convolutions if weights.get(node.input[1], [0])[0] == 1]


def fuse_side_outputs(model: Any, statistics: Mapping[str, Statistics]) -> bool:
    """Replace the last step in place; return whether the model has one of this form.

    `model` is an `onnx.ModelProto` with one output, `statistics` are those of its `single_channels`, for the one size
    of picture that it is used with: their sizes alone matter.
    """
    from onnx import helper, numpy_helper

    _drop_unused(model)
    graph = Graph(model)
    found = _find(graph, statistics)
    if found is None:
        return False
    first, *others = found.convolutions
    weights = graph.array(found.fusion.input[1])[0, :, 0, 0]
    for convolution, weight in zip(found.convolutions, weights, strict=True):
        for name in convolution.input[1:]:
            graph.store(name, graph.array(name) * weight)
    graph.store(first.input[2], graph.array(first.input[2]) + graph.array(found.fusion.input[2]))
    size = statistics[first.output[0]]
    rows, nodes = [], []
    for number, convolution in enumerate(others, 2):
        small, name = statistics[convolution.output[0]], f"{PREFIX}.{number}"
        rows.append(bilinear(small.height, size.height))
        columns = numpy_helper.from_array(np.ascontiguousarray(bilinear(small.width, size.width).T), f"{name}.columns")
        model.graph.initializer.append(columns)
        nodes.append(helper.make_node("MatMul", [convolution.output[0], columns.name], [name]))
    joined_rows = np.ascontiguousarray(np.concatenate(rows, axis=1)[None, None])
    model.graph.initializer.append(numpy_helper.from_array(joined_rows, f"{PREFIX}.rows"))
    nodes += [
        helper.make_node("Concat", [node.output[0] for node in nodes], [f"{PREFIX}.wide"], axis=2),
        helper.make_node("MatMul", [f"{PREFIX}.rows", f"{PREFIX}.wide"], [f"{PREFIX}.large"]),
        helper.make_node("Add", [first.output[0], f"{PREFIX}.large"], [found.fusion.output[0]]),
    ]
    _replace(model, found.fusion, nodes)
    _drop_unused(model)
    return True


def bilinear(size: int, larger: int) -> Floats:
    """Return the `larger` × `size` weights that enlarge a row of pixels bilinearly, as ONNX's `pytorch_half_pixel`."""
    place = np.maximum((np.arange(larger) + 0.5) * size / larger - 0.5, 0.0)
    left = np.minimum(place.astype(np.int64), size - 1)
    right = np.minimum(left + 1, size - 1)
    weights = np.zeros((larger, size), np.float32)
    np.add.at(weights, (np.arange(larger), left), 1 - (place - left))
    np.add.at(weights, (np.arange(larger), right), place - left)
    return weights


def _find(graph: Graph, statistics: Mapping[str, Statistics]) -> SideOutputs | None:
    """Return the last step, if it makes the model's only output and nothing else reads its parts."""
    fusion = graph.makers.get(graph.model.graph.output[0].name)
    if fusion is not None and fusion.op_type == "Sigmoid":
        fusion = graph.makers.get(fusion.input[0])
    if fusion is None or fusion.op_type != "Conv" or len(fusion.input) != 3:
        return None
    joined = graph.makers.get(fusion.input[0])
    if joined is None or joined.op_type != "Concat" or graph.readers[fusion.input[0]] != [fusion]:
        return None
    if list(graph.weights[fusion.input[1]].dims) != [1, len(joined.input), 1, 1]:
        return None
    convolutions = [_side_convolution(graph, joined, name, statistics) for name in joined.input]
    if None in convolutions or convolutions[0].output[0] != joined.input[0]:
        return None
    return SideOutputs(fusion, tuple(convolutions))


def _side_convolution(graph: Graph, joined: Any, name: str, statistics: Mapping[str, Statistics]) -> Any:
    """Return the convolution that makes this channel, directly or enlarged bilinearly; None for anything else."""
    node, readers = graph.makers.get(name), [joined]
    if node is not None and node.op_type == "Resize" and graph.readers[name] == [joined]:
        given = {attribute.name: attribute.s for attribute in node.attribute}
        if given.get("mode") != b"linear" or given.get("coordinate_transformation_mode") not in HALF_PIXEL:
            return None
        name, readers, node = node.input[0], [joined, node], graph.makers.get(node.input[0])
    if node is None or node.op_type != "Conv" or len(node.input) != 3:
        return None
    if name not in statistics or len(statistics[name].mean) != 1:
        return None
    # Sizes are worked out from the first channel's shape.
    others = [reader for reader in graph.readers[name] if reader.op_type != "Shape" and reader not in readers]
    own = all(len(graph.readers[weight]) == 1 for weight in node.input[1:])
    return node if own and not others else None


def _replace(model: Any, old: Any, new: list[Any]) -> None:
    """Put the new nodes in the place of the old one."""
    nodes = [each for node in model.graph.node for each in (new if node is old else [node])]
    copies = [type(node).FromString(node.SerializeToString()) for node in nodes]
    del model.graph.node[:]
    model.graph.node.extend(copies)


def _drop_unused(model: Any) -> None:
    """Leave out the nodes and weights that no output needs."""
    needed, kept = {output.name for output in model.graph.output}, []
    for node in reversed(model.graph.node):
        if needed.intersection(node.output):
            kept.append(type(node).FromString(node.SerializeToString()))
            needed.update(node.input)
    weights = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))
    del model.graph.initializer[:]
    model.graph.initializer.extend(weights)
