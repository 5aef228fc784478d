"""Segments a photo: the model's mask of the subject, at the model's own resolution.

The mask comes from a rembg session's `predict`; `rembg.remove` is never called (it would decode and encode again and
darken soft edges).
"""

from collections.abc import Callable
from typing import Final, Protocol, runtime_checkable

import cv2
import numpy as np
from PIL import Image

from services.capacity.deadline import Deadline
from services.errors import BadOption
from services.imaging import lanczos
from services.imaging.prompt import Prompt, outside, scaled
from services.imaging.rasters import Mask, Matte, Photo, Pixels

# A photo is halved to no less than this multiple of the model's input, then resized by Lanczos.
SHRINK_GAP: Final = 3


class Segmenter(Protocol):
    """A model that makes masks."""

    name: str
    takes_prompt: bool
    engine: str
    precision: str
    identity: str
    """Identifies the file, description, engine and precision: other ones may give other masks."""

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) in px to which a picture of that size has to be resized for the model."""

    def mask(self, image: Image.Image, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
        """Return the mask of an RGB image of the model's input size; `prompt` is in its px."""


@runtime_checkable
class Embedder(Protocol):
    """A segmenter that encodes a picture once for all prompts."""

    def embed(self, image: Image.Image, deadline: Deadline) -> bool:
        """Encode the picture for `mask`; return whether that was done before."""


def segment(
    photo: Photo,
    segmenter: Segmenter,
    deadline: Deadline,
    prompt: Prompt | None = None,
    on_embedding: Callable[[bool], None] = lambda _known: None,
) -> Mask:
    """Return the subject's mask, at the model's resolution; `prompt` is in the photo's px, for models that take one.

    `on_embedding` is called by models that encode a picture once for all prompts: with whether it was known.

    Where the photo has transparency, the model gets it over black or white, whichever differs more from the visible
    part: pixels under full transparency are not part of the picture. Raises `DeadlineExceeded`, and `BadOption` for a
    prompt outside the photo, or for a model that takes none.
    """
    size = segmenter.input_size(photo.width, photo.height)
    if prompt is not None:
        _check_prompt(prompt, photo, segmenter)
        prompt = scaled(prompt, size[0] / photo.width, size[1] / photo.height)
    if photo.alpha is None:
        small = Image.fromarray(lanczos.resize(_halved(photo.pixels, size), size))
    else:
        small = _over_contrast(photo.pixels, photo.alpha, size)
    if isinstance(segmenter, Embedder):
        on_embedding(segmenter.embed(small, deadline))
    return segmenter.mask(small, deadline, prompt)


def _check_prompt(prompt: Prompt, photo: Photo, segmenter: Segmenter) -> None:
    if not segmenter.takes_prompt:
        raise BadOption("prompt", None, f"prompt with model=sam; the model {segmenter.name} takes none")
    if mark := outside(prompt, photo.width, photo.height):
        allowed = f"0 to {photo.width} across and 0 to {photo.height} down"
        raise BadOption("prompt", f"({mark.x:g}, {mark.y:g})", allowed)


def _halved(pixels: Pixels, size: tuple[int, int]) -> Pixels:
    """Halve the photo repeatedly, as long as a good resize to `size` has enough pixels left.

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
