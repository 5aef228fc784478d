"""Tiny ONNX files with the inputs, outputs and shapes of the real models."""

import atexit
import functools
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from services.inference.catalogue import CATALOGUE, ModelSpec, digest

FLOAT = TensorProto.FLOAT
FRAME = 1024


def save(
    path: Path, nodes: list[Any], inputs: dict[str, list[Any]], outputs: dict[str, list[Any]], **tensors: Any
) -> Path:
    """Write a graph of these nodes; `tensors` are its constants."""
    graph = helper.make_graph(
        nodes,
        path.stem,
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in inputs.items()],
        [helper.make_tensor_value_info(name, FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in tensors.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return path


def saved(
    path: Path, nodes: list[Any], inputs: dict[str, list[Any]], outputs: dict[str, list[Any]], **tensors: Any
) -> onnx.ModelProto:
    """Write a graph of these nodes, and return it."""
    return onnx.load(str(save(path, nodes, inputs, outputs, **tensors)))


def brightness(path: Path, side: int, gain: float = 1.0, outputs: int = 1) -> Path:
    """Write a model with input 1×3×side×side and outputs 1×1×side×side.

    The first output is the channels' mean times `gain`; further outputs are its negative.
    """
    names = {f"d{index}": [1, 1, side, side] for index in range(outputs)}
    weights = np.full((1, 3, 1, 1), gain / 3, np.float32)
    nodes = [helper.make_node("Conv", ["input.1", "weights"], ["d0"])]
    nodes += [helper.make_node("Neg", ["d0"], [name]) for name in list(names)[1:]]
    return save(path, nodes, {"input.1": [1, 3, side, side]}, names, weights=weights)


def oval(path: Path, side: int) -> Path:
    """Write a model with input 1×3×side×side and output 1×1×side×side: an oval in the middle, for any photo."""
    y, x = np.ogrid[-1 : 1 : side * 1j, -1 : 1 : side * 1j]
    edge = np.clip((0.9 - np.hypot(x, y)) * side / 4 + 0.5, 0, 1)
    weights = np.zeros((1, 3, 1, 1), np.float32)
    nodes = [
        helper.make_node("Conv", ["input.1", "weights"], ["nothing"]),
        helper.make_node("Add", ["nothing", "oval"], ["d0"]),
    ]
    shapes: tuple[dict[str, list[Any]], ...] = ({"input.1": [1, 3, side, side]}, {"d0": [1, 1, side, side]})
    return save(path, nodes, *shapes, weights=weights, oval=edge[None, None].astype(np.float32))


@functools.cache
def quick(write: Callable[[Path, int], Path] = brightness) -> dict[str, Any]:
    """Return the settings of a service with the model `tiny`, which takes a thousandth of the default one's time."""
    folder = tempfile.mkdtemp(prefix="tiny-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return {"REMBG_MODEL_NAME": str(write(Path(folder, "tiny.onnx"), 320)), "REMBG_SESSION_PATH": folder}


def clothes(path: Path) -> Path:
    """Write a model like u2net_cloth_seg, 768 px, with the classes none, upper (red), lower (green), full (blue)."""
    weights = np.zeros((4, 3, 1, 1), np.float32)
    weights[1:, :, 0, 0] = np.eye(3, dtype=np.float32)
    node = helper.make_node("Conv", ["input.1", "weights", "bias"], ["classes"])
    shapes: tuple[dict[str, list[Any]], ...] = ({"input.1": [1, 3, 768, 768]}, {"classes": [1, 4, 768, 768]})
    return save(path, [node], *shapes, weights=weights, bias=np.array([0.5, 0, 0, 0], np.float32))


def sam(folder: Path) -> None:
    """Write an encoder and a decoder like sam's.

    The best mask has the bright pixels around the first point, within a radius of 50 px for each point of the prompt.
    """
    encoder, decoder = (folder / file.name for file in CATALOGUE["sam"].files)
    _sam_encoder(encoder)
    _sam_decoder(decoder)


def _sam_encoder(path: Path) -> None:
    save(
        path,
        [
            helper.make_node("Sub", ["input_image", "mean"], ["centred"]),
            helper.make_node("Transpose", ["centred"], ["planes"], perm=[2, 0, 1]),
            helper.make_node("Unsqueeze", ["planes", "axis"], ["batch"]),
            helper.make_node("AveragePool", ["batch"], ["pooled"], kernel_shape=[16, 16], strides=[16, 16]),
            helper.make_node("Conv", ["pooled", "weights"], ["image_embeddings"]),
        ],
        {"input_image": ["image_height", "image_width", 3]},
        {"image_embeddings": [1, 256, 64, 64]},
        mean=np.array([123.675, 116.28, 103.53], np.float32),
        axis=np.array([0]),
        weights=np.full((256, 3, 1, 1), 1 / 30, np.float32),
    )


def _sam_decoder(path: Path) -> None:
    centres = np.arange(256, dtype=np.float32) * 4 + 2
    save(
        path,
        [
            # Along axis 1.
            helper.make_node("Slice", ["point_coords", "zero", "one", "one"], ["first"]),
            helper.make_node("Unsqueeze", ["first", "zero"], ["points_2"]),
            helper.make_node("Split", ["points_2", "halves"], ["x", "y"], axis=3),
            helper.make_node("Sub", ["across", "x"], ["dx"]),
            helper.make_node("Sub", ["down", "y"], ["dy"]),
            helper.make_node("Mul", ["dx", "dx"], ["dx2"]),
            helper.make_node("Mul", ["dy", "dy"], ["dy2"]),
            helper.make_node("Add", ["dx2", "dy2"], ["d2"]),
            helper.make_node("Sqrt", ["d2"], ["distance"]),
            helper.make_node("Shape", ["point_coords"], ["shape"]),
            helper.make_node("Gather", ["shape", "index"], ["points"]),
            helper.make_node("Cast", ["points"], ["number"], to=FLOAT),
            helper.make_node("Mul", ["number", "reach"], ["radius"]),
            helper.make_node("Sub", ["radius", "distance"], ["disc"]),
            helper.make_node("Slice", ["image_embeddings", "zero", "one", "one"], ["seen"]),
            helper.make_node("Resize", ["seen", "", "scales"], ["bright"], mode="nearest"),
            helper.make_node("Min", ["disc", "bright"], ["good"]),
            helper.make_node("Neg", ["good"], ["bad"]),
            helper.make_node("Concat", ["bad", "good"], ["low_res_masks"], axis=1),
            helper.make_node("Identity", ["low_res_masks"], ["masks"]),
            helper.make_node("Identity", ["scores"], ["iou_predictions"]),
        ],
        {
            "image_embeddings": [1, 256, 64, 64],
            "point_coords": [1, "num_points", 2],
            "point_labels": [1, "num_points"],
            "mask_input": [1, 1, 256, 256],
            "has_mask_input": [1],
            "orig_im_size": [2],
        },
        {"masks": [1, 2, 256, 256], "iou_predictions": [1, 2], "low_res_masks": [1, 2, 256, 256]},
        zero=np.array([0]),
        one=np.array([1]),
        index=np.array([1]),
        halves=np.array([1, 1]),
        across=centres.reshape(1, 1, 1, 256),
        down=centres.reshape(1, 1, 256, 1),
        reach=np.array([50], np.float32),
        scales=np.array([1, 1, 4, 4], np.float32),
        scores=np.array([[0.1, 0.9]], np.float32),
    )


def stand_in(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> ModelSpec:
    """Replace a real model's file with a tiny one, and put the tiny file's checksum into the catalogue."""
    spec = CATALOGUE[name]
    if name == "sam":
        sam(folder)
    elif name == "u2net_cloth_seg":
        clothes(spec.path(folder))
    elif name.startswith("birefnet"):
        brightness(spec.path(folder), spec.input_size, gain=3)
    else:
        brightness(spec.path(folder), spec.input_size, outputs=7 if "u2net" in name else 1)
    files = tuple(replace(file, checksum=f"sha256:{digest(folder / file.name)}") for file in spec.files)
    known = replace(spec, files=files)
    monkeypatch.setitem(CATALOGUE, name, known)
    return known
