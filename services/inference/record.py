"""The record of a prepared model: what was changed, and how far its masks are from the original's."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.inference.catalogue import ModelSpec, digest

# The method's version: a record of another one does not count.
PREPARATION: Final = 1
# Mean difference of the masks up to which bf16 counts as good.
BF16_LIMIT: Final = 0.0015


@dataclass(frozen=True)
class Record:
    """What was done to prepare a model for bf16, and what it costs. Differences are of mask values from 0 to 1."""

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
        """Whether bf16 may be used without being asked for."""
        return max(self.emulated_mean_difference, self.measured_mean_difference or 0.0) <= BF16_LIMIT


def read_record(spec: ModelSpec, folder: Path) -> Record | None:
    """The record of the prepared file; None where there is none, or where it is not of these very files."""
    prepared = spec.prepared_path(folder)
    try:
        record = Record(**json.loads(prepared.with_suffix(".json").read_text()))
        digests = [digest(spec.path(folder)), digest(prepared)]
    except (OSError, ValueError, TypeError):
        return None
    found = [record.version, record.original_sha256, record.prepared_sha256]
    return record if found == [PREPARATION, *digests] else None
