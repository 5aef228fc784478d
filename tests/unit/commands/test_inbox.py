"""A watched folder: complete pictures, and where picture, result and reason go."""

from dataclasses import replace
from pathlib import Path

import pytest

from commands.inbox import RETRY_SECONDS, Inbox
from commands.work import Maker, Status
from services.capacity.admission import Admission
from services.imaging.decode import ImageLimits
from services.imaging.options import Options
from services.inference.segmenter import RembgSegmenter
from services.removal import Remover
from tests.support.models import OneModel
from tests.support.pictures.animations import disc


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("commands.inbox.time.monotonic", clock)
    return clock


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    (tmp_path / "in/sub").mkdir(parents=True)
    return Inbox(tmp_path / "in", tmp_path / "out", settle_seconds=2.0)


@pytest.fixture
def maker(segmenter: RembgSegmenter) -> Maker:
    return Maker(Remover(OneModel(segmenter), ImageLimits(), Admission(1, 1)), Options())


def tree(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_picture_counts_when_its_size_has_rested(inbox: Inbox, clock: Clock) -> None:
    path = inbox.folder / "a.jpg"
    path.write_bytes(b"1")
    assert inbox.complete() == []
    clock.now += 1.9
    path.write_bytes(b"12")
    assert inbox.complete() == []
    clock.now += 1.9
    assert inbox.complete() == []
    assert inbox.has_incomplete
    clock.now += 0.1
    assert inbox.complete() == [path]


@pytest.mark.slow
def test_picture_is_moved_beside_its_result_and_names_stay_distinct(inbox: Inbox, maker: Maker, small: bytes) -> None:
    for name in ("a.jpg", "a.png", "sub/a.jpg"):
        (inbox.folder / name).write_bytes(small + name.encode())
        assert inbox.take(inbox.folder / name, maker).status is Status.DONE
    assert tree(inbox.folder) == ["done/a-2.png", "done/a.jpg", "done/sub/a.jpg"]
    assert tree(inbox.target) == ["a-2-no-bg.png", "a-no-bg.png", "sub/a-no-bg.png"]


@pytest.mark.slow
def test_animations_result_has_the_ending_of_its_format(inbox: Inbox, maker: Maker) -> None:
    animated = replace(maker, options=Options.parse({"animated": True, "edges": "soft"}))
    (inbox.folder / "a.gif").write_bytes(disc(2))
    assert inbox.take(inbox.folder / "a.gif", animated).status is Status.DONE
    assert tree(inbox.target) == ["a-no-bg.webp"]


def test_bad_picture_is_moved_to_failed_with_the_reason(inbox: Inbox, maker: Maker) -> None:
    for _ in range(2):
        (inbox.folder / "a.jpg").write_text("hello")
        assert inbox.take(inbox.folder / "a.jpg", maker).status is Status.FAILED
    assert tree(inbox.folder) == ["failed/a-2.jpg", "failed/a-2.jpg.txt", "failed/a.jpg", "failed/a.jpg.txt"]
    assert "found text" in (inbox.folder / "failed/a.jpg.txt").read_text()
    assert inbox.complete() == []


@pytest.mark.slow
def test_result_of_a_run_that_ended_before_the_move_is_used_again(inbox: Inbox, maker: Maker, small: bytes) -> None:
    (inbox.folder / "a.jpg").write_bytes(small)
    inbox.take(inbox.folder / "a.jpg", maker)
    (inbox.folder / "done/a.jpg").rename(inbox.folder / "a.jpg")
    inbox.take(inbox.folder / "a.jpg", maker)
    assert tree(inbox.target) == ["a-no-bg.png"]


def test_result_of_another_picture_is_never_replaced(inbox: Inbox, maker: Maker, small: bytes) -> None:
    inbox.target.mkdir()
    (inbox.target / "a-no-bg.png").write_bytes(b"of another picture")
    (inbox.folder / "a.jpg").write_bytes(small)
    inbox.take(inbox.folder / "a.jpg", maker)
    assert (inbox.target / "a-no-bg.png").read_bytes() == b"of another picture"
    assert tree(inbox.target) == ["a-2-no-bg.png", "a-no-bg.png"]


def test_picture_stays_and_is_tried_again_where_the_result_cannot_be_written(
    inbox: Inbox, maker: Maker, clock: Clock, small: bytes
) -> None:
    path = inbox.folder / "a.jpg"
    path.write_bytes(small)
    inbox.target.write_text("a file where the folder should be")
    outcome = inbox.take(path, maker)
    assert outcome.problem
    assert outcome.problem.ours
    inbox.complete()
    clock.now += RETRY_SECONDS - 1
    assert inbox.complete() == []
    clock.now += 1
    assert inbox.complete() == [path]


def test_picture_that_is_replaced_while_it_is_worked_on_is_not_moved(
    inbox: Inbox, maker: Maker, clock: Clock, small: bytes
) -> None:
    path = inbox.folder / "a.jpg"
    path.write_bytes(small)
    inbox.complete()
    path.write_bytes(small + b"more")
    assert inbox.take(path, maker).status is Status.STOPPED
    assert tree(inbox.folder.parent) == ["in/a.jpg"]


def test_picture_that_is_removed_while_it_is_worked_on_is_no_failure(
    inbox: Inbox, maker: Maker, small: bytes, clock: Clock
) -> None:
    path = inbox.folder / "a.jpg"
    path.write_bytes(small)
    inbox.complete()
    clock.now += 2
    assert inbox.complete() == [path]
    path.unlink()
    assert inbox.take(path, maker).status is Status.STOPPED
    assert tree(inbox.folder.parent) == []
