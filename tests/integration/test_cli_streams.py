"""The command line where names, folders or the standard streams are not as usual."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.commands import cli
from tests.support.waiting import ROOT

NOT_UTF_8 = os.fsdecode(b"caf\xe9")


def shell(line: str, folder: Path, models: Path = ROOT / "models") -> subprocess.CompletedProcess[bytes]:
    """Run the command line in a shell, which can close its streams."""
    env = {"PATH": "/usr/bin:/bin", "REMBG_SESSION_PATH": str(models)}
    command = ["sh", "-c", f"exec {sys.executable} {ROOT / 'cli.py'} {line}"]
    return subprocess.run(command, cwd=folder, env=env, capture_output=True, timeout=120, check=False)


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take no other names than UTF-8")
@pytest.mark.long
def test_report_holds_names_that_are_no_utf_8(tmp_path: Path, small: bytes) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / f"in/{NOT_UTF_8}.jpg").write_bytes(small)
    done = cli("remove", tmp_path / "in", "-o", tmp_path / "out", "--json", PYTHONIOENCODING="utf-8:strict")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["images"][0]["source"] == str(tmp_path / f"in/{NOT_UTF_8}.jpg")
    assert (tmp_path / f"out/{NOT_UTF_8}-no-bg.png").exists()


@pytest.mark.long
def test_long_name_of_wide_letters_has_a_result(tmp_path: Path, small: bytes) -> None:
    # 240 bytes and the ending, of 255 that a name may have.
    path = tmp_path / f"{'写' * 80}.jpg"
    path.write_bytes(small)
    done = cli("remove", path)
    assert done.returncode == 0, done.stderr
    assert path.with_name(f"{'写' * 80}-no-bg.png").exists()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("remove - <&-", "there is no standard input"),
        ("remove photo.jpg -o - >&-", "there is no standard output"),
        ("remove . -o out --json >&-", "there is no standard output"),
        (f"remove photo.jpg -o {'x' * 300}.png", "File name too long"),
        ("remove . -o loop", "links lead in a circle"),
        ("watch . -o loop", "links lead in a circle"),
        ("remove photo.jpg -o cutouts/", "cutouts/ is a folder; name the result of one picture with -o FILE"),
        ("models fetch u2netp", "photo.jpg: File exists"),
    ],
)
def test_file_that_cannot_be_used_is_named(tmp_path: Path, small: bytes, line: str, message: str) -> None:
    (tmp_path / "photo.jpg").write_bytes(small)
    (tmp_path / "loop").symlink_to("loop")
    done = shell(line, tmp_path, tmp_path / "photo.jpg" if line.startswith("models") else ROOT / "models")
    text = done.stderr.decode()
    assert done.returncode in (1, 2)
    assert message in text
    assert "Traceback" not in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["loop", "photo.jpg"]


def test_full_disk_behind_standard_output_is_named(tmp_path: Path, small: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(small)
    piped = shell("remove photo.jpg -o - >/dev/full", tmp_path)
    assert (piped.returncode, piped.stderr) == (1, b"Error: standard output: No space left on device\n")
    reported = shell("remove photo.jpg --json >/dev/full", tmp_path)
    assert (reported.returncode, b"No space left on device" in reported.stderr) == (1, True)
    assert b"Traceback" not in reported.stderr
    assert (tmp_path / "photo-no-bg.png").exists()


def test_log_never_reaches_standard_output(tmp_path: Path, small: bytes) -> None:
    shutil.copy(ROOT / "models/u2netp.onnx", tmp_path)
    # No folder of compiled models can be made there, which the engine logs.
    (tmp_path / ".openvino").touch()
    done = cli("remove", "-", data=small, REMBG_SESSION_PATH=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"\x89PNG")


@pytest.mark.parametrize("words", [("remove", "photo.jpg"), ("watch", ".", "-o", "out")])
def test_model_that_cannot_be_used_is_explained_without_a_server(
    tmp_path: Path, small: bytes, words: tuple[str, ...]
) -> None:
    (tmp_path / "photo.jpg").write_bytes(small)
    (tmp_path / "u2netp.onnx").write_bytes(b"no model")
    done = cli(*words, cwd=tmp_path, REMBG_SESSION_PATH=tmp_path)
    assert done.returncode == 2
    assert b"its SHA-256 is not the known one" in done.stderr
    assert b"/health" not in done.stderr
