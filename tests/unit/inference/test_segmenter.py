"""A session as a segmenter: the file that it loads, its identity, and its mask."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from services.capacity.deadline import Deadline
from services.errors import DeadlineExceeded, EngineUnavailable
from services.inference import segmenter
from services.inference.catalogue import ModelFile, ModelSpec, digest
from services.inference.processor import PRECISIONS
from services.inference.record import BF16_LIMIT, PREPARATION, Difference, Int8, Record
from services.inference.runtime import EngineSettings, Fast, Loaded
from services.inference.segmenter import RembgSegmenter, load_segmenter

SPEC = ModelSpec("mine", "tests", "MIT", "yes", 64, (ModelFile("mine.onnx"),))
IMAGE = Image.new("RGB", (64, 64))


class Session:
    """A rembg session that returns masks of one grey each, and counts its predictions."""

    def __init__(self, *greys: int) -> None:
        self.inner_session = SimpleNamespace()
        self.greys, self.predictions = greys, 0

    def predict(self, image: Image.Image, prompt: object = None) -> list[Image.Image]:
        self.predictions += 1
        return [Image.new("L", image.size, grey) for grey in self.greys]


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Session:
    """The session that every segmenter of the test opens; on the first fast file if there is one."""
    found = Session(10)

    def opened(_spec: object, path: Path, _settings: object, fast: Sequence[Fast]) -> Loaded:
        chosen = [*fast, Fast(path, "f32")][0]
        return Loaded(found, "openvino", chosen.precision, chosen.path, "")

    monkeypatch.setattr(segmenter, "open_session", opened)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, and its prepared file without a record."""
    SPEC.path(tmp_path).write_bytes(b"original")
    SPEC.prepared_path(tmp_path).write_bytes(b"prepared")
    return tmp_path


def test_seconds_are_the_moving_mean_of_the_masks_in_this_process(
    session: Session, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter([0.0, 1.0, 10.0, 12.0])
    loaded = load_segmenter(SPEC, folder, EngineSettings())
    assert loaded.seconds is None
    monkeypatch.setattr("services.inference.segmenter.time.perf_counter", lambda: next(ticks))
    found: list[float | None] = []
    for _ in range(2):
        loaded.mask(IMAGE, Deadline())
        found.append(loaded.seconds)
    assert found == [1.0, pytest.approx(1.2)]


def write_record(folder: Path, difference: float, int8: Difference | None = None) -> None:
    digests = digest(SPEC.path(folder)), digest(SPEC.prepared_path(folder))
    record = Record(PREPARATION, *digests, [], 0.0, difference, None, None)
    if int8:
        SPEC.int8_path(folder).write_bytes(b"int8")
        found = Int8(digest(SPEC.int8_path(folder)), ["a"], {"f32": int8, "bf16": int8}, {})
        record = replace(record, int8=found)
    SPEC.prepared_path(folder).with_suffix(".json").write_text(json.dumps(asdict(record)))


def test_masks_of_a_session_are_joined(session: Session, folder: Path) -> None:
    session.greys = (10, 200, 30)
    mask = RembgSegmenter(SPEC, SPEC.path(folder), EngineSettings()).mask(IMAGE, Deadline())
    assert mask.shape == (64, 64)
    assert mask.dtype == np.uint8
    assert (mask == 200).all()


def test_expired_deadline_stops_before_the_model(session: Session, folder: Path) -> None:
    found = RembgSegmenter(SPEC, SPEC.path(folder), EngineSettings())
    with pytest.raises(DeadlineExceeded):
        found.mask(IMAGE, Deadline(0))
    assert session.predictions == 0
    assert found.input_size(900, 300) == (64, 64)


def test_identity_changes_with_the_file_and_the_precision(session: Session, folder: Path) -> None:
    path, prepared = SPEC.path(folder), SPEC.prepared_path(folder)

    def identities() -> list[str]:
        return [RembgSegmenter(SPEC, path, EngineSettings(), bf16).identity for bf16 in ([], [Fast(prepared, "bf16")])]

    f32, bf16 = identities()
    assert f32 != bf16
    prepared.write_bytes(b"another")
    assert identities()[0] == f32
    assert identities()[1] != bf16
    path.write_bytes(b"another")
    assert identities()[0] != f32


@pytest.mark.parametrize(
    ("precision", "difference", "fast", "expected"),
    [
        ("auto", BF16_LIMIT, True, "mine.prepared.onnx"),
        ("auto", BF16_LIMIT, False, None),
        ("auto", BF16_LIMIT * 2, True, None),
        ("auto", None, True, None),
        ("f32", BF16_LIMIT, True, None),
        ("bf16", BF16_LIMIT * 2, False, "mine.prepared.onnx"),
        ("bf16", None, False, "mine.onnx"),
    ],
)
def test_bf16_needs_a_request_or_a_good_record(
    monkeypatch: pytest.MonkeyPatch, folder: Path, precision: Any, difference: float | None, fast: bool, expected: Any
) -> None:
    if difference is not None:
        write_record(folder, difference)
    assert offered(monkeypatch, folder, precision, bf16=fast) == ([f"{expected} bf16"] if expected else [])


@pytest.mark.parametrize(
    ("precision", "error", "bf16", "int8", "expected"),
    [
        (
            "auto",
            0.001,
            True,
            True,
            ["mine.int8.prepared.onnx int8+bf16", "mine.int8.prepared.onnx int8+f32", "mine.prepared.onnx bf16"],
        ),
        ("auto", 0.001, False, True, ["mine.int8.prepared.onnx int8+f32"]),
        ("auto", 0.001, True, False, ["mine.prepared.onnx bf16"]),
        ("auto", 0.01, True, True, ["mine.prepared.onnx bf16"]),
        ("int8", 0.01, False, False, ["mine.int8.prepared.onnx int8+f32"]),
        ("bf16", 0.001, True, True, ["mine.prepared.onnx bf16"]),
        ("f32", 0.001, True, True, []),
        ("int8", None, True, True, ["mine.prepared.onnx bf16"]),
    ],
)
def test_int8_needs_a_request_or_a_good_record(
    monkeypatch: pytest.MonkeyPatch,
    folder: Path,
    precision: Any,
    error: float | None,
    bf16: bool,
    int8: bool,
    expected: list[str],
) -> None:
    write_record(folder, BF16_LIMIT, Difference(error, error) if error else None)
    assert offered(monkeypatch, folder, precision, bf16=bf16, int8=int8) == expected


def offered(
    monkeypatch: pytest.MonkeyPatch, folder: Path, precision: Any, *, bf16: bool, int8: bool = False
) -> list[str]:
    """The fast files that loading the model tries, on a processor that is fast at these."""
    files: list[str] = []

    def opened(_spec: object, path: Path, _settings: object, fast: Sequence[Fast]) -> Loaded:
        assert path == SPEC.path(folder)
        files.extend(f"{file.path.name} {file.precision}" for file in fast)
        return Loaded(Session(), "openvino", "f32", path, "")

    monkeypatch.setattr(segmenter, "open_session", opened)
    lacking = [name for name, there in (("bf16", bf16), ("int8", int8)) if not there]
    usual = [one for one in PRECISIONS if not any(name in one for name in lacking)]
    monkeypatch.setattr(segmenter, "usual_precisions", lambda: usual)
    load_segmenter(SPEC, folder, EngineSettings(precision=precision))
    return files


def test_missing_model_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="mine can't be read"):
        load_segmenter(SPEC, tmp_path, EngineSettings())
