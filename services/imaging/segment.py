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

from services.capacity.deadline import Deadline
from services.errors import BadOption
from services.imaging.decode import Matte, Photo, Pixels
from services.imaging.prompt import Prompt, outside, scaled
from services.inference.catalogue import ModelSpec, check_file, digest, read_record
from services.inference.runtime import EngineSettings, TerminableSession, bf16_is_fast, open_session
from services.inference.sam import SamSession

Mask = NDArray[np.uint8]
"""Height × width of what the model saw, 0 (background) to 255 (subject)."""

SHRINK_GAP: Final = 3  # a photo is halved down to no less than so many times the model's input, then resized well


class Segmenter(Protocol):
    """A model that can be asked for masks."""

    spec: ModelSpec
    engine: str
    precision: str
    identity: str
    """What tells its masks from those of another file, description, engine or precision."""

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """(width, height) in px to which a picture of that size is to be resized for the model."""

    def mask(self, image: Image.Image, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
        """The mask of an RGB image that has the model's input size already, and of the prompt in its px."""


def segment(photo: Photo, segmenter: Segmenter, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
    """The subject's mask, at the model's resolution; `prompt` is in the photo's px, for models that take one.

    Where the photo has transparency, the model sees it over black or white, whichever the visible part is farther from:
    what lies under transparent pixels is no part of the picture. Raises `DeadlineExceeded`, and `BadOption` for a
    prompt outside the photo, or to a model that takes none.
    """
    size = segmenter.input_size(photo.width, photo.height)
    if prompt is not None:
        _check_prompt(prompt, photo, segmenter.spec)
        prompt = scaled(prompt, size[0] / photo.width, size[1] / photo.height)
    if photo.alpha is None:
        small = Image.fromarray(_halved(photo.pixels, size)).resize(size, Image.Resampling.LANCZOS)
    else:
        small = _over_contrast(photo.pixels, photo.alpha, size)
    return segmenter.mask(small, deadline, prompt)


def _check_prompt(prompt: Prompt, photo: Photo, spec: ModelSpec) -> None:
    if not spec.takes_prompt:
        raise BadOption("prompt", None, f"prompt with model=sam; the model {spec.name} takes none")
    if mark := outside(prompt, photo.width, photo.height):
        allowed = f"0 to {photo.width} across and 0 to {photo.height} down"
        raise BadOption("prompt", f"({mark.x:g}, {mark.y:g})", allowed)


def _halved(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """The photo at a half, a quarter, … of its size, as long as a good resize to `size` has enough left to work on.

    Each pixel is the mean of four. On photographs of 2.8 to 12 megapixels the masks differ from those of a full Lanczos
    resize by at most 0.0011 of full scale (Pillow's `reducing_gap=3`: 0.0016), in less than half the time.
    """
    while min(pixels.shape[1] / size[0], pixels.shape[0] / size[1]) >= 2 * SHRINK_GAP:
        half = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        pixels = np.asarray(cv2.resize(pixels, half, interpolation=cv2.INTER_AREA), dtype=np.uint8)
    return pixels


def _over_contrast(pixels: Pixels, alpha: Matte, size: tuple[int, int]) -> Image.Image:
    rgba = Image.fromarray(np.dstack([pixels, alpha]))
    # Pillow resizes RGBA premultiplied, so hidden colours do not leak in.
    small = rgba.resize(size, Image.Resampling.LANCZOS, reducing_gap=SHRINK_GAP)
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
        self.name = spec.name
        self.engine, self.precision, self.warning = loaded.engine, loaded.precision, loaded.warning
        self._session = loaded.session
        unknown = [file for file in spec.files if not file.checksum]  # the others were compared with theirs
        read = [path.with_name(file.name) for file in unknown] + [bf16_path] * (loaded.precision == "bf16")
        digests = [digest(file) for file in read if file]
        self.identity = repr((spec, digests, self.engine, self.precision))
        self._runner = TerminableSession(self._session.inner_session)
        self._session.inner_session = self._runner

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        if isinstance(self._session, SamSession):
            return self._session.input_size(width, height)
        return self.spec.input_size, self.spec.input_size

    def mask(self, image: Image.Image, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
        with self._runner.until(deadline), np.errstate(all="ignore"):
            # A picture on which the model answers one constant divides 0 by 0 in rembg: NaN, cast to some integer.
            first, *others = map(np.asarray, self._session.predict(image, prompt=prompt))
        for other in others:  # clothes: above the waist, below it, both
            first = np.maximum(first, other)
        return np.asarray(first, dtype=np.uint8)


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
