"""Works on pictures with several threads, writes results whole or not at all, and stops when it is asked to."""

from __future__ import annotations

import os
import secrets
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Final

import structlog

from commands.image_options import format_for
from commands.plan import Picture
from services.capacity.deadline import Deadline
from services.errors import ClientGone, EngineUnavailable, ServiceError, UploadTooLarge

# These import OpenCV: `--help` does without.
if TYPE_CHECKING:
    from services.imaging.options import Options
    from services.imaging.pipeline import Result
    from services.removal import Remover

# Its names are devices, or links to open files.
DEVICES: Final = Path("/dev")
SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)
log = structlog.get_logger("cli")


class Status(StrEnum):
    """The outcome of one picture."""

    DONE = "done"
    SKIPPED = "skipped"
    FAILED = "failed"
    STOPPED = "stopped"


@dataclass(frozen=True)
class Problem:
    """The reason why a picture failed. `ours` is set where the picture is not at fault."""

    code: str
    text: str
    solution: str = ""
    ours: bool = False

    def __str__(self) -> str:
        return f"{self.text}. {self.solution}." if self.solution else self.text


@dataclass(frozen=True)
class Outcome:
    """A picture, its status, and the facts of its result or its problem."""

    picture: Picture
    status: Status
    seconds: float = 0.0
    problem: Problem | None = None
    result: Result | None = None


def exit_by_signal(number: int, _frame: FrameType | None = None) -> None:
    """End the process with the status of its signal, and let it tidy up."""
    raise SystemExit(128 + number)


def exit_at_once(number: int, _frame: FrameType | None = None) -> None:
    """End the process where it stands. The import of a library may turn an exception into another one."""
    os._exit(128 + number)


@contextmanager
def handling(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Handle Ctrl-C and SIGTERM meanwhile. Only the main thread can."""
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)


class Stop:
    """Notes the first Ctrl-C or SIGTERM; the second ends the process as if nothing had caught it."""

    def __init__(self) -> None:
        self.number = 0

    def __bool__(self) -> bool:
        return self.number != 0

    @property
    def exit_code(self) -> int:
        """The exit status of a process that a signal ended: 130 for Ctrl-C, 143 for SIGTERM."""
        return 128 + self.number

    @contextmanager
    def listening(self) -> Iterator[Stop]:
        """Note the signals meanwhile."""
        with handling(self._note):
            yield self

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.number = number
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)


def write_whole(target: Path, data: bytes) -> None:
    """Write a file under a temporary name in the same folder, then rename it: it is there whole or not at all.

    Devices and pipes, as /dev/null and /dev/stdout, are written to: a file must not take their place.
    """
    if target.parent == DEVICES or (target.exists() and not target.is_file()):
        target.write_bytes(data)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    # Of 50 characters at most, for a name has at most 255 bytes.
    part = target.with_name(f".{target.name[:50]}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
        part.replace(target)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


@dataclass(frozen=True)
class Maker:
    """Makes the results of pictures: the same options for each. `gone` ends running ones at their next step."""

    remover: Remover
    options: Options
    background: bytes | None = None
    gone: Callable[[], bool] = lambda: False

    def make(
        self, picture: Picture, data: bytes | None = None, write: Callable[[Path, bytes], None] = write_whole
    ) -> Outcome:
        """Make a picture's result and write it; `data` instead of reading the file.

        Never raises: a bug fails this picture, not the others.
        """
        start = time.monotonic()
        if picture.refused:
            return Outcome(picture, Status.FAILED, problem=Problem("name_clash", picture.refused))
        try:
            result = self.remove(self._read(picture.source) if data is None else data, picture.source)
            write(picture.target, result.data)
        except ClientGone:
            return Outcome(picture, Status.STOPPED)
        except Exception as exc:  # noqa: BLE001 - `find_problem` logs what it does not know
            return Outcome(picture, Status.FAILED, time.monotonic() - start, find_problem(exc))
        return Outcome(picture, Status.DONE, time.monotonic() - start, result=result)

    def remove(self, data: bytes, source: Path) -> Result:
        """Return the result of a picture. Raises `ServiceError`, also `ClientGone` after a stop."""
        options = self.options
        if source.suffix:
            options = options.model_copy(update={"format": format_for(options.format, source)})
        return self.remover.remove(data, options, background=self.background, deadline=Deadline(gone=self.gone))

    def _read(self, source: Path) -> bytes:
        limit = self.remover.limits.max_bytes
        if (size := source.stat().st_size) > limit:
            raise UploadTooLarge(f"the file has {size} bytes; allowed: {limit} (MAX_CONTENT_LENGTH)")
        return source.read_bytes()


def find_problem(exc: Exception) -> Problem:
    """Return an exception as a problem in plain words; what is not known is logged."""
    if isinstance(exc, ServiceError):
        # That solution leads to the pages of a server.
        solution = "" if isinstance(exc, EngineUnavailable) else exc.solution
        return Problem(exc.code, str(exc), solution, ours=exc.status >= 500)
    if isinstance(exc, OSError):
        return Problem("file_error", f"{exc.filename or 'A file'}: {exc.strerror or exc}", ours=True)
    if isinstance(exc, MemoryError):
        return Problem("out_of_memory", "There is not enough memory for it", "Use fewer --jobs", ours=True)
    log.error("unexpected error", exc_info=exc)
    return Problem("internal_error", f"A program error ({type(exc).__name__})", ours=True)


def work(pictures: Iterable[Picture], make: Callable[[Picture], Outcome], jobs: int, stop: Stop) -> Iterator[Outcome]:
    """Yield the outcomes as they come, with at most `jobs` pictures in progress. After a stop no picture begins."""
    waiting = iter(pictures)
    with ThreadPoolExecutor(jobs) as pool:
        running: set[Future[Outcome]] = {pool.submit(make, picture) for picture in islice(waiting, jobs)}
        while running:
            over, running = wait(running, return_when=FIRST_COMPLETED)
            if not stop:
                running |= {pool.submit(make, picture) for picture in islice(waiting, len(over))}
            for future in over:
                yield future.result()
