"""Recentring: a network is changed by exact algebra so that rounding to bf16 costs it next to nothing.

A channel whose mean is far larger than its spread loses its information when it is rounded (bf16 keeps eight bits:
around 226 its step is 1). Such a channel is shifted: the constant c is taken from the bias of the convolution that
makes it, and every convolution that reads it gets the constant back, as a channel of ones with weights c·w. Ones are
exact in bf16, their weights are split into three parts that are, and accumulators are f32. Zero padding stays right by
itself: the ones are padded with zeros just as the channel was. Such a convolution's bias is as large as the constant it
cancels, and engines round biases too: it moves into the ones' middle weight, which no padding ever reaches.

ReLU (where it never clips the channel), max pooling, resizing and concatenation all let a constant pass, so the shift
may travel through them.

See docs/decisions/005-bf16-with-f32-masks.md for the measurements.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from services.inference.graph import Graph, Shift, Statistics, bf16_parts

# A channel is shifted when its mean is at least this many times its spread (standard deviation).
RATIO: Final = 16.0
# After the shift a ReLU's channel stays this many spreads above 0.
MARGIN_SPREADS: Final = 8.0
PASSES: Final = frozenset({"Relu", "MaxPool", "Resize", "Concat"})  # operations that let a constant pass
READS_SHAPE: Final = frozenset({"Shape", "Size"})


def watched_tensors(model: Any) -> list[str]:
    """Return the tensors whose statistics `recentre` needs: outputs of convolutions, ReLUs and nodes between them."""
    wanted = PASSES | {"Conv"}
    return [node.output[0] for node in model.graph.node if node.op_type in wanted]


def recentre(model: Any, statistics: Mapping[str, Statistics]) -> list[Shift]:
    """Shift, in place, every channel that bf16 would ruin and whose shift can be undone exactly.

    `model` is an `onnx.ModelProto` whose convolutions have initializers as weights; `statistics` are those of
    `watched_tensors` (see `services/inference/bf16.py`).
    """
    graph = Graph(model)
    shifts: dict[tuple[str, int], Shift] = {}
    for node in model.graph.node:
        source = node.input[0] if node.op_type == "Conv" else ""
        for channel in _ruined(statistics.get(source)):
            origin = _origin(graph, source, channel, statistics)
            if origin is None or origin in shifts:
                continue
            shift = _plan(graph, origin, statistics)
            if shift is not None:
                shifts[origin] = shift
    for shift in shifts.values():
        _take(graph, shift)
    _give_back(graph, list(shifts.values()), statistics)
    return list(shifts.values())


def _ruined(found: Statistics | None) -> list[int]:
    if found is None:
        return []
    return [int(k) for k in np.flatnonzero(np.abs(found.mean) > RATIO * found.spread) if abs(found.mean[k]) > 1e-6]


def _origin(graph: Graph, tensor: str, channel: int, stats: Mapping[str, Statistics]) -> tuple[str, int] | None:
    """Return the convolution's output and channel that this channel comes from; None where it comes from elsewhere."""
    node = graph.makers.get(tensor)
    if node is None:
        return None
    if node.op_type == "Conv":
        return node.output[0], channel
    if node.op_type == "Concat" and _axis(node) == 1:
        for name in node.input:
            if name not in stats:
                return None
            if channel < len(stats[name].mean):
                return _origin(graph, name, channel, stats)
            channel -= len(stats[name].mean)
    if node.op_type in PASSES - {"Concat"}:
        return _origin(graph, node.input[0], channel, stats)
    return None


def _plan(graph: Graph, origin: tuple[str, int], stats: Mapping[str, Statistics]) -> Shift | None:
    """Return how far the origin's channel may be shifted, and where that is given back; None if that is impossible."""
    tensor, channel = origin
    maker = graph.makers[tensor]
    if tensor not in stats or len(maker.input) < 3 or not _own_weight(graph, maker.input[2]):
        return None
    mean = amount = float(stats[tensor].mean[channel])
    absorbing: list[tuple[str, int]] = []
    front = [origin]
    while front:
        name, at = front.pop()
        if name in graph.outputs:
            return None
        for node in graph.readers[name]:
            if node.op_type in READS_SHAPE:
                continue
            if node.op_type == "Conv" and _plain(graph, node):
                absorbing.append((node.output[0], at))
                continue
            after = _channel_after(node, name, at, stats)
            if after is None:
                return None
            if node.op_type == "Relu":  # it must go on to clip nothing
                amount = min(amount, float(stats[name].least[at] - MARGIN_SPREADS * stats[name].spread[at]))
                if amount <= 0:
                    return None
            front.append((node.output[0], after))
    amount = _short(amount)
    helps = abs(mean - amount) < abs(mean) / 2
    return Shift(tensor, channel, amount, tuple(absorbing)) if helps and absorbing else None


def _channel_after(node: Any, name: str, channel: int, stats: Mapping[str, Statistics]) -> int | None:
    """Return the place of `name`'s channel in the output of a node that lets a constant pass; None for other nodes."""
    if node.op_type == "Concat":
        before = list(node.input)[: list(node.input).index(name)]
        if _axis(node) != 1 or list(node.input).count(name) != 1 or any(other not in stats for other in before):
            return None
        return channel + sum(len(stats[other].mean) for other in before)
    return channel if node.op_type in PASSES and node.input[0] == name else None


def _own_weight(graph: Graph, name: str) -> bool:
    """Return whether this is a constant that only one node reads."""
    return name in graph.weights and len(graph.readers[name]) == 1


def _plain(graph: Graph, node: Any) -> bool:
    """Return whether a convolution can take channels of ones.

    It must not be grouped, its weights and bias must be its own, and the middle of its kernel always inside the
    picture.
    """
    if len(node.input) < 3 or not (_own_weight(graph, node.input[1]) and _own_weight(graph, node.input[2])):
        return False
    given = {attribute.name: attribute for attribute in node.attribute}
    kernel = list(graph.weights[node.input[1]].dims)[2:]
    dilations = list(given["dilations"].ints) if "dilations" in given else [1, 1]
    pads = list(given["pads"].ints) if "pads" in given else [0, 0, 0, 0]
    middle = [size // 2 * dilation for size, dilation in zip(kernel, dilations, strict=True)]
    explicit = "auto_pad" not in given or given["auto_pad"].s == b"NOTSET"
    grouped = "group" in given and given["group"].i != 1
    return explicit and not grouped and all(size % 2 for size in kernel) and pads == middle * 2


def _axis(node: Any) -> int | None:
    return next((int(attribute.i) for attribute in node.attribute if attribute.name == "axis"), None)


def _short(amount: float) -> float:
    """Round the amount to at most four significant bits, towards zero: exact everywhere, and easy to read."""
    if amount == 0.0:
        return 0.0
    step = 2.0 ** (np.floor(np.log2(abs(amount))) - 6)
    return float(np.trunc(amount / step) * step)


def _take(graph: Graph, shift: Shift) -> None:
    bias = graph.makers[shift.tensor].input[2]
    values = graph.array(bias).astype(np.float64)
    values[shift.channel] -= shift.amount
    graph.store(bias, values.astype(np.float32))


def _give_back(graph: Graph, shifts: list[Shift], stats: Mapping[str, Statistics]) -> None:
    """Add one set of three channels of ones to each convolution that reads shifted channels."""
    wanted: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for shift in shifts:
        for output, channel in shift.convolutions:
            wanted[output].append((channel, shift.amount))
    for output, channels in wanted.items():
        node = graph.makers[output]
        weights = graph.array(node.input[1])
        constant = np.asarray(sum(weights[:, channel].astype(np.float64) * amount for channel, amount in channels))
        bias = graph.array(node.input[2])
        constant[:, weights.shape[2] // 2, weights.shape[3] // 2] += bias
        graph.store(node.input[2], np.zeros_like(bias))
        parts = bf16_parts(constant)
        graph.store(node.input[1], np.concatenate([weights, *(part[:, None] for part in parts)], axis=1))
        size = stats[node.input[0]]
        node.input[0] = _with_ones(graph, node, len(parts), size.height, size.width)


def _with_ones(graph: Graph, node: Any, count: int, height: int, width: int) -> str:
    """Append `count` channels of ones to the convolution's input, in an existing concatenation if there is one."""
    from onnx import helper, numpy_helper

    name = f"ones_{count}x{height}x{width}"
    if name not in graph.weights:
        tensor = numpy_helper.from_array(np.ones((1, count, height, width), np.float32), name)
        graph.model.graph.initializer.append(tensor)
        graph.weights[name] = graph.model.graph.initializer[-1]
    source = node.input[0]
    maker = graph.makers.get(source)
    readers = [reader for reader in graph.readers[source] if reader.op_type not in READS_SHAPE]
    if maker is not None and maker.op_type == "Concat" and readers == [node]:
        maker.input.append(name)
        return str(source)
    joined = helper.make_node("Concat", [source, name], [f"{source}_with_{name}_{node.output[0]}"], axis=1)
    nodes = graph.model.graph.node
    nodes.insert(next(i for i, other in enumerate(nodes) if other.output[0] == node.output[0]), joined)
    return str(joined.output[0])
