"""The record of a prepared model: its changes, and its masks' differences from the original's."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.inference.catalogue import ModelSpec, digest

# The method's version: records of other versions are ignored.
PREPARATION: Final = 1
# bf16 is good up to this mean difference of the masks.
BF16_LIMIT: Final = 0.0015


@dataclass(frozen=True)
class Record:
    """The changes that prepared a model for bf16, and their cost. Differences are of mask values from 0 to 1."""

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

    @property
    def good(self) -> bool:
        """Whether bf16 may be used automatically."""
        return max(self.emulated_mean_difference, self.measured_mean_difference or 0.0) <= BF16_LIMIT


def read_record(spec: ModelSpec, folder: Path) -> Record | None:
    """Return the record of the prepared file; None where there is none, or where it describes other files."""
    prepared = spec.prepared_path(folder)
    try:
        record = Record(**json.loads(prepared.with_suffix(".json").read_text()))
        digests = [digest(spec.path(folder)), digest(prepared)]
    except (OSError, ValueError, TypeError):
        return None
    found = [record.version, record.original_sha256, record.prepared_sha256]
    return record if found == [PREPARATION, *digests] else None
