"""The record of a prepared model, and the files that it counts for."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from services.inference.catalogue import ModelFile, ModelSpec, digest
from services.inference.record import (
    BF16_LIMIT,
    INT8_LIMIT,
    INT8_WORST_LIMIT,
    PREPARATION,
    Difference,
    Int8,
    Record,
    read_record,
)

SPEC = ModelSpec("mine", "tests", "MIT", "yes", 64, (ModelFile("mine.onnx"),))
RECORD = Record(PREPARATION, "", "", [], 0.0, BF16_LIMIT, None, None)
GOOD = Difference(INT8_LIMIT, INT8_WORST_LIMIT)
INT8 = Int8("", ["a"], {"f32": GOOD, "bf16": GOOD}, {})
ALL = ("int8+bf16", "int8+f32", "bf16")


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


def test_int8_counts_only_for_its_very_file(tmp_path: Path) -> None:
    SPEC.int8_path(tmp_path).write_bytes(b"int8")
    int8 = replace(INT8, sha256=digest(SPEC.int8_path(tmp_path)), measured={"f32": GOOD})
    written = write(tmp_path, int8=asdict(int8))
    found = read_record(SPEC, tmp_path)
    assert found == replace(written, int8=int8)
    SPEC.int8_path(tmp_path).write_bytes(b"another")
    assert read_record(SPEC, tmp_path) is None
    SPEC.int8_path(tmp_path).unlink()
    assert read_record(SPEC, tmp_path) is None


def test_int8_is_refused_beyond_its_budget() -> None:
    assert INT8.refusal("f32") == ""
    for bad in (replace(GOOD, mean=INT8_LIMIT * 1.01), replace(GOOD, worst=INT8_WORST_LIMIT * 1.01)):
        assert replace(INT8, emulated={"f32": bad, "bf16": GOOD}).refusal("f32").startswith("masks differ from f32 by")
        assert replace(INT8, measured={"f32": bad}).refusal("f32").startswith("masks differ from f32 by")
        # The other precision's measurement does not count.
        assert replace(INT8, measured={"f32": bad}).refusal("bf16") == ""


def test_record_of_another_version_is_ignored(tmp_path: Path) -> None:
    write(tmp_path, version=PREPARATION + 1)
    assert read_record(SPEC, tmp_path) is None


@pytest.mark.parametrize(
    "text", ["", "[]", "{", '{"version": 1}', '{"unknown": 1}', "null", '{"int8": {"emulated": 1}}']
)
def test_malformed_record_is_ignored(tmp_path: Path, text: str) -> None:
    write(tmp_path)
    SPEC.prepared_path(tmp_path).with_suffix(".json").write_text(text)
    assert read_record(SPEC, tmp_path) is None


def test_bf16_is_good_while_both_differences_are_small() -> None:
    assert RECORD.refusal("bf16") == ""
    assert replace(RECORD, measured_mean_difference=BF16_LIMIT).refusal("bf16") == ""
    assert replace(RECORD, measured_mean_difference=BF16_LIMIT * 1.01).refusal("bf16").startswith("masks differ")
    assert replace(RECORD, emulated_mean_difference=BF16_LIMIT * 1.01).refusal("bf16").startswith("masks differ")


def test_precisions_are_tried_in_the_order_of_the_times_that_this_processor_measured() -> None:
    record = replace(RECORD, int8=INT8, processor="this", times={"bf16": 0.9, "int8+bf16": 0.5, "int8+f32": 0.4})
    assert record.usable("this", ALL) == ["int8+f32", "int8+bf16", "bf16"]
    # Another processor's times say nothing here.
    assert record.usable("another", ALL) == list(ALL)
    assert replace(record, processor="").usable("", ALL) == list(ALL)


def test_precision_that_saves_no_time_on_this_processor_is_not_used() -> None:
    record = replace(RECORD, int8=INT8, processor="this", times={"bf16": 1.5, "int8+bf16": 0.96, "int8+f32": 0.94})
    assert record.usable("this", ALL) == ["int8+f32"]
    assert record.refusal("bf16") == "a mask takes 1.50 of the time of f32"
    assert record.usable("another", ALL) == list(ALL)


def test_precision_that_this_processor_could_not_measure_is_not_used() -> None:
    assert replace(RECORD, int8=INT8, processor="this", times={"int8+f32": 0.4}).usable("this", ALL) == ["int8+f32"]


def test_precision_whose_masks_differ_is_not_used_however_fast_it_is() -> None:
    bad = replace(INT8, emulated={"f32": GOOD, "bf16": replace(GOOD, mean=1.0)})
    record = replace(RECORD, int8=bad, processor="this", times={"bf16": 0.6, "int8+bf16": 0.1, "int8+f32": 0.5})
    assert record.usable("this", ALL) == ["int8+f32", "bf16"]
    assert record.usable("another", ALL) == ["int8+f32", "bf16"]
    assert replace(RECORD, int8=None).usable("another", ALL) == ["bf16"]
