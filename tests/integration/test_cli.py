"""The command line gives the same bytes as HTTP, for files, folders and pipes."""

import base64
import io
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import requests
from PIL import Image

from tests.support.commands import cli, quick_cli
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded
from tests.support.waiting import ROOT, poll

Load = Callable[[str], Image.Image]


def test_file_pipe_and_http_give_the_same_bytes(tmp_path: Path, jpeg: bytes, server: Gunicorn) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    asked = {"quality": "50", "max_width": "200", "model": "best", "detail": "always"}
    options = [word for name, value in asked.items() for word in ("-O", f"{name}={value}")]
    done = cli("remove", tmp_path / "photo.jpg", "-o", tmp_path / "out.webp", *options)
    assert done.returncode == 0, done.stderr
    piped = cli("remove", "-", "-O", "format=webp", *options, data=jpeg)
    assert piped.returncode == 0, piped.stderr
    asked |= {"format": "webp"}
    answer = requests.post(f"{server.url}/remove-background", files={"file": jpeg}, data=asked, timeout=30)
    assert (tmp_path / "out.webp").read_bytes() == piped.stdout == answer.content


@pytest.mark.long
def test_canvas_is_the_same_by_every_way(tmp_path: Path, jpeg: bytes, server: Gunicorn) -> None:
    asked = {"canvas": "300x200", "scale": "80%", "enlarge": "never", "background_blur": "30", "format": "jpeg"}
    options = [word for name, value in asked.items() for word in ("-O", f"{name}={value}")]
    piped = cli("remove", "-", *options, data=jpeg)
    assert piped.returncode == 0, piped.stderr
    with Image.open(io.BytesIO(piped.stdout)) as image:
        assert image.size == (300, 200)
    url = f"{server.url}/remove-background"
    form = requests.post(url, files={"file": jpeg}, data=asked, timeout=30)
    query = requests.post(url, params=asked, data=jpeg, headers={"Content-Type": "image/jpeg"}, timeout=30)
    body = {**asked, "image": base64.b64encode(jpeg).decode()}
    as_json = requests.post(f"{server.url}/remove-background-base64", json=body, timeout=30)
    in_json = base64.b64decode(as_json.json()["image"])
    assert piped.stdout == form.content == query.content == in_json


@pytest.mark.long
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
    done = quick_cli("remove", folder, "-o", target)
    assert done.returncode == 1
    assert b"bad.png" in done.stderr
    assert b"3 done, 1 failed" in done.stderr
    assert b"Removing backgrounds" in done.stderr
    found = sorted(str(path.relative_to(target)) for path in target.rglob("*.*"))
    assert found == ["a-jpg-no-bg.png", "a-png-no-bg.png", "below/b-no-bg.png"]


def test_default_output_is_in_the_photos_folder(tmp_path: Path, jpeg: bytes) -> None:
    (tmp_path / "me.jpg").write_bytes(jpeg)
    assert quick_cli("remove", tmp_path / "me.jpg", "-O", "preset=thumbnail").returncode == 0
    with Image.open(tmp_path / "me-no-bg.webp") as image:
        assert image.size == (300, 300)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-O", "qualty=3"), "'qualty' is not an option (did you mean 'quality'?)\n"),
        (("-O", "quality=3"), "a whole number from 10 to 100"),
        (("-O", "quality"), "NAME=VALUE"),
        (
            ("-O", "model=u2net"),
            "model 'u2net' is not one of: u2netp. "
            "To use it, run 'cli.py models fetch u2net' and set MODELS_ENABLED=u2net\n",
        ),
        (("-O", "model=u2nte"), "model 'u2nte' is not one of: u2netp. 'cli.py models list' lists those that"),
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


@pytest.mark.long
def test_models_are_listed_and_the_default_is_warmed_up() -> None:
    listed = cli("models", "list").stdout.decode().splitlines()
    assert listed[0].split()[:8] == ["u2netp", "here", "320", "px", "5", "MB", "sha256", "Apache-2.0"]
    assert any(line.startswith("bria-rmbg") and "only with a licence of BRIA AI" in line for line in listed)
    assert cli("warmup").stdout.startswith(b"u2netp: ")
    assert b"is not published" in cli("models", "fetch", "birefnet-general-fp16").stderr


def test_help_loads_no_model_and_no_engine() -> None:
    script = "import sys, cli\ntry: cli.main(['remove', '--help'])\nexcept SystemExit: pass\nprint(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60
    )
    loaded = done.stdout.splitlines()[-1]
    for heavy in ("onnxruntime", "rembg", "cv2", "flask", "numba"):
        assert f"'{heavy}'" not in loaded


@pytest.fixture
def shop(tmp_path: Path, small: bytes) -> Path:
    """A folder of three pictures, two of them below."""
    folder = tmp_path / "shop"
    (folder / "shoes").mkdir(parents=True)
    for name in ("hat.jpg", "shoes/red.jpg", "shoes/blue.jpg"):
        (folder / name).write_bytes(small)
    return folder


def report(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(done.stdout)
    return found


def test_second_run_makes_only_what_is_missing_or_older_than_its_picture(shop: Path, tmp_path: Path) -> None:
    target = tmp_path / "out"
    first = report(quick_cli("remove", shop, "-o", target, "--json", "--jobs", "2"))
    assert (first["done"], first["skipped"], first["failed"]) == (3, 0, 0)
    os.utime(target / "hat-no-bg.png", (1000, 1000))
    (target / "shoes/red-no-bg.png").unlink()
    second = quick_cli("remove", shop, "-o", target, "--json")
    assert second.returncode == 0
    assert [image["status"] for image in report(second)["images"]] == ["done", "skipped", "done"]
    assert report(quick_cli("remove", shop, "-o", target, "--json", "--force"))["done"] == 3


def test_report_names_each_failure_and_each_file_that_is_left_out(shop: Path, tmp_path: Path) -> None:
    (shop / "bad.png").write_bytes(b"no png")
    (shop / "notes.txt").write_text("no picture")
    (shop / ".secret.jpg").write_bytes(b"")
    (shop / "again.jpg").symlink_to(shop / "hat.jpg")
    done = quick_cli("remove", shop, "-o", tmp_path / "out", "--json")
    assert done.returncode == 1
    found = report(done)
    (failed,) = [image for image in found["images"] if image["status"] == "failed"]
    assert (failed["source"], failed["code"]) == (str(shop / "bad.png"), "unsupported_format")
    assert sorted(Path(entry["path"]).name for entry in found["left_out"]) == [".secret.jpg", "again.jpg", "notes.txt"]
    assert b"Left out (hidden): 1" in done.stderr


@pytest.mark.long
def test_folder_with_other_jobs_gives_the_same_bytes(shop: Path, tmp_path: Path, jpeg: bytes) -> None:
    (shop / "shoes/red.jpg").write_bytes(jpeg)
    for jobs in ("1", "3"):
        assert quick_cli("remove", shop, "-o", tmp_path / jobs, "--jobs", jobs).returncode == 0
    for path in (tmp_path / "1").rglob("*.png"):
        assert path.read_bytes() == (tmp_path / "3" / path.relative_to(tmp_path / "1")).read_bytes()


@pytest.mark.long
def test_nothing_done_exits_with_two(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    empty = quick_cli("remove", tmp_path / "in", "-o", tmp_path / "out")
    assert (empty.returncode, b"no picture in the folder" in empty.stderr) == (2, True)
    (tmp_path / "in/a.jpg").write_text("hello")
    assert quick_cli("remove", tmp_path / "in", "-o", tmp_path / "out").returncode == 2
    assert quick_cli("remove", tmp_path / "in", "-o", tmp_path / "in").returncode == 2
    assert quick_cli("remove", tmp_path / "in", "-O", "quality=3").returncode == 2


def test_result_never_replaces_its_picture(tmp_path: Path, small: bytes) -> None:
    (tmp_path / "a.png").write_bytes(small)
    (tmp_path / "b.png").hardlink_to(tmp_path / "a.png")
    for target in ("a.png", "b.png"):
        done = cli("remove", tmp_path / "a.png", "-o", tmp_path / target)
        assert (done.returncode, b"would replace the picture" in done.stderr) == (2, True)
    assert (tmp_path / "a.png").read_bytes() == small


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), pytest.param(signal.SIGTERM, 143, marks=pytest.mark.long)]
)
def test_stopped_run_leaves_whole_results_and_can_go_on(
    tmp_path: Path, photo_12mp: bytes, number: int, code: int
) -> None:
    folder, target = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    for n in range(12):
        (folder / f"{n:02}.jpg").write_bytes(photo_12mp)
    command = [sys.executable, str(ROOT / "cli.py"), "remove", str(folder), "-o", str(target), "--json"]
    env = {"PATH": "/usr/bin:/bin", "REMBG_SESSION_PATH": str(ROOT / "models")}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    poll(lambda: list(target.glob("*.png")), 60, "the first result")
    process.send_signal(number)
    out, _ = process.communicate(timeout=60)
    assert process.returncode == code
    found = orjson.loads(out)
    assert found["stopped"]
    assert found["failed"] == 0
    made = sorted(path.name for path in target.iterdir())
    assert made == sorted(Path(image["result"]).name for image in found["images"])
    assert 1 <= len(made) < 12


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("library", ["cv2", "onnxruntime"])
def test_signal_during_the_start_ends_with_its_status(
    tmp_path: Path, small: bytes, library: str, number: int, code: int
) -> None:
    (tmp_path / "a.png").write_bytes(small)
    command = [sys.executable, str(ROOT / "cli.py"), "remove", str(tmp_path), "-o", str(tmp_path / "out")]
    env = {"PATH": "/usr/bin:/bin", "REMBG_SESSION_PATH": str(ROOT / "models")}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    maps = Path(f"/proc/{process.pid}/maps")
    poll(lambda: f"/{library}/" in maps.read_text(), 60, "the libraries are being imported")
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_downgrade_asks_before_it_removes_tables(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/keys.db"
    assert cli("keys", "create", "--name", "shop", DATABASE_URL=url).returncode == 0
    refused = cli("db", "downgrade", "base", data=b"n\n", DATABASE_URL=url)
    assert refused.returncode == 1
    assert f"removed from {url}. Continue?".encode() in refused.stderr
    assert cli("db", "downgrade", "base", DATABASE_URL=url).returncode == 1
    assert b"shop" in cli("keys", "list", DATABASE_URL=url).stdout
    assert cli("db", "downgrade", "base", "--yes", DATABASE_URL=url).returncode == 0
    assert b"shop" not in cli("keys", "list", DATABASE_URL=url).stdout
