"""The commands for models."""

import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

import cli


def test_preparing_a_model_without_its_packages_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMBG_SESSION_PATH", str(tmp_path))
    # As in the container image.
    monkeypatch.setitem(sys.modules, "skimage", None)
    done = CliRunner().invoke(cli.main, ["models", "prepare", "u2net"])
    assert done.exit_code == 1
    assert "skimage is not installed. Prepare it in a checkout" in done.output
