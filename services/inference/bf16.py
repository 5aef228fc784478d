"""Prepares a model for bf16: writes a second file whose bf16 masks are f32's, and the record that proves it.

The record lists the changes and the masks' differences from the original's: in f32 (they must be equal) and in bf16.
Workers use bf16 automatically only with a good record.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.capacity.deadline import Deadline
from services.inference.catalogue import ModelSpec, check_file
from services.inference.graph import Statistics, bf16
from services.inference.recentre import recentre, watched_tensors
from services.inference.record import PREPARATION, Record
from services.inference.runtime import EngineSettings, bf16_is_fast, import_rembg, rembg_session
from services.inference.segmenter import RembgSegmenter

Floats = NDArray[np.float32]

# Largest difference of any mask value, of 1, that counts as equal.
F32_LIMIT: Final = 1e-4
CALIBRATION: Final = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")


def prepare(spec: ModelSpec, folder: Path, photos: Sequence[Image.Image], threads: int) -> Record:
    """Write the prepared model and its record next to the original.

    Channels are measured on `photos`. Only the first output is kept, as rembg reads no other.
    Raises `EngineUnavailable` for a missing or damaged file, `ValueError` where the algebra does not hold, or for a
    model whose mask is made in another way.
    """
    import onnx

    if spec.custom or spec.takes_prompt or spec.name.startswith("birefnet-") or spec.name == "u2net_cloth_seg":
        raise ValueError(f"{spec.name} can't be prepared: its mask is not its first output as it comes; it runs in f32")
    path = check_file(spec, folder)
    feeds = [model_input(spec, path, photo) for photo in photos]
    model = onnx.load(str(path))
    del model.graph.output[1:]
    exact = _masks(model.SerializeToString(), feeds)
    shifts = recentre(model, measure(model, feeds))
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    largest = max(float(np.abs(a - b).max()) for a, b in zip(exact, _masks(data, feeds), strict=True))
    if largest > F32_LIMIT:
        raise ValueError(f"the prepared {spec.name} is not equal to the original in f32: {largest:.2g}")
    prepared = spec.prepared_path(folder)
    _write(prepared, data)
    emulated = _masks(emulate_bf16(model).SerializeToString(), feeds)
    record = Record(
        version=PREPARATION,
        original_sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        prepared_sha256=hashlib.sha256(data).hexdigest(),
        shifts=json.loads(json.dumps([asdict(shift) for shift in shifts])),
        f32_largest_difference=largest,
        emulated_mean_difference=_mean_difference(exact, emulated),
        measured_mean_difference=_measured_difference(spec, prepared, photos, exact, threads),
        measured_before=_measured_difference(spec, path, photos, exact, threads),
    )
    _write(prepared.with_suffix(".json"), json.dumps(asdict(record), indent=1).encode())
    return record


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


def calibration_photos() -> list[Image.Image]:
    """Return photographs that are on every machine with scikit-image, which rembg needs."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return [Image.open(folder / name).convert("RGB") for name in CALIBRATION]


def model_input(spec: ModelSpec, path: Path, photo: Image.Image) -> dict[str, Floats]:
    """Return the input that rembg's session feeds to the model for this photo."""
    caught: list[dict[str, Floats]] = []
    session = rembg_session(spec, path, ["CPUExecutionProvider"], 1)
    inner = session.inner_session

    class Catch:
        def run(self, _outputs: Any, feed: dict[str, Floats]) -> list[Floats]:
            caught.append(feed)
            return [np.linspace(0, 1, spec.input_size**2, dtype=np.float32).reshape(1, 1, spec.input_size, -1)]

        def __getattr__(self, name: str) -> Any:
            return getattr(inner, name)

    session.inner_session = Catch()
    session.predict(photo.resize((spec.input_size, spec.input_size), Image.Resampling.LANCZOS))
    return caught[0]


def measure(model: Any, feeds: Sequence[dict[str, Floats]]) -> dict[str, Statistics]:
    """Return the statistics of the tensors that recentring needs, over all feeds."""
    import onnx

    watched = watched_tensors(model)
    instrumented = onnx.ModelProto()
    instrumented.CopyFrom(model)
    del instrumented.graph.output[:]
    instrumented.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in watched)
    session = import_rembg().InferenceSession(instrumented.SerializeToString(), providers=["CPUExecutionProvider"])
    runs = [session.run(None, feed) for feed in feeds]
    found: dict[str, Statistics] = {}
    for name, *values in zip(watched, *runs, strict=True):
        if values[0].ndim == 4:
            stacked = np.concatenate(values).astype(np.float64)
            found[name] = Statistics(
                mean=stacked.mean(axis=(0, 2, 3)).astype(np.float32),
                spread=stacked.std(axis=(0, 2, 3)).astype(np.float32),
                least=stacked.min(axis=(0, 2, 3)).astype(np.float32),
                height=stacked.shape[2],
                width=stacked.shape[3],
            )
    return found


def _masks(model: bytes, feeds: Sequence[dict[str, Floats]]) -> list[Floats]:
    """Return the model's first output for each feed, in plain ONNX Runtime, scaled from 0 to 1 as rembg does."""
    session = import_rembg().InferenceSession(model, providers=["CPUExecutionProvider"])
    return [_scaled(session.run(None, feed)[0]) for feed in feeds]


def _scaled(found: Floats) -> Floats:
    return np.asarray((found - found.min()) / (found.max() - found.min()), dtype=np.float32)


def _mean_difference(exact: Sequence[Floats], others: Sequence[Floats]) -> float:
    return float(np.mean([np.abs(a.squeeze() - b.squeeze()).mean() for a, b in zip(exact, others, strict=True)]))


def _measured_difference(
    spec: ModelSpec, path: Path, photos: Sequence[Image.Image], exact: Sequence[Floats], threads: int
) -> float | None:
    """Return the mean difference of the engine's bf16 masks from the exact ones; None without fast bf16."""
    if not bf16_is_fast():
        return None
    fast = RembgSegmenter(spec, path, EngineSettings("openvino", "bf16", threads), path)
    if fast.precision != "bf16":
        return None
    side = (spec.input_size, spec.input_size)
    masks = [fast.mask(photo.resize(side, Image.Resampling.LANCZOS), Deadline()) for photo in photos]
    levels = [
        np.asarray(np.floor(mask * 255) / 255, dtype=np.float32) for mask in exact
    ]  # as rembg quantises a mask to eight bits
    return _mean_difference(levels, [np.asarray(mask / 255, dtype=np.float32) for mask in masks])


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
