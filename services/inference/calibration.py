"""Photographs for preparing a model: what the model sees of them, and the statistics of its tensors."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image

from services.inference.catalogue import ModelSpec
from services.inference.graph import Floats, Statistics
from services.inference.runtime import import_rembg, rembg_session

CALIBRATION: Final = ("astronaut.png", "chelsea.png", "coffee.png", "motorcycle_left.png", "rocket.jpg")


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


def measure(model: Any, feeds: Sequence[dict[str, Floats]], watched: Sequence[str]) -> dict[str, Statistics]:
    """Return the statistics of the watched tensors that are pictures, over all feeds."""
    import onnx

    if not watched:
        return {}
    instrumented = onnx.ModelProto()
    instrumented.CopyFrom(model)
    del instrumented.graph.output[:]
    instrumented.graph.output.extend(onnx.helper.make_empty_tensor_value_info(name) for name in watched)
    session = import_rembg().InferenceSession(instrumented.SerializeToString(), providers=["CPUExecutionProvider"])
    runs = (session.run(None, feed) for feed in feeds)
    found = [dict(zip(watched, map(_of_picture, values), strict=True)) for values in runs]
    return {name: _joined([each[name] for each in found]) for name in watched if found[0][name] is not None}


def _of_picture(values: Floats) -> Statistics | None:
    """Return the statistics of one run's tensor; None where it is not a picture."""
    if values.ndim != 4:
        return None
    pixels = values[0].reshape(values.shape[1], -1)
    mean = pixels.mean(axis=1, dtype=np.float64)
    spread = np.sqrt(((pixels - mean[:, None]) ** 2).mean(axis=1))
    return Statistics(mean, spread, pixels.min(axis=1), pixels.max(axis=1), *values.shape[2:])


def _joined(each: Sequence[Statistics | None]) -> Statistics:
    """Return the statistics over pictures of one size from those of each picture."""
    known = [found for found in each if found is not None]
    means, spreads = (np.stack([getattr(found, name) for found in known]) for name in ("mean", "spread"))
    mean = means.mean(axis=0)
    return Statistics(
        mean=mean.astype(np.float32),
        spread=np.sqrt((spreads**2 + (means - mean) ** 2).mean(axis=0)).astype(np.float32),
        least=np.min([found.least for found in known], axis=0),
        most=np.max([found.most for found in known], axis=0),
        height=known[0].height,
        width=known[0].width,
    )
