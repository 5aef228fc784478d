"""The commands for models."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import cli
from services.inference.processor import has_bf16, processor
from services.inference.record import read_record
from tests.support.tiny_models import stand_in


def test_preparing_a_model_without_its_packages_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMBG_SESSION_PATH", str(tmp_path))
    # As in the container image.
    monkeypatch.setitem(sys.modules, "skimage", None)
    done = CliRunner().invoke(cli.main, ["models", "prepare", "u2net"])
    assert done.exit_code == 1
    assert "skimage is not installed. Prepare it in a checkout" in done.output


@pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16")
def test_times_of_another_processor_are_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REMBG_SESSION_PATH", str(tmp_path))
    spec = stand_in("u2netp", tmp_path, monkeypatch)
    first = CliRunner().invoke(cli.main, ["models", "prepare", "u2netp"], catch_exceptions=False)
    assert "u2netp: runs in " in first.output
    path = spec.prepared_path(tmp_path).with_suffix(".json")
    # A bf16 as fast as this would be noticed.
    path.write_text(json.dumps({**json.loads(path.read_text()), "processor": "another", "times": {"bf16": 0.001}}))
    CliRunner().invoke(cli.main, ["models", "prepare", "u2netp"], catch_exceptions=False)
    record = read_record(spec, tmp_path)
    assert record
    assert record.processor == processor()
    assert record.times["bf16"] != 0.001
    # What this processor has measured stays.
    path.write_text(json.dumps({**json.loads(path.read_text()), "times": {"bf16": 0.002}}))
    CliRunner().invoke(cli.main, ["models", "prepare", "u2netp"], catch_exceptions=False)
    found = read_record(spec, tmp_path)
    assert found
    assert found.times == {"bf16": 0.002}
