"""Models of one's own at work: fed and read as their description says."""

from typing import Any

import numpy as np
from PIL import Image

from services.errors import EngineUnavailable
from services.inference.catalogue import ModelSpec


class CustomSession:
    """A custom model, with the two things that a rembg session has: `inner_session` and `predict`."""

    def __init__(self, spec: ModelSpec, inner_session: Any) -> None:
        """Raises `EngineUnavailable` where the graph is not what the description says."""
        assert spec.custom is not None
        self._spec, self._how = spec, spec.custom
        self.inner_session = inner_session
        names = [output.name for output in inner_session.get_outputs()]
        wanted = self._how.output
        if wanted not in names and not (isinstance(wanted, int) and wanted < len(names)):
            raise EngineUnavailable(f"the model {spec.name} has no output {wanted!r}: it has {', '.join(names)}")
        self._output = names[wanted] if isinstance(wanted, int) else wanted
        (entry, *others) = inner_session.get_inputs()
        side = spec.input_size
        fits = all(
            not isinstance(have, int) or have == need
            for have, need in zip(entry.shape, (1, 3, side, side), strict=False)
        )
        if others or len(entry.shape) != 4 or not fits:
            taken = [given.shape for given in inner_session.get_inputs()]
            raise EngineUnavailable(f"the model {spec.name} takes {taken}, not one 1×3×{side}×{side}")
        self._input = entry.name

    def predict(self, image: Image.Image, **_: object) -> list[Image.Image]:
        """The mask of an RGB image, in the size that the model gives."""
        how = self._how
        pixels = np.asarray(image, dtype=np.float32) / 255
        pixels = (pixels - np.array(how.mean, np.float32)) / np.array(how.std, np.float32)
        (found,) = self.inner_session.run([self._output], {self._input: pixels.transpose(2, 0, 1)[None]})
        mask = np.squeeze(found)
        if mask.ndim != 2:
            raise EngineUnavailable(
                f"output {self._output} of the model {self._spec.name} has the shape {found.shape}, not that of a mask"
            )
        if how.sigmoid:
            mask = 1 / (1 + np.exp(-mask))
        if how.stretch:
            mask = (mask - mask.min()) / max(float(mask.max() - mask.min()), 1e-6)
        return [Image.fromarray(np.rint(np.clip(np.nan_to_num(mask), 0, 1) * 255).astype(np.uint8))]
