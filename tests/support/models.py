"""Remove backgrounds with small stand-in models."""

import json
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from services.capacity.admission import Admission
from services.capacity.deadline import Deadline
from services.imaging.decode import ImageLimits
from services.imaging.options import Options
from services.imaging.pipeline import Result, Rules
from services.inference.registry import Models
from services.inference.runtime import EngineSettings
from services.inference.segmenter import RembgSegmenter
from services.removal import Remover
from tests.support.images import encoded


class OneModel:
    """A model source with one loaded model."""

    def __init__(self, segmenter: RembgSegmenter) -> None:
        self._segmenter = segmenter

    def get(self, _name: str | None, _deadline: Deadline) -> RembgSegmenter:
        return self._segmenter


PLAIN = EngineSettings("onnxruntime", "f32", 1)


def picture(width: int = 480, height: int = 360, colour: str = "white") -> bytes:
    """Draw a disc of 120 px on black, its centre at a third of the width."""
    image = Image.new("RGB", (width, height))
    x, y = width // 3, height // 2
    ImageDraw.Draw(image).ellipse((x - 60, y - 60, x + 60, y + 60), fill=colour)
    return encoded(image, "PNG")


def remove(folder: Path, data: bytes, *, require_subject: bool = False, **raw: Any) -> Result:
    names = ["u2netp", raw["model"]] if "model" in raw else ["u2netp"]
    rules = Rules(require_subject=require_subject)
    remover = Remover(Models(names, folder, PLAIN), ImageLimits(), Admission(1, 0), rules=rules)
    return remover.remove(data, Options.parse(raw))


def describe(folder: Path, name: str = "mine", **changes: Any) -> None:
    described = {key: value for key, value in {**GOOD, **changes}.items() if value is not None}
    (folder / f"{name}.json").write_text(json.dumps(described))


GOOD = {"purpose": "discs", "licence": "ours", "input_size": 64, "mean": [0, 0, 0], "std": [1, 1, 1]}
