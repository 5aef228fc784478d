"""A photo becomes a mask: what the model takes for the subject, at the model's own resolution.

The mask comes from a rembg session's `predict`; `rembg.remove` is never called (it would decode and encode again
and darken soft edges).
"""

from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.deadline import Deadline
from services.decode import Matte, Photo, Pixels
from services.engine import EngineSettings, TerminableSession, bf16_is_fast, open_session
from services.models import ModelSpec, check_file, read_record

Mask = NDArray[np.uint8]
"""Model side × model side, 0 (background) to 255 (subject)."""

SHRINK_GAP: Final = 3  # a photo is halved down to no less than so many times the model's input, then resized well


class Segmenter(Protocol):
    """A model that can be asked for masks."""

    spec: ModelSpec
    engine: str
    precision: str

    def mask(self, image: Image.Image, deadline: Deadline) -> Mask:
        """The mask of an RGB image that has the model's input size already."""


def segment(photo: Photo, segmenter: Segmenter, deadline: Deadline) -> Mask:
    """The subject's mask, at the model's resolution. Raises `DeadlineExceeded`.

    Where the photo has transparency, the model sees it over black or white, whichever the visible part is
    farther from: what lies under transparent pixels is no part of the picture.
    """
    side = segmenter.spec.input_size
    if photo.alpha is None:
        small = Image.fromarray(_halved(photo.pixels, side)).resize((side, side), Image.Resampling.LANCZOS)
    else:
        small = _over_contrast(photo.pixels, photo.alpha, side)
    return segmenter.mask(small, deadline)


def _halved(pixels: Pixels, side: int) -> Pixels:
    """The photo at a half, a quarter, … of its size, as long as a good resize to `side` has enough left to work on.

    Each pixel is the mean of four. On photographs of 2.8 to 12 megapixels the masks differ from those of a full Lanczos
    resize by at most 0.0011 of full scale (Pillow's `reducing_gap=3`: 0.0016), in less than half the time.
    """
    while min(pixels.shape[:2]) >= 2 * SHRINK_GAP * side:
        size = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels = np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return pixels


def _over_contrast(pixels: Pixels, alpha: Matte, side: int) -> Image.Image:
    rgba = Image.fromarray(np.dstack([pixels, alpha]))
    # Pillow resizes RGBA premultiplied, so hidden colours do not leak in.
    small = rgba.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=SHRINK_GAP)
    seen = np.asarray(small.convert("L"), dtype=np.float32)
    weight = np.asarray(small.getchannel("A"), dtype=np.float32)
    bright = float((seen * weight).sum()) > 127.5 * max(float(weight.sum()), 1.0)
    ground = Image.new("RGBA", small.size, (0, 0, 0, 255) if bright else (255, 255, 255, 255))
    return Image.alpha_composite(ground, small).convert("RGB")


class RembgSegmenter:
    """A rembg session, loaded and warmed up. Thread-safe: ONNX Runtime's `run` is, and leaves the GIL."""

    def __init__(self, spec: ModelSpec, path: Path, settings: EngineSettings, bf16_path: Path | None = None) -> None:
        """Loads the model in `path`, or in `bf16_path` where bf16 can be had. Raises `EngineUnavailable`."""
        loaded = open_session(spec, path, settings, bf16_path)
        self.spec = spec
        self.engine, self.precision, self.warning = loaded.engine, loaded.precision, loaded.warning
        self._session = loaded.session
        self._runner = TerminableSession(self._session.inner_session)
        self._session.inner_session = self._runner

    def mask(self, image: Image.Image, deadline: Deadline) -> Mask:
        with self._runner.until(deadline), np.errstate(all="ignore"):
            # A picture on which the model answers one constant divides 0 by 0 in rembg: NaN, cast to some integer.
            (mask,) = self._session.predict(image)[:1]
        return np.asarray(mask)


def load_segmenter(spec: ModelSpec, folder: Path, settings: EngineSettings) -> RembgSegmenter:
    """The model, from its checked file. Raises `EngineUnavailable`.

    bf16 is used when it is asked for, and by itself where the processor is fast at it and the record of the prepared
    file proves that the masks stay f32's.
    """
    path = check_file(spec, folder)
    record = read_record(spec, folder)
    prepared = spec.prepared_path(folder)
    if settings.precision == "bf16":
        return RembgSegmenter(spec, path, settings, prepared if record else path)
    if settings.precision == "auto" and record and record.good and bf16_is_fast():
        return RembgSegmenter(spec, path, settings, prepared)
    return RembgSegmenter(spec, path, settings)
