"""A rembg session as a `Segmenter`: loaded, warmed up, and cancelled at a deadline."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from services.capacity.deadline import Deadline
from services.imaging.prompt import Prompt
from services.imaging.rasters import Mask
from services.inference.catalogue import ModelSpec, check_file, digest
from services.inference.processor import processor, usual_precisions
from services.inference.record import read_record
from services.inference.runtime import EngineSettings, Fast, Precision, open_session
from services.inference.sam import SamSession
from services.inference.terminable import TerminableSession

# The weight of the last measurement in a moving mean.
LAST_WEIGHT: Final = 0.2


class Clock:
    """A moving mean of seconds; None before the first measurement."""

    def __init__(self) -> None:
        self.mean: float | None = None

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Measure the block, unless it raises."""
        start = time.perf_counter()
        yield
        self.note(time.perf_counter() - start)

    def note(self, seconds: float) -> None:
        self.mean = seconds if self.mean is None else self.mean + LAST_WEIGHT * (seconds - self.mean)


class RembgSegmenter:
    """A rembg session, loaded and warmed up. Thread-safe: ONNX Runtime's `run` is, and it releases the GIL."""

    def __init__(self, spec: ModelSpec, path: Path, settings: EngineSettings, fast: Sequence[Fast] = ()) -> None:
        """Load the model in `path`, or the first of `fast` that this machine can run. Raises `EngineUnavailable`."""
        loaded = open_session(spec, path, settings, fast)
        self.spec = spec
        self.name, self.takes_prompt = spec.name, spec.takes_prompt
        self.engine, self.precision, self.warning = loaded.engine, loaded.precision, loaded.warning
        self._clock = Clock()
        self._session = loaded.session
        unknown = [file for file in spec.files if not file.checksum]  # the others were verified
        read = [path.with_name(file.name) for file in unknown] + [loaded.path] * (loaded.path != path)
        digests = [digest(file) for file in read]
        self.identity = repr((spec, digests, self.engine, self.precision))
        self._runner = TerminableSession(self._session.inner_session)
        self._session.inner_session = self._runner

    @property
    def seconds(self) -> float | None:
        """Return the moving mean of the seconds that this process's masks took; None before the first one."""
        return self._clock.mean

    def input_size(self, width: int, height: int) -> tuple[int, int]:  # noqa: ARG002 - one size for every picture
        return self.spec.input_size, self.spec.input_size

    def mask(self, image: Image.Image, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
        with self._clock.measuring(), self._runner.until(deadline), np.errstate(all="ignore"):
            # Where the model returns a constant, rembg divides 0 by 0: NaN, cast to some integer.
            first, *others = map(np.asarray, self._session.predict(image, prompt=prompt))
        for other in others:  # clothes: above the waist, below it, both
            first = np.maximum(first, other)
        return np.asarray(first, dtype=np.uint8)


class SamSegmenter(RembgSegmenter):
    """The session of `sam`, which keeps what its encoder made of the last pictures."""

    _session: SamSession

    def __init__(self, spec: ModelSpec, path: Path, settings: EngineSettings, fast: Sequence[Fast] = ()) -> None:
        super().__init__(spec, path, settings, fast)
        self._embedding = Clock()

    @property
    def seconds(self) -> float | None:
        """Return the seconds of a new photo's first mask: its embedding and the mask."""
        parts = (self._embedding.mean, super().seconds)
        return None if None in parts else sum(part or 0.0 for part in parts)

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        return self._session.input_size(width, height)

    def embed(self, image: Image.Image, deadline: Deadline) -> bool:
        """Encode the picture for the next `mask`; return whether that was done before."""
        start = time.perf_counter()
        with self._runner.until(deadline):
            known = self._session.embed(image)[1]
        if not known:
            self._embedding.note(time.perf_counter() - start)
        return known


def load_segmenter(spec: ModelSpec, folder: Path, settings: EngineSettings) -> RembgSegmenter:
    """Load the model from its checked file, or from the prepared ones. Raises `EngineUnavailable`.

    bf16 and int8 are used on request, and automatically where the processor has instructions for them and the record
    of the prepared files proves that the masks stay f32's and, if this processor measured it, that they save time.
    """
    kind = SamSegmenter if spec.takes_prompt else RembgSegmenter
    path = check_file(spec, folder)
    return kind(spec, path, settings, _fast_files(spec, folder, settings.precision))


def _fast_files(spec: ModelSpec, folder: Path, precision: Precision) -> list[Fast]:
    """Return the prepared files to try in this precision, best first."""
    record = read_record(spec, folder)
    if precision == "bf16":
        return [Fast(spec.prepared_path(folder) if record else spec.path(folder), "bf16")]
    if precision == "f32" or not record:
        return []
    found = record.usable(processor(), usual_precisions())
    if precision == "int8" and record.int8:
        asked = [one for one in found if one.startswith("int8")] or ["int8+f32"]
        found = asked + [one for one in found if one not in asked]
    int8 = spec.int8_path(folder)
    return [Fast(int8 if one.startswith("int8") else spec.prepared_path(folder), one) for one in found]
