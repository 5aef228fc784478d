"""Prepares a model: writes a file whose bf16 masks are f32's, one that is partly in int8, and the record of both.

The record lists the changes and the masks' differences from the original's: in f32 (they must be equal), in bf16 and
in int8. Workers use bf16 and int8 automatically only with a good record.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from services.inference.bf16 import emulate_bf16
from services.inference.calibration import measure, model_input
from services.inference.catalogue import ModelSpec, check_file, digest
from services.inference.differences import difference, measured_difference, plain_masks, time_ratio
from services.inference.graph import Floats
from services.inference.int8 import Scale, known_scales, quantise
from services.inference.processor import PRECISIONS, has_instructions, processor
from services.inference.recentre import recentre, watched_tensors
from services.inference.record import PREPARATION, Int8, Record
from services.inference.runtime import EngineSettings, Fast
from services.inference.segmenter import RembgSegmenter
from services.inference.side_outputs import fuse_side_outputs, single_channels

# Largest difference of any mask value, of 1, that counts as equal.
F32_LIMIT: Final = 1e-4


def prepare(spec: ModelSpec, folder: Path, photos: Sequence[Image.Image], threads: int) -> Record:
    """Write the prepared files and their record next to the original.

    Channels are measured on `photos`. Only the first output is kept, as rembg reads no other.
    Raises `EngineUnavailable` for a missing or damaged file, `ValueError` where the algebra does not hold, or for a
    model whose mask is made in another way.
    """
    import onnx

    if spec.custom or spec.takes_prompt or spec.name.startswith("birefnet-") or spec.name == "u2net_cloth_seg":
        raise ValueError(f"{spec.name} can't be prepared: its mask is not its first output as it comes; it runs in f32")
    path, prepared = check_file(spec, folder), spec.prepared_path(folder)
    feeds = [model_input(spec, path, photo) for photo in photos]
    model = onnx.load(str(path))
    del model.graph.output[1:]
    exact = plain_masks(model.SerializeToString(), feeds)
    fused = fuse_side_outputs(model, measure(model, feeds[:1], single_channels(model)))
    shifts = recentre(model, measure(model, feeds, watched_tensors(model)))
    onnx.checker.check_model(model)
    data = model.SerializeToString()
    masks = plain_masks(data, feeds)
    largest = max(float(np.abs(a - b).max()) for a, b in zip(exact, masks, strict=True))
    if largest > F32_LIMIT:
        raise ValueError(f"the prepared {spec.name} is not equal to the original in f32: {largest:.2g}")
    _write(prepared, data)
    scales = known_scales(digest(path))
    int8 = _write_int8(spec.int8_path(folder), model, scales, feeds, masks) if scales else None
    fast = _fast_segmenters(spec, folder, [one for one in PRECISIONS if int8 or "int8" not in one], threads)
    before = _fast(spec, Fast(path, "bf16"), threads)
    if int8:
        measured = {one.removeprefix("int8+"): found for one, found in fast.items() if one.startswith("int8")}
        int8.measured.update({rest: measured_difference(found, photos, exact) for rest, found in measured.items()})
    record = Record(
        version=PREPARATION,
        original_sha256=digest(path),
        prepared_sha256=digest(prepared),
        side_outputs_fused=fused,
        shifts=json.loads(json.dumps([asdict(shift) for shift in shifts])),
        f32_largest_difference=largest,
        emulated_mean_difference=difference(exact, plain_masks(emulate_bf16(model).SerializeToString(), feeds)).mean,
        measured_mean_difference=measured_difference(fast["bf16"], photos, exact).mean if "bf16" in fast else None,
        measured_before=measured_difference(before, photos, exact).mean if before else None,
        int8=int8,
        processor=processor() if fast else "",
        times=_times(fast, spec, path, photos[0], threads),
    )
    _write(prepared.with_suffix(".json"), json.dumps(asdict(record), indent=1).encode())
    return record


def _write_int8(
    path: Path, model: Any, scales: dict[str, Scale], feeds: Sequence[dict[str, Floats]], exact: Sequence[Floats]
) -> Int8:
    """Write the recentred model with the convolutions in `scales` in int8; return what the record says of it.

    `exact` are its masks in f32.
    """
    inputs = [node.input[0] for node in model.graph.node if node.output[0] in scales]
    quantised = quantise(model, scales, measure(model, feeds, list(dict.fromkeys(inputs))))
    _write(path, quantised.SerializeToString())
    emulated = {"f32": quantised, "bf16": emulate_bf16(quantised)}
    differences = {
        rest: difference(exact, plain_masks(found.SerializeToString(), feeds)) for rest, found in emulated.items()
    }
    return Int8(digest(path), list(scales), differences, {})


def _fast_segmenters(
    spec: ModelSpec, folder: Path, precisions: Sequence[str], threads: int
) -> dict[str, RembgSegmenter]:
    """Return the prepared files' segmenters by precision, those that run here."""
    files = {one: spec.int8_path(folder) if "int8" in one else spec.prepared_path(folder) for one in precisions}
    found = {one: _fast(spec, Fast(file, one), threads) for one, file in files.items()}
    return {one: segmenter for one, segmenter in found.items() if segmenter}


def _fast(spec: ModelSpec, file: Fast, threads: int) -> RembgSegmenter | None:
    """Return the file as a segmenter; None where the processor or the engine lacks its precision."""
    if not has_instructions(file.precision):
        return None
    found = RembgSegmenter(spec, spec.path(file.path.parent), EngineSettings("openvino", threads=threads), [file])
    return found if found.precision == file.precision else None


def _times(
    fast: Mapping[str, RembgSegmenter], spec: ModelSpec, path: Path, photo: Image.Image, threads: int
) -> dict[str, float]:
    """Return each precision's processor time of a mask, in proportion to that of the file in `path` in f32."""
    if not fast:
        return {}
    exact = RembgSegmenter(spec, path, EngineSettings("openvino", "f32", threads))
    return {precision: time_ratio(segmenter, exact, photo) for precision, segmenter in fast.items()}


def _write(path: Path, data: bytes) -> None:
    part = path.with_suffix(".part")
    part.write_bytes(data)
    part.replace(path)
