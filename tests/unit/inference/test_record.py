"""The record of a prepared model, and the files that it counts for."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from services.inference.catalogue import ModelFile, ModelSpec, digest
from services.inference.record import BF16_LIMIT, PREPARATION, Record, read_record

SPEC = ModelSpec("mine", "tests", "MIT", "yes", 64, (ModelFile("mine.onnx"),))
RECORD = Record(PREPARATION, "", "", [], 0.0, BF16_LIMIT, None, None)


def write(folder: Path, **changes: object) -> Record:
    """Write a model, its prepared file and its record."""
    SPEC.path(folder).write_bytes(b"original")
    prepared = SPEC.prepared_path(folder)
    prepared.write_bytes(b"prepared")
    digests = {"original_sha256": digest(SPEC.path(folder)), "prepared_sha256": digest(prepared)}
    record = Record(**{**asdict(RECORD), **digests, **changes})
    prepared.with_suffix(".json").write_text(json.dumps(asdict(record)))
    return record


def test_record_of_these_files_is_read(tmp_path: Path) -> None:
    assert read_record(SPEC, tmp_path) is None
    written = write(tmp_path, shifts=[{"tensor": "a", "amount": 224.0}], measured_before=0.25)
    assert read_record(SPEC, tmp_path) == written


@pytest.mark.parametrize("name", ["mine.onnx", "mine.prepared.onnx"])
@pytest.mark.parametrize("content", [b"another", None], ids=["changed", "missing"])
def test_record_of_other_files_is_ignored(tmp_path: Path, name: str, content: bytes | None) -> None:
    write(tmp_path)
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)
    assert read_record(SPEC, tmp_path) is None


def test_record_of_another_version_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, version=PREPARATION + 1)
    assert read_record(SPEC, tmp_path) is None


@pytest.mark.parametrize("text", ["", "[]", "{", '{"version": 1}', '{"unknown": 1}', "null"])
def test_malformed_record_is_ignored(tmp_path: Path, text: str) -> None:
    write(tmp_path)
    SPEC.prepared_path(tmp_path).with_suffix(".json").write_text(text)
    assert read_record(SPEC, tmp_path) is None


def test_bf16_is_good_while_both_differences_are_small() -> None:
    assert RECORD.good
    assert replace(RECORD, measured_mean_difference=BF16_LIMIT).good
    assert not replace(RECORD, measured_mean_difference=BF16_LIMIT * 1.01).good
    assert not replace(RECORD, emulated_mean_difference=BF16_LIMIT * 1.01).good
