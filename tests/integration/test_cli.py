"""The command line gives the same bytes as HTTP, for files, folders and pipes."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from PIL import Image

from tests.support.commands import cli
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded
from tests.support.waiting import ROOT

Load = Callable[[str], Image.Image]


def test_file_pipe_and_http_give_the_same_bytes(tmp_path: Path, jpeg: bytes, server: Gunicorn) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    done = cli("remove", tmp_path / "photo.jpg", "-o", tmp_path / "out.webp", "-O", "quality=50", "-O", "max_width=200")
    assert done.returncode == 0, done.stderr
    piped = cli("remove", "-", "-O", "format=webp", "-O", "quality=50", "-O", "max_width=200", data=jpeg)
    assert piped.returncode == 0, piped.stderr
    asked = {"format": "webp", "quality": "50", "max_width": "200"}
    answer = requests.post(f"{server.url}/remove-background", files={"file": jpeg}, data=asked, timeout=30)
    assert (tmp_path / "out.webp").read_bytes() == piped.stdout == answer.content


def test_background_image_is_read_from_its_path(tmp_path: Path, jpeg: bytes, server: Gunicorn) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    Image.new("RGB", (50, 50), "teal").save(tmp_path / "behind.png")
    option = f"background_image={tmp_path / 'behind.png'}"
    done = cli("remove", tmp_path / "photo.jpg", "-o", tmp_path / "out.zip", "-O", option, "-O", "crop=yes")
    assert done.returncode == 0, done.stderr
    files = {"file": jpeg, "background_image": (tmp_path / "behind.png").read_bytes()}
    asked = {"format": "zip", "crop": "yes"}
    answer = requests.post(f"{server.url}/remove-background", files=files, data=asked, timeout=30)
    assert (tmp_path / "out.zip").read_bytes() == answer.content


def test_folder_shows_progress_and_continues_past_a_bad_file(tmp_path: Path, photo: Load) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    (folder / "below").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(encoded(photo("chelsea"), "JPEG"))
    (folder / "a.png").write_bytes(encoded(photo("coffee"), "PNG"))
    (folder / "below/b.webp").write_bytes(encoded(photo("rocket"), "WEBP"))
    (folder / "bad.png").write_bytes(b"no png")
    (folder / "notes.txt").write_text("not an image")
    done = cli("remove", folder, "-o", target)
    assert done.returncode == 1
    assert b"bad.png" in done.stderr
    assert b"3 done, 1 failed" in done.stderr
    assert b"Removing backgrounds" in done.stderr
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*.*"))
    assert found == ["a-jpg-no-bg.png", "a-png-no-bg.png", "below/b-no-bg.png"]


def test_default_output_is_in_the_photos_folder(tmp_path: Path, jpeg: bytes) -> None:
    (tmp_path / "me.jpg").write_bytes(jpeg)
    assert cli("remove", tmp_path / "me.jpg", "-O", "preset=thumbnail").returncode == 0
    with Image.open(tmp_path / "me-no-bg.webp") as image:
        assert image.size == (300, 300)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-O", "qualty=3"), "did you mean 'quality'"),
        (("-O", "quality=3"), "a whole number from 10 to 100"),
        (("-O", "quality"), "NAME=VALUE"),
        (("-O", "model=u2net"), "not one of: u2netp"),
        (("-O", "background_image=nothing-there.png"), "background_image can't be read: nothing-there.png"),
        (("-o", "out.gif"), "results can be .png, .webp, .jpg, .avif, .zip, not .gif"),
    ],
)
def test_invalid_arguments_are_explained_and_write_nothing(
    tmp_path: Path, jpeg: bytes, words: tuple[str, ...], message: str
) -> None:
    (tmp_path / "me.jpg").write_bytes(jpeg)
    done = cli("remove", tmp_path / "me.jpg", *words)
    assert done.returncode != 0
    assert message in done.stderr.decode()
    assert "Traceback" not in done.stderr.decode()
    assert [path.name for path in tmp_path.iterdir()] == ["me.jpg"]


def test_non_image_file_is_explained(tmp_path: Path) -> None:
    (tmp_path / "me.jpg").write_text("hello")
    done = cli("remove", tmp_path / "me.jpg")
    assert (done.returncode, b"found text" in done.stderr) == (1, True)


def test_models_are_listed_and_the_default_is_warmed_up() -> None:
    listed = cli("models", "list").stdout.decode().splitlines()
    assert listed[0].split()[:8] == ["u2netp", "here", "320", "px", "5", "MB", "sha256", "Apache-2.0"]
    assert any(line.startswith("bria-rmbg") and "only with a licence of BRIA AI" in line for line in listed)
    assert cli("warmup").stdout.startswith(b"u2netp: ")
    assert b"is published nowhere" in cli("models", "fetch", "birefnet-general-fp16").stderr


def test_help_loads_no_model_and_no_engine() -> None:
    script = "import sys, cli\ntry: cli.main(['remove', '--help'])\nexcept SystemExit: pass\nprint(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = done.stdout.splitlines()[-1]
    for heavy in ("onnxruntime", "rembg", "cv2", "flask", "numba"):
        assert f"'{heavy}'" not in loaded
