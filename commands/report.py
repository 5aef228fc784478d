"""Reports the work on pictures: progress and a summary for people, JSON for programs."""

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import click

from commands.work import Outcome, Status

EXAMPLES: Final = 3
_UNPRINTABLE: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


@dataclass
class Report:
    """The outcomes of a run, in the order in which they came, and what was left out."""

    target: Path
    left_out: list[tuple[Path, str]] = field(default_factory=list)
    outcomes: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[Status] = field(default_factory=Counter)
    stopped: bool = False
    started: float = field(default_factory=time.monotonic)

    def add(self, outcome: Outcome) -> None:
        """Count an outcome; its facts are kept, the result's bytes are not."""
        if outcome.status is Status.STOPPED:
            return
        self.counts[outcome.status] += 1
        self.outcomes.append(outcome_json(outcome))

    @property
    def exit_code(self) -> int:
        """0: every picture has its result. 1: some failed. 2: there is no result."""
        if not self.counts[Status.DONE] + self.counts[Status.SKIPPED]:
            return 2
        return 1 if self.counts[Status.FAILED] else 0

    def summary(self) -> str:
        """Return the counts in one line."""
        skipped, failed = self.counts[Status.SKIPPED], self.counts[Status.FAILED]
        words = f"{self.counts[Status.DONE]} done, {failed} failed"
        if skipped:
            words += f", {skipped} skipped (done before; --force makes them again)"
        return f"{words}, in {self.target}" + ("; stopped before the end" if self.stopped else "")

    def left_out_lines(self) -> Iterator[str]:
        """Yield a line for each reason, with some names."""
        by_reason: dict[str, list[Path]] = {}
        for path, reason in self.left_out:
            by_reason.setdefault(reason, []).append(path)
        for reason, paths in by_reason.items():
            more = ", …" if len(paths) > EXAMPLES else ""
            yield f"Left out ({reason}): {len(paths)}: {', '.join(map(printable, paths[:EXAMPLES]))}{more}"

    def as_json(self) -> bytes:
        """Return the whole report as one JSON object."""
        counts = {name: self.counts[Status(name)] for name in ("done", "skipped", "failed")}
        left_out = [{"path": str(path), "reason": reason} for path, reason in self.left_out]
        seconds = round(time.monotonic() - self.started, 3)
        more = {"output": str(self.target), "stopped": self.stopped, "seconds": seconds}
        images = sorted(self.outcomes, key=lambda image: str(image["source"]))
        whole = {**counts, **more, "images": images, "left_out": left_out}
        # The bytes of a name that is no UTF-8 become \udcXX, which JSON can hold: `os.fsencode` gives the name again.
        return json.dumps(whole, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace")


def outcome_json(outcome: Outcome) -> dict[str, Any]:
    """Return the facts of an outcome for JSON."""
    picture, problem, result = outcome.picture, outcome.problem, outcome.result
    found: dict[str, Any] = {"source": str(picture.source), "result": None, "status": outcome.status.value}
    if outcome.status in (Status.DONE, Status.SKIPPED):
        found["result"] = str(picture.target)
    if result:
        found |= {"width": result.width, "height": result.height, "bytes": len(result.data)}
        found["seconds"] = round(outcome.seconds, 3)
    if problem:
        found |= {"code": problem.code, "error": problem.text, "solution": problem.solution}
    return found


def line(outcome: Outcome) -> str:
    """Return the outcome of one picture as a line."""
    if outcome.problem:
        return printable(f"{outcome.picture.source}: {outcome.problem}")
    return printable(f"{outcome.picture.source} -> {outcome.picture.target} ({outcome.seconds:.1f} s)")


def printable(text: object) -> str:
    """Return a text of one line: line ends, control characters and bytes that are no UTF-8 become escapes."""
    return _UNPRINTABLE.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), str(text))


@contextmanager
def progress(count: int) -> Iterator[Callable[[Outcome], None]]:
    """Show outcomes on standard error as they come: a bar on a terminal, a line for each picture elsewhere."""
    if not sys.stderr.isatty():
        yield _plain_lines(count)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = ("{task.description}", BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    with Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("Removing backgrounds", total=count, rate="")
        started = time.monotonic()

        def show(outcome: Outcome) -> None:
            if outcome.problem:
                bar.console.print(line(outcome), markup=False, highlight=False, soft_wrap=True)
            done = bar.tasks[task].completed + 1
            bar.update(task, advance=1, rate=f"{done / (time.monotonic() - started):.1f}/s")

        yield show


def _plain_lines(count: int) -> Callable[[Outcome], None]:
    click.echo(f"Removing backgrounds of {count} pictures", err=True)
    shown = 0

    def show(outcome: Outcome) -> None:
        nonlocal shown
        shown += 1
        click.echo(f"[{shown}/{count}] {line(outcome)}", err=True)

    return show
