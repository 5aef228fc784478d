"""A segmenter that finds what is bright: the moving disc of `tests.support.pictures.animations`."""

from dataclasses import dataclass, field

import numpy as np
from PIL import Image

from services.capacity.deadline import Deadline
from services.imaging.prompt import Prompt
from services.imaging.rasters import Mask

# Above it the disc, below it the ground.
MIDDLE, GAIN = 130, 4


@dataclass
class Bright:
    """A segmenter whose mask is what is brighter than the middle, at half of the picture's size."""

    name: str = "bright"
    takes_prompt: bool = False
    engine: str = "none"
    precision: str = "f32"
    identity: str = "bright"
    seen: list[tuple[int, int]] = field(default_factory=list)

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        self.seen.append((width, height))
        return width // 2, height // 2

    def mask(self, image: Image.Image, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
        deadline.check()
        grey = np.asarray(image.convert("L"), dtype=np.float32)
        return np.clip((grey - MIDDLE) * GAIN + MIDDLE, 0, 255).astype(np.uint8)
