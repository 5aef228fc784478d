"""Keeps a watched folder: which pictures are complete, and where picture, result and reason go."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Final

from commands.plan import Picture, find_pictures
from commands.work import Maker, Outcome, Problem, Status, find_problem, write_whole

# It imports OpenCV: `--help` does without.
if TYPE_CHECKING:
    from services.imaging.pipeline import Result

DONE: Final = "done"
FAILED: Final = "failed"
# A picture that failed through our fault is tried again after this time.
RETRY_SECONDS: Final = 60.0
Shape = tuple[int, int]
"""A file's size and the time of its last change."""


@dataclass
class Inbox:
    """The pictures of a folder. Whatever is there, outside of `done` and `failed`, is to be done."""

    folder: Path
    target: Path
    settle_seconds: float = 2.0
    _seen: dict[Path, tuple[Shape, float]] = field(default_factory=dict)
    _not_before: dict[Path, float] = field(default_factory=dict)
    _naming: threading.Lock = field(default_factory=threading.Lock)

    def complete(self) -> list[Path]:
        """Return the pictures whose size and time have not changed for long enough; note the others."""
        now = time.monotonic()
        found = find_pictures(self.folder, self.target, self.folder / DONE, self.folder / FAILED).pictures
        seen: dict[Path, tuple[Shape, float]] = {}
        for path in found:
            try:
                shape = _shape(path)
            except OSError:
                continue
            before = self._seen.get(path)
            seen[path] = before if before and before[0] == shape else (shape, now)
        self._seen = seen
        self._not_before = {path: at for path, at in self._not_before.items() if path in seen}
        return [
            path
            for path, (_shape, since) in seen.items()
            if now - since >= self.settle_seconds and now >= self._not_before.get(path, 0.0)
        ]

    @property
    def has_incomplete(self) -> bool:
        """Whether there is a picture that may still change, or that has to be retried."""
        return bool(self._seen)

    def take(self, path: Path, maker: Maker) -> Outcome:
        """Work on a picture, and move it. Never raises: what is not the picture's fault is tried again later."""
        before = self._seen.get(path)
        outcome = maker.make(Picture(path, self.target), write=lambda _target, _data: None)
        try:
            if before and _shape(path) != before[0]:
                # It was replaced in the meantime, and may still change.
                return Outcome(outcome.picture, Status.STOPPED)
            with self._naming:
                return self._settle(path, outcome)
        except OSError as exc:
            if not os.path.lexists(path):
                # It was removed or renamed meanwhile.
                return Outcome(outcome.picture, Status.STOPPED)
            self._not_before[path] = time.monotonic() + RETRY_SECONDS
            return Outcome(outcome.picture, Status.FAILED, outcome.seconds, find_problem(exc))

    def _settle(self, path: Path, outcome: Outcome) -> Outcome:
        if outcome.result:
            result, moved = self._places(path, outcome.result)
            write_whole(result, outcome.result.data)
            _move(path, moved)
            return Outcome(Picture(path, result), Status.DONE, outcome.seconds, result=outcome.result)
        assert outcome.problem
        if outcome.problem.ours:
            self._not_before[path] = time.monotonic() + RETRY_SECONDS
        else:
            self._fail(path, outcome.problem)
        return outcome

    def _places(self, path: Path, made: Result) -> tuple[Path, Path]:
        """Return the paths of the result and of the moved picture: with the first number that both have free.

        A result with these bytes is that of a run which ended before the picture was moved.
        """
        inner = path.relative_to(self.folder)
        for stem in _stems(path.stem):
            result = self.target / inner.parent / f"{stem}-no-bg.{made.format.extension}"
            moved = self.folder / DONE / inner.parent / f"{stem}{path.suffix}"
            if not _has_stem(moved) and (not result.exists() or result.read_bytes() == made.data):
                return result, moved
        raise AssertionError

    def _fail(self, path: Path, problem: Problem) -> None:
        inner = path.relative_to(self.folder)
        for stem in _stems(path.stem):
            moved = self.folder / FAILED / inner.parent / f"{stem}{path.suffix}"
            reason = moved.with_name(f"{moved.name}.txt")
            if not moved.exists() and not reason.exists():
                write_whole(reason, f"{problem}\n".encode())
                _move(path, moved)
                return


def _shape(path: Path) -> Shape:
    status = path.stat()
    return status.st_size, status.st_mtime_ns


def _stems(stem: str) -> Iterator[str]:
    """Yield the stem, then with 2, 3 and so on behind it."""
    yield stem
    yield from (f"{stem}-{number}" for number in count(2))


def _has_stem(path: Path) -> bool:
    """Return whether a file beside this path has its name, whatever the ending."""
    return any(other.stem == path.stem for other in path.parent.glob("*")) if path.parent.is_dir() else False


def _move(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    path.rename(target)
