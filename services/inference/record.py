"""The record of a prepared model: its changes, and its masks' differences from the original's."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from services.inference.catalogue import ModelSpec, digest

# The method's version: records of other versions are ignored.
PREPARATION: Final = 4
# bf16 is good up to this mean difference of the masks.
BF16_LIMIT: Final = 0.0015
# int8 is good up to this mean difference, and up to this one on the worst photo.
INT8_LIMIT: Final = 0.0015
INT8_WORST_LIMIT: Final = 0.004
# A precision must save at least this part of f32's time.
LEAST_GAIN: Final = 0.05


@dataclass(frozen=True)
class Difference:
    """The difference of masks from f32's, of 1: the mean over photos, and the worst photo's."""

    mean: float
    worst: float


@dataclass(frozen=True)
class Int8:
    """The file in which some convolutions run in int8. Differences are by the other convolutions' precision."""

    sha256: str
    convolutions: list[str]
    """The outputs of these convolutions."""
    emulated: dict[str, Difference]
    measured: dict[str, Difference]
    """The same on this processor, with the engine itself; empty where it has no fast int8."""

    def refusal(self, rest: str) -> str:
        """Return what is wrong with the masks, with `rest` as the other convolutions' precision; "" if nothing is."""
        for found in (self.emulated[rest], self.measured.get(rest)):
            if found and (found.mean > INT8_LIMIT or found.worst > INT8_WORST_LIMIT):
                return f"masks differ from f32 by {found.mean:.5f}, on the worst photo by {found.worst:.5f}"
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
    processor: str = ""
    """The processor that measured `times`."""
    times: dict[str, float] = field(default_factory=dict)
    """The processor time of a mask in each precision that this processor has instructions for, in proportion to
    f32's.
    """

    def refusal(self, precision: str) -> str:
        """Return why `bf16`, `int8+bf16` or `int8+f32` is not used automatically on `processor`; "" if it may be."""
        rest = precision.removeprefix("int8+")
        if rest != precision:
            why = self.int8.refusal(rest) if self.int8 else "no convolutions are known to be good in int8"
        else:
            most = max(self.emulated_mean_difference, self.measured_mean_difference or 0.0)
            why = f"masks differ from f32 by {most:.5f}" if most > BF16_LIMIT else ""
        slow = self.times.get(precision, 0.0) > 1 - LEAST_GAIN
        return why or (f"a mask takes {self.times[precision]:.2f} of the time of f32" if slow else "")

    def usable(self, processor: str, usual: Sequence[str]) -> list[str]:
        """Return the precisions that may be used automatically, fastest first.

        On a processor that did not measure the times: those of `usual`, in its order.
        """
        if not processor or processor != self.processor:
            return [one for one in usual if not replace(self, times={}).refusal(one)]
        return sorted((one for one in self.times if not self.refusal(one)), key=self.times.__getitem__)


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
