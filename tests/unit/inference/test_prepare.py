"""Preparing a model: its files, their record, and the models that are refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import onnx
import pytest
from PIL import Image

from services.errors import EngineUnavailable
from services.inference import int8
from services.inference import prepare as module
from services.inference.calibration import calibration_photos
from services.inference.catalogue import CATALOGUE
from services.inference.prepare import prepare
from services.inference.processor import PRECISIONS, has_bf16, processor
from services.inference.record import BF16_LIMIT, INT8_LIMIT, INT8_WORST_LIMIT, read_record
from tests.support.tiny_models import stand_in
from tests.support.waiting import ROOT

GRADIENT = Image.linear_gradient("L").convert("RGB")


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A processor without instructions for bf16 and int8."""
    monkeypatch.setattr(module, "has_instructions", lambda _precision: False)


@pytest.mark.parametrize("name", ["sam", "u2net_cloth_seg", "birefnet-general"])
def test_model_whose_mask_is_made_otherwise_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"{name} can't be prepared"):
        prepare(CATALOGUE[name], tmp_path, [], 1)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineUnavailable):
        prepare(CATALOGUE["u2netp"], tmp_path, [], 1)
    assert list(tmp_path.iterdir()) == []


def test_prepared_model_is_recorded_next_to_the_original(
    slow: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = stand_in("u2netp", tmp_path, monkeypatch)
    record = prepare(spec, tmp_path, [GRADIENT], 1)
    assert read_record(spec, tmp_path) == record
    assert record.f32_largest_difference < 1e-6
    assert record.measured_mean_difference is None
    assert record.int8 is None
    assert (record.processor, record.times) == ("", {})
    assert not spec.int8_path(tmp_path).exists()
    # Only the first output is kept.
    assert len(onnx.load(str(spec.prepared_path(tmp_path))).graph.output) == 1
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16")
def test_preparing_measures_the_time_of_each_precision_on_this_processor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = prepare(stand_in("u2netp", tmp_path, monkeypatch), tmp_path, [GRADIENT], 1)
    assert record.processor == processor() != ""
    assert list(record.times) == ["bf16"]
    assert record.times["bf16"] > 0


@pytest.mark.long
def test_default_model_keeps_its_masks_in_bf16_and_int8(slow: None, tmp_path: Path) -> None:
    spec = CATALOGUE["u2netp"]
    shutil.copy(spec.path(ROOT / "models"), tmp_path)
    record = prepare(spec, tmp_path, calibration_photos(), threads=2)
    assert record.f32_largest_difference < 1e-4
    assert record.emulated_mean_difference < BF16_LIMIT
    assert any(shift["amount"] == 224.0 for shift in record.shifts)
    assert record.int8
    for found in record.int8.emulated.values():
        assert found.mean <= INT8_LIMIT
        assert found.worst <= INT8_WORST_LIMIT
    assert not any(map(record.refusal, PRECISIONS))
    assert read_record(spec, tmp_path) == record


@pytest.mark.long
def test_scales_that_clip_too_much_are_refused(slow: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = CATALOGUE["u2netp"]
    shutil.copy(spec.path(ROOT / "models"), tmp_path)
    known = int8.known_scales(spec.files[0].checksum.removeprefix("sha256:"))
    clipped = {name: replace(scale, largest=scale.largest / 3) for name, scale in known.items()}
    monkeypatch.setattr(module, "known_scales", lambda _digest: clipped)
    record = prepare(spec, tmp_path, calibration_photos()[:2], threads=2)
    assert record.int8
    assert record.int8.refusal("f32").startswith("masks differ from f32 by")
