"""Segment Anything (Kirillov et al., 2023): an encoder sees the picture, a decoder answers points and boxes.

The files are rembg's, its session is not used: it fits every picture into 1024×684 px, so that an upright one loses
a third of its resolution; it reads the decoder's full-size masks, whose crop is frozen to one aspect ratio when such
files are exported; it encodes a picture again for each prompt; it ends every prompt with the "no box" point, a box's
too; it joins all masks that the decoder offers, where the best is meant; and it opens both files on whatever engine
comes first.
"""

from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.errors import EngineUnavailable
from services.imaging.prompt import Mark, Prompt
from services.inference.embeddings import Embedding, Embeddings

# px of the square frame of encoder and decoder.
SIDE: Final = 1024
# The mean of the encoder's normalisation: it becomes 0, like the encoder's own padding.
MEAN: Final = (123.675, 116.28, 103.53)
# The decoder needs it where there is no box, and only there.
NO_BOX: Final = Mark(0, 0, -1)


class SamSession:
    """Encoder and decoder, with the two things that a rembg session has: `inner_session` (the encoder, where nearly all
    of the time goes) and `predict`."""

    def __init__(self, encoder: Any, decoder: Any) -> None:
        """Raises `EngineUnavailable` where the encoder is not one that takes height × width × 3."""
        self.inner_session = encoder
        self._decoder = decoder
        self._embeddings = Embeddings()
        entry = encoder.get_inputs()[0]
        if len(entry.shape) != 3:
            raise EngineUnavailable(f"the encoder of sam takes {entry.shape}, not height × width × 3")
        self._input = entry.name
        height, width = (side if isinstance(side, int) else SIDE for side in entry.shape[:2])
        self._frame = (width, height)

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        """Return the (width, height) in px for a picture: its aspect ratio kept, as large as the encoder takes."""
        scale = min(self._frame[0] / width, self._frame[1] / height)
        return max(1, round(width * scale)), max(1, round(height * scale))

    def predict(self, image: Image.Image, prompt: Prompt | None = None, **_: object) -> list[Image.Image]:
        """Return the mask, in the image's size, for the prompt (in its px; by default its centre)."""
        prompt = prompt or (Mark(image.width / 2, image.height / 2, 1),)
        logits = self._decode(self.embed(image)[0], prompt)
        whole = cv2.resize(logits, (SIDE, SIDE), interpolation=cv2.INTER_LINEAR)[: image.height, : image.width]
        return [Image.fromarray(np.rint(255 / (1 + np.exp(-np.clip(whole, -30, 30)))).astype(np.uint8))]

    def embed(self, image: Image.Image) -> tuple[Embedding, bool]:
        """Return the encoder's output for a picture of `input_size`, and whether it was kept from before."""
        image = image.convert("RGB")
        key = self._embeddings.key(image)
        known = self._embeddings.get(key)
        if known is not None:
            return known, True
        frame = np.empty((self._frame[1], self._frame[0], 3), np.float32)
        frame[:] = MEAN
        frame[: image.height, : image.width] = np.asarray(image)
        embedding: Embedding = self.inner_session.run(None, {self._input: frame})[0]
        self._embeddings.put(key, embedding)
        return embedding, False

    def _decode(self, embedding: Embedding, prompt: Prompt) -> NDArray[np.float32]:
        """Return the best mask's logits (above 0 is subject), 256 × 256 over the whole frame."""
        marks = prompt if any(mark.label == 2 for mark in prompt) else (*prompt, NO_BOX)
        feed = {
            "image_embeddings": embedding,
            "point_coords": np.array([[(mark.x, mark.y) for mark in marks]], np.float32),
            "point_labels": np.array([[mark.label for mark in marks]], np.float32),
            "mask_input": np.zeros((1, 1, 256, 256), np.float32),
            "has_mask_input": np.zeros(1, np.float32),
            "orig_im_size": np.array([SIDE, SIDE], np.float32),
        }
        masks, scores = self._decoder.run(["low_res_masks", "iou_predictions"], feed)
        best: NDArray[np.float32] = masks[0, int(np.argmax(scores[0]))]
        return best
