"""Keeps the encoder's outputs for the pictures seen last: the next prompt needs only the decoder."""

import hashlib
import threading
from collections import OrderedDict
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# About 4 MB each for sam.
KEPT: Final = 8

Embedding = NDArray[np.float32]


class Embeddings:
    """The outputs for the `kept` pictures used last, by the SHA-256 of what the encoder sees. Thread-safe."""

    def __init__(self, kept: int = KEPT) -> None:
        self._kept = kept
        self._found: OrderedDict[str, Embedding] = OrderedDict()
        self._lock = threading.Lock()

    @staticmethod
    def key(image: Image.Image) -> str:
        """Return the key of an RGB picture in the encoder's size."""
        digest = hashlib.sha256(f"{image.mode} {image.width}x{image.height} ".encode())
        digest.update(image.tobytes())
        return digest.hexdigest()

    def get(self, key: str) -> Embedding | None:
        """Return the picture's embedding, None where it is not kept."""
        with self._lock:
            if key in self._found:
                self._found.move_to_end(key)
            return self._found.get(key)

    def put(self, key: str, embedding: Embedding) -> None:
        """Keep an embedding, and drop the least recently used one."""
        with self._lock:
            self._found[key] = embedding
            self._found.move_to_end(key)
            if len(self._found) > self._kept:
                self._found.popitem(last=False)
