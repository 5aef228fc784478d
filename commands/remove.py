"""Removes the backgrounds of a file, of a folder, or of what comes from standard input."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import click

from commands import image_options
from commands.image_options import format_for, parse_options, with_animated
from commands.models import fetch_missing_model, missing_model
from commands.plan import Picture, find_pictures, plan
from commands.report import Report, progress
from commands.work import Maker, Outcome, Status, Stop, exit_at_once, find_problem, handling, work, write_whole
from config import Settings, load_settings
from services.capacity.deadline import Deadline
from services.capacity.resources import tame_allocator, usable_cpus
from services.errors import ModelNotFound, ServiceError
from services.imaging.options import Options

STDOUT: Final = Path("-")
jobs_option = click.option(
    "--jobs",
    type=click.IntRange(1, 64),
    default=usable_cpus,
    show_default="the number of processors",
    help="How many pictures to process at a time.",
)


class NothingDone(click.ClickException):
    """A run that could not begin."""

    exit_code = 2


@dataclass(frozen=True)
class Request:
    """The arguments of one call of `remove`."""

    target: Path | None
    options: Options
    background: bytes | None
    jobs: int
    force: bool
    json: bool


@click.command()
@click.argument("source", type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(allow_dash=True),
    help="File or folder; - is standard output.",
)
@image_options.option
@image_options.animated
@jobs_option
@click.option("--force", is_flag=True, help="Make results again even if they are newer than their picture.")
@click.option("--json", "as_json", is_flag=True, help="Print a report as JSON on standard output.")
def remove(source: Path, output: str | None, pairs: tuple[str, ...], **more: bool | int) -> None:
    """Remove the background of SOURCE: a file, a folder, or - for standard input.

    A folder is worked on with its sub-folders. Pictures that already have a result are skipped.

    Exit status: 0 every picture has its result, 1 some failed, 2 nothing was done or the call is wrong, 130 Ctrl-C.
    """
    _check_streams(source, output, bool(more["as_json"]))
    target = None if output is None else Path(output)
    if output and output.endswith(os.sep) and not source.is_dir():
        raise click.UsageError(f"{output} is a folder; name the result of one picture with -o FILE")
    options, background = parse_options(with_animated(pairs, bool(more["animated"])), target)
    request = Request(target, options, background, more["jobs"], bool(more["force"]), bool(more["as_json"]))
    try:
        sys.exit(remove_folder(source, request) if source.is_dir() else remove_file(source, request))
    except ServiceError as exc:
        raise NothingDone(str(find_problem(exc))) from exc


def remove_folder(source: Path, request: Request) -> int:
    """Work on a folder's pictures; return the exit status."""
    settings = load_settings()
    target = request.target or settings.output_dir
    with checking(target):
        _check_folder(source, target)
    found = find_pictures(source, target)
    pictures = plan(found.pictures, source, target, request.options.format)
    report = Report(target, found.left_out)
    waiting: list[Picture] = []
    for picture in pictures:
        if request.force or picture.refused or not picture.is_done():
            waiting.append(picture)
        else:
            report.add(Outcome(picture, Status.SKIPPED))
    stop = Stop()
    if waiting:
        maker = make_maker(settings, request.options, request.background, request.jobs, lambda: bool(stop))
        with stop.listening(), progress(len(waiting)) as show:
            for outcome in work(waiting, maker.make, request.jobs, stop):
                report.add(outcome)
                if outcome.status is not Status.STOPPED:
                    show(outcome)
    report.stopped = bool(stop)
    return _finish(report, request, stop)


def make_maker(
    settings: Settings, options: Options, background: bytes | None, jobs: int, gone: Callable[[], bool]
) -> Maker:
    """Return the maker of results, with its model loaded.

    Raises `click.UsageError` for a model that is not here or not enabled, `ServiceError` where it can't be used.
    """
    name = settings.model_name(options.model)
    fetch_missing_model(name, settings)
    tame_allocator()
    with handling(exit_at_once):
        from bootstrap.removal import make_local_remover

        remover = make_local_remover(settings, jobs)
        try:
            remover.models.get(options.model, Deadline())
        except ModelNotFound as exc:
            # Its own text leads to the pages of a server.
            raise click.UsageError(missing_model(name, settings)) from exc
    return Maker(remover, options, background, gone)


def _finish(report: Report, request: Request, stop: Stop) -> int:
    for line in report.left_out_lines():
        click.echo(line, err=True)
    click.echo(report.summary(), err=True)
    if not report.outcomes and not stop:
        click.echo("There is no picture in the folder.", err=True)
    if request.json:
        _write_stdout(STDOUT, report.as_json() + b"\n")
    return stop.exit_code if stop else report.exit_code


@contextmanager
def checking(target: Path) -> Iterator[None]:
    """Explain why a path can't be looked at. Raises `click.UsageError`."""
    try:
        yield
    except OSError as exc:
        raise click.UsageError(f"{target} can't be used: {exc.strerror}") from exc
    except RuntimeError as exc:
        # Python before 3.13.
        raise click.UsageError(f"{target} can't be used: its links lead in a circle") from exc


def _check_folder(source: Path, target: Path) -> None:
    if str(target) == "-":
        raise click.UsageError("the results of a folder need a folder: -o FOLDER")
    if target.exists() and not target.is_dir():
        raise click.UsageError(f"the results of a folder need a folder; {target} is a file")
    if target.resolve() == source.resolve():
        raise click.UsageError("the results need a folder of their own: -o names the folder of the pictures")


def remove_file(source: Path, request: Request) -> int:
    """Work on one file, or on standard input; return the exit status."""
    stdin = str(source) == "-"
    target = request.target
    if target is None and not stdin:
        target = source.with_name(f"{source.stem}-no-bg.{format_for(request.options.format, source).extension}")
    if target is None or str(target) == "-":
        target = STDOUT
    with checking(target):
        _check_file(source, target, request)
    data = sys.stdin.buffer.read() if stdin else None
    stop = Stop()
    maker = make_maker(load_settings(), request.options, request.background, 1, lambda: bool(stop))
    write = _write_stdout if target is STDOUT else write_whole
    with stop.listening():
        outcome = maker.make(Picture(source, target), data, write)
    if stop:
        return stop.exit_code
    report = Report(target)
    report.add(outcome)
    if request.json:
        _write_stdout(STDOUT, report.as_json() + b"\n")
    if outcome.problem:
        click.echo(f"Error: {outcome.problem}", err=True)
        return 1
    if target is not STDOUT:
        click.echo(str(target), err=True)
    return 0


def _check_streams(source: Path, output: str | None, as_json: bool) -> None:
    stdin = str(source) == "-"
    if stdin and sys.stdin is None:
        raise click.UsageError("there is no standard input: it was closed")
    if sys.stdout is None and (as_json or output == "-" or (stdin and output is None)):
        raise click.UsageError("there is no standard output: it was closed")


def _check_file(source: Path, target: Path, request: Request) -> None:
    if request.json and target is STDOUT:
        raise click.UsageError("--json needs standard output for itself: name a file with -o")
    if target.is_dir():
        raise click.UsageError(f"{target} is a folder; name the result of one picture with -o FILE")
    if target.exists() and source.exists() and target.samefile(source):
        raise click.UsageError(f"the result would replace the picture {source}; name another file with -o")


def _write_stdout(_target: Path, data: bytes) -> None:
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    except OSError as exc:
        # Or the end of the process would write the rest, and fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise OSError(exc.errno, exc.strerror, "standard output") from exc
