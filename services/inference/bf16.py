"""Emulates bf16 in f32 arithmetic: what an engine's bf16 will cost, measured on any processor."""

from typing import Any

import numpy as np

from services.inference.graph import bf16


def emulate_bf16(model: Any) -> Any:
    """Copy the model so that its convolutions get data, weights and biases rounded to bf16; the rest stays f32.

    Data are rounded to eight bits by Veltkamp's splitting (t = (2¹⁶ + 1)·x; x' = t - (t - x)), which needs no type that
    an old model's operator set does not know.
    """
    import onnx
    from onnx import helper, numpy_helper

    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    weights = {tensor.name: tensor for tensor in rounded.graph.initializer}
    nodes = []
    for node in model.graph.node:
        copy = onnx.NodeProto()
        copy.CopyFrom(node)
        if node.op_type == "Conv":
            # Those of int8 come out of another node, and so do their data.
            if node.input[1] not in weights:
                nodes.append(copy)
                continue
            for name in node.input[1:]:
                weights[name].CopyFrom(numpy_helper.from_array(bf16(numpy_helper.to_array(weights[name])), name))
            source, made = node.input[0], node.output[0]
            nodes.append(helper.make_node("Mul", [source, "splitter"], [f"{made}_t"]))
            nodes.append(helper.make_node("Sub", [f"{made}_t", source], [f"{made}_d"]))
            nodes.append(helper.make_node("Sub", [f"{made}_t", f"{made}_d"], [f"{made}_x"]))
            copy.input[0] = f"{made}_x"
        nodes.append(copy)
    rounded.graph.initializer.append(numpy_helper.from_array(np.array(2**16 + 1, np.float32), "splitter"))
    del rounded.graph.node[:]
    rounded.graph.node.extend(nodes)
    return rounded
