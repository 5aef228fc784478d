"""A session as a segmenter: the file that it loads, its identity, and its mask."""

import json
from dataclasses import asdict
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
from services.inference.record import BF16_LIMIT, PREPARATION, Record
from services.inference.runtime import EngineSettings, Loaded
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
    """The session that every segmenter of the test opens; in bf16 where it has a file for it."""
    found = Session(10)

    def opened(_spec: object, _path: Path, _settings: object, bf16_path: Path | None) -> Loaded:
        return Loaded(found, "openvino", "f32" if bf16_path is None else "bf16", "")

    monkeypatch.setattr(segmenter, "open_session", opened)
    return found


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model, and its prepared file without a record."""
    SPEC.path(tmp_path).write_bytes(b"original")
    SPEC.prepared_path(tmp_path).write_bytes(b"prepared")
    return tmp_path


def write_record(folder: Path, difference: float) -> None:
    digests = digest(SPEC.path(folder)), digest(SPEC.prepared_path(folder))
    record = Record(PREPARATION, *digests, [], 0.0, difference, None, None)
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
        return [RembgSegmenter(SPEC, path, EngineSettings(), bf16).identity for bf16 in (None, prepared)]

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
    files: list[Path | None] = []

    def opened(_spec: object, path: Path, _settings: object, bf16_path: Path | None) -> Loaded:
        assert path == SPEC.path(folder)
        files.append(bf16_path)
        return Loaded(Session(), "openvino", "f32", "")

    monkeypatch.setattr(segmenter, "open_session", opened)
    monkeypatch.setattr(segmenter, "bf16_is_fast", lambda: fast)
    load_segmenter(SPEC, folder, EngineSettings(precision=precision))
    assert [path and path.name for path in files] == [expected]


def test_missing_model_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable, match="mine can't be read"):
        load_segmenter(SPEC, tmp_path, EngineSettings())
