"""Watches a folder: each picture that arrives in it is worked on, and then moved to `done` or `failed`."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from commands import image_options
from commands.image_options import parse_options, with_animated
from commands.inbox import Inbox
from commands.plan import Picture
from commands.remove import NothingDone, checking, jobs_option, make_maker
from commands.report import line
from commands.work import Outcome, Status, Stop, find_problem, work
from config import load_settings
from services.errors import ServiceError

POLL_MS: Final = 1000
SCHEME: Final = "s3://"
# The folder is scanned this often even without an event: an event may be lost.
RESCAN_SECONDS: Final = 30.0
# After an error of the events.
AGAIN_SECONDS: Final = 1.0
# How soon a signal is noticed while nothing is to be done.
TICK_SECONDS: Final = 0.5


class FolderOrBucket(click.Path):
    """A folder's path, or s3://bucket/prefix as it is."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return a path, or the text of an address."""
        return value if str(value).startswith(SCHEME) else super().convert(value, param, ctx)


@click.command()
@click.argument("source", metavar="IN", type=FolderOrBucket(exists=True, file_okay=False, path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    required=True,
    type=FolderOrBucket(file_okay=False, path_type=Path),
    help="The folder of the results; for a bucket, s3://bucket/prefix.",
)
@image_options.option
@image_options.animated
@jobs_option
@click.option(
    "--settle",
    type=click.FloatRange(0.1, 3600),
    default=2.0,
    show_default=True,
    help="Seconds for which a file's size must stay the same before it counts as complete.",
)
@click.option(
    "--poll", is_flag=True, help="Look at the folder every second instead of waiting for events: for network shares."
)
@click.option(
    "--interval",
    type=click.FloatRange(0.1, 86400),
    default=10.0,
    show_default=True,
    help="Seconds between two checks of a bucket.",
)
def watch(source: Path | str, target: Path | str, pairs: tuple[str, ...], **more: float) -> None:
    """Remove the background of every picture that arrives in the folder IN, until Ctrl-C.

    Pictures that are already there are processed at the start. A picture is then moved to IN/done or, beside a text
    with the reason, to IN/failed. Ctrl-C and SIGTERM finish the pictures in progress.

    IN may be s3://bucket/prefix: its objects become jobs of the service with these settings, whose workers do them.
    """
    pairs = with_animated(pairs, bool(more["animated"]))
    if isinstance(source, str) and isinstance(target, str):
        # The tables of jobs take their time to import.
        from commands.bucket_loop import watch_bucket

        watch_bucket(source, target, pairs, more["interval"])
        return
    if isinstance(source, str) or isinstance(target, str):
        raise click.UsageError(
            "a bucket's results go to a bucket: IN and -o are both folders or both s3://bucket/prefix"
        )
    watch_folder(source, target, pairs, int(more["jobs"]), more["settle"], bool(more["poll"]))


def watch_folder(source: Path, target: Path, pairs: tuple[str, ...], jobs: int, settle: float, poll: bool) -> None:
    """Watch a folder until Ctrl-C."""
    options, background = parse_options(pairs, None)
    with checking(target):
        is_same = target.resolve() == source.resolve()
    if is_same:
        raise click.UsageError("the results need a folder of their own: -o names the folder that is watched")
    stop = Stop()
    try:
        # The pictures in progress are finished after a stop.
        maker = make_maker(load_settings(), options, background, jobs, lambda: False)
    except ServiceError as exc:
        raise NothingDone(str(find_problem(exc))) from exc
    inbox = Inbox(source, target, settle)
    with stop.listening(), events(source, poll) as changed:
        click.echo(f"Watching {source}; Ctrl-C ends it.", err=True)
        watch_until_stopped(inbox, lambda picture: inbox.take(picture.source, maker), jobs, stop, changed)


def watch_until_stopped(
    inbox: Inbox, take: Callable[[Picture], Outcome], jobs: int, stop: Stop, changed: threading.Event
) -> None:
    """Work on the pictures that are complete, again and again; a line for each picture on standard output."""
    while not stop:
        changed.clear()
        complete = [Picture(path, inbox.target) for path in inbox.complete()]
        for outcome in work(complete, take, jobs, stop):
            if outcome.status is not Status.STOPPED:
                click.echo(_log_line(outcome))
        if not complete:
            _wait(inbox.settle_seconds / 2 if inbox.has_incomplete else RESCAN_SECONDS, stop, changed)


def _log_line(outcome: Outcome) -> str:
    later = "; it is tried again" if outcome.problem and outcome.problem.ours else ""
    return f"{datetime.now():%Y-%m-%d %H:%M:%S} {outcome.status.value} {line(outcome)}{later}"


def _wait(seconds: float, stop: Stop, changed: threading.Event) -> None:
    """Wait for a change, but no longer than `seconds`, and not after a stop."""
    end = time.monotonic() + seconds
    while not stop and (left := end - time.monotonic()) > 0:
        # A signal's handler can't set an event that its own thread waits for: short waits notice the stop.
        if changed.wait(min(TICK_SECONDS, left)):
            return


@contextmanager
def events(folder: Path, poll: bool) -> Iterator[threading.Event]:
    """Return an event that is set when something changes below the folder."""
    changed, over = threading.Event(), threading.Event()
    listener = threading.Thread(target=_listen, args=(folder, poll, changed, over), name="events", daemon=True)
    listener.start()
    try:
        yield changed
    finally:
        over.set()
        listener.join(5)


def _listen(folder: Path, poll: bool, changed: threading.Event, over: threading.Event) -> None:
    """Set `changed` at every change, until `over` is set."""
    from watchfiles import watch as changes

    explained, missed = False, True
    while not over.is_set():
        here = _identity(folder)
        try:
            for found in changes(
                folder,
                watch_filter=None,
                stop_event=over,
                force_polling=poll or None,
                poll_delay_ms=POLL_MS,
                rust_timeout=POLL_MS,
                yield_on_timeout=True,
            ):
                # What came before a start was not seen.
                if found or missed:
                    changed.set()
                # A folder that was made or mounted again sends its events to no listener of the former one.
                missed = _identity(folder) != here
                if missed:
                    break
        except (OSError, RuntimeError) as exc:
            # One event that can't be read ends all of them, as that of a name that is no UTF-8.
            missed = True
            if not explained:
                every = f"looking every {RESCAN_SECONDS:g} s as well"
                click.echo(f"Some events of {folder} are missing ({exc}); {every}.", err=True)
            explained = True
            over.wait(AGAIN_SECONDS)


def _identity(folder: Path) -> tuple[int, int] | None:
    try:
        status = folder.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino
