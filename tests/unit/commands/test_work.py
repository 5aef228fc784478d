"""Work on pictures with several threads, whole files, and stops."""

import os
import signal
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from commands.plan import Picture
from commands.work import Maker, Outcome, Status, Stop, work, write_whole
from services.capacity.admission import Admission
from services.imaging.decode import ImageLimits
from services.imaging.formats import Format
from services.imaging.options import Options
from services.inference.segmenter import RembgSegmenter
from services.removal import Remover
from tests.support.models import OneModel
from tests.support.pictures.animations import disc


def pictures(count: int) -> list[Picture]:
    return [Picture(Path(f"{n}.jpg"), Path(f"{n}.png")) for n in range(count)]


def test_pictures_overlap_up_to_the_number_of_jobs() -> None:
    together = threading.Barrier(3)

    def make(picture: Picture) -> Outcome:
        together.wait(10)  # broken unless three are in work at a time
        return Outcome(picture, Status.DONE)

    assert len(list(work(pictures(6), make, 3, Stop()))) == 6


def test_no_picture_begins_after_a_stop() -> None:
    stop, begun = Stop(), []

    def make(picture: Picture) -> Outcome:
        begun.append(picture)
        stop.number = signal.SIGINT
        return Outcome(picture, Status.DONE)

    assert len(list(work(pictures(9), make, 1, stop))) == len(begun) == 1


def test_stop_notes_the_signal_and_restores_the_handlers() -> None:
    before = signal.getsignal(signal.SIGTERM)
    stop = Stop()
    with stop.listening():
        signal.raise_signal(signal.SIGTERM)
        assert stop
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGTERM) is before
    assert stop.exit_code == 143


def test_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "sub/a.png"
    write_whole(target, b"first")
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_whole(target, b"second")
    assert target.read_bytes() == b"first"
    assert [path.name for path in target.parent.iterdir()] == ["a.png"]


def test_device_or_pipe_is_written_to_and_stays(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    write_whole(tmp_path / "pipe", b"a picture")
    assert os.read(reader, 100) == b"a picture"
    os.close(reader)
    assert [path.is_fifo() for path in tmp_path.iterdir()] == [True]


def test_written_file_follows_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_whole(tmp_path / "a.png", b"x")
    finally:
        os.umask(before)
    assert (tmp_path / "a.png").stat().st_mode & 0o777 == 0o640


def maker(segmenter: RembgSegmenter, max_bytes: int) -> Maker:
    remover = Remover(OneModel(segmenter), ImageLimits(max_bytes), Admission(1, 1))
    return Maker(remover, Options())


@pytest.mark.slow
def test_problem_of_a_picture_is_an_outcome(tmp_path: Path, segmenter: RembgSegmenter, small: bytes) -> None:
    (tmp_path / "bad.jpg").write_text("hello")
    (tmp_path / "large.jpg").write_bytes(small)
    found = [
        maker(segmenter, max_bytes=1000).make(Picture(tmp_path / name, tmp_path / "out.png", refused))
        for name, refused in (("bad.jpg", ""), ("large.jpg", ""), ("gone.jpg", ""), ("bad.jpg", "a clash"))
    ]
    assert [(o.status, o.problem and (o.problem.code, o.problem.ours)) for o in found] == [
        (Status.FAILED, ("unsupported_format", False)),
        (Status.FAILED, ("upload_too_large", False)),
        (Status.FAILED, ("file_error", True)),
        (Status.FAILED, ("name_clash", False)),
    ]
    assert "gone.jpg: No such file" in str(found[2].problem)
    assert not (tmp_path / "out.png").exists()


def test_stopped_picture_ends_at_its_next_step(tmp_path: Path, segmenter: RembgSegmenter, small: bytes) -> None:
    (tmp_path / "a.jpg").write_bytes(small)
    remover = Remover(OneModel(segmenter), ImageLimits(), Admission(1, 1))
    outcome = Maker(remover, Options(), gone=lambda: True).make(Picture(tmp_path / "a.jpg", tmp_path / "a.png"))
    assert outcome.status is Status.STOPPED
    assert not (tmp_path / "a.png").exists()


@pytest.mark.slow
def test_animation_has_the_format_that_its_name_says(tmp_path: Path, segmenter: RembgSegmenter) -> None:
    animated = replace(
        maker(segmenter, max_bytes=1_000_000), options=Options.parse({"animated": True, "edges": "soft"})
    )
    for name, form in (("a.gif", Format.WEBP), ("a.png", Format.PNG), ("-", Format.WEBP)):
        outcome = animated.make(Picture(tmp_path / name, tmp_path / "out"), disc(2))
        assert outcome.result
        assert (outcome.result.format, outcome.result.frames) == (form, 2)
        assert (tmp_path / "out").read_bytes() == outcome.result.data
