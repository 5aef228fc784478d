"""The record of a prepared model: its changes, and its masks' differences from the original's."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from services.inference.catalogue import ModelSpec, digest

# The method's version: records of other versions are ignored.
PREPARATION: Final = 3
# bf16 is good up to this mean difference of the masks.
BF16_LIMIT: Final = 0.0015
# int8 is good up to this mean difference, and up to this one on the worst photo.
INT8_LIMIT: Final = 0.0015
INT8_WORST_LIMIT: Final = 0.004
# int8 must save at least this part of a mask's time.
INT8_LEAST_GAIN: Final = 0.05


@dataclass(frozen=True)
class Difference:
    """The difference of masks from f32's, of 1: the mean over photos, and the worst photo's."""

    mean: float
    worst: float


@dataclass(frozen=True)
class Int8:
    """The file in which some convolutions run in int8. Differences are by the other convolutions' precision."""

    sha256: str
    scales: dict[str, float]
    """The outputs of the convolutions, and the largest value of their data that is not clipped."""
    emulated: dict[str, Difference]
    measured: dict[str, Difference]
    """The same on this processor, with the engine itself; empty where it has no fast int8."""
    time: dict[str, float]
    """The time of a mask in proportion to the same precision's without int8; empty where int8 is not fast."""

    def refusal(self, rest: str) -> str:
        """Return why int8 is not used automatically, with `rest` as the other convolutions' precision; "" if it is."""
        for found in (self.emulated[rest], self.measured.get(rest)):
            if found and (found.mean > INT8_LIMIT or found.worst > INT8_WORST_LIMIT):
                return f"masks differ from f32 by {found.mean:.5f}, on the worst photo by {found.worst:.5f}"
        if self.time.get(rest, 0.0) > 1 - INT8_LEAST_GAIN:
            return f"a mask takes {self.time[rest]:.2f} of the time without it"
        return ""


@dataclass(frozen=True)
class Record:
    """The changes that prepared a model, and their cost. Differences are of mask values from 0 to 1."""

    version: int
    original_sha256: str
    prepared_sha256: str
    shifts: list[dict[str, object]]
    f32_largest_difference: float
    emulated_mean_difference: float
    """bf16 masks against f32's, with every convolution's operands rounded in f32 arithmetic: on any processor."""
    measured_mean_difference: float | None
    """The same on this processor, with the engine itself; None where it has no fast bf16."""
    measured_before: float | None
    """What the unprepared model would have given."""
    int8: Int8 | None = None
    """None where no convolutions are known to be good in int8."""
    side_outputs_fused: bool = False
    """Whether `services/inference/side_outputs.py` replaced the last step."""

    @property
    def good(self) -> bool:
        """Whether bf16 may be used automatically."""
        return max(self.emulated_mean_difference, self.measured_mean_difference or 0.0) <= BF16_LIMIT


def read_record(spec: ModelSpec, folder: Path) -> Record | None:
    """Return the record of the prepared files; None where there is none, or where it describes other files."""
    prepared = spec.prepared_path(folder)
    try:
        record = _parse(json.loads(prepared.with_suffix(".json").read_text()))
        found = [record.version, record.original_sha256, record.prepared_sha256]
        real = [PREPARATION, digest(spec.path(folder)), digest(prepared)]
        if record.int8:
            found.append(record.int8.sha256)
            real.append(digest(spec.int8_path(folder)))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
    return record if found == real else None


def _parse(raw: dict[str, Any]) -> Record:
    int8 = raw.pop("int8", None)
    if int8 is not None:
        for key in ("emulated", "measured"):
            int8[key] = {rest: Difference(**found) for rest, found in int8[key].items()}
        int8 = Int8(**int8)
    return Record(**raw, int8=int8)
