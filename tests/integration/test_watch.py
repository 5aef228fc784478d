"""`watch` as a process: arriving pictures, restarts and signals."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.support import tiny_models
from tests.support.waiting import ROOT, poll


@contextmanager
def watching(folder: Path, target: Path, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, str(ROOT / "cli.py"), "watch", str(folder), "-o", str(target), "--settle", "0.3", *words]
    env = {"PATH": "/usr/bin:/bin", "PYTHONIOENCODING": "utf-8:strict", **tiny_models.quick()}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    return tmp_path / "in"


@pytest.mark.parametrize("words", [(), ("--poll",)])
def test_pictures_are_done_as_they_arrive_and_those_that_are_there_at_the_start(
    folder: Path, tmp_path: Path, small: bytes, words: tuple[str, ...]
) -> None:
    (folder / "early.jpg").write_bytes(small)
    with watching(folder, tmp_path / "out", *words) as process:
        poll(lambda: (folder / "done/early.jpg").exists(), 60, "the picture that was there")
        (folder / "late.jpg").write_bytes(small)
        (folder / "bad.jpg").write_text("hello")
        # Sooner than the next look without an event.
        poll(lambda: (folder / "done/late.jpg").exists(), 20, "the picture that came")
        poll(lambda: (folder / "failed/bad.jpg").exists(), 20, "the bad picture")
        process.send_signal(signal.SIGTERM)
        lines, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert sorted(line.split()[2] for line in lines.decode().splitlines()) == ["done", "done", "failed"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["early-no-bg.png", "late-no-bg.png"]
    assert (folder / "failed/bad.jpg.txt").exists()


def test_signal_finishes_the_current_picture_and_the_next_start_does_the_rest(
    folder: Path, tmp_path: Path, photo_12mp: bytes
) -> None:
    for n in range(4):
        (folder / f"{n}.jpg").write_bytes(photo_12mp)
    with watching(folder, tmp_path / "out", "--jobs", "1") as process:
        poll(lambda: (folder / "done/0.jpg").exists(), 60, "the first picture")
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == 0
    done = len(list((folder / "done").iterdir()))
    assert 1 <= done < 4
    assert len(list((tmp_path / "out").iterdir())) == done
    assert len(list(folder.glob("*.jpg"))) == 4 - done
    with watching(folder, tmp_path / "out"):
        poll(lambda: len(list((folder / "done").iterdir())) == 4, 60, "the rest")


@pytest.mark.skipif(sys.platform == "darwin", reason="its file systems take no other names than UTF-8")
@pytest.mark.long
def test_name_that_is_no_utf_8_ends_neither_the_watch_nor_its_events(
    folder: Path, tmp_path: Path, small: bytes
) -> None:
    odd = os.fsdecode(b"caf\xe9.jpg")
    with watching(folder, tmp_path / "out") as process:
        assert process.stderr
        assert b"Watching" in process.stderr.readline()
        for name in (odd, "a.jpg", "b.jpg"):
            (folder / name).write_bytes(small)
            # Sooner than the next look without an event.
            poll(lambda name=name: (folder / "done" / name).exists(), 20, name)
        process.send_signal(signal.SIGTERM)
        lines, _ = process.communicate(timeout=30)
    assert process.returncode == 0
    assert rb"caf\udce9.jpg -> " in lines


def test_folder_that_is_made_again_is_watched_as_before(folder: Path, tmp_path: Path, small: bytes) -> None:
    with watching(folder, tmp_path / "out") as process:
        assert process.stderr
        assert b"Watching" in process.stderr.readline()
        # The new one has another inode while the former one is there.
        folder.rename(tmp_path / "former")
        folder.mkdir()
        for name in ("a.jpg", "b.jpg"):
            (folder / name).write_bytes(small)
            # Sooner than the next look without an event.
            poll(lambda name=name: (folder / "done" / name).exists(), 20, name)
