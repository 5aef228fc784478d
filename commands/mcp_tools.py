"""What the Model Context Protocol's tools do: paths in, paths out, only below the roots."""

import secrets
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from commands.image_options import format_for
from commands.models import fetch_missing_model
from commands.plan import Picture, find_pictures, plan
from commands.report import outcome_json
from commands.roots import OutsideRoots, Roots
from commands.work import Maker, Outcome, Problem, Status, Stop, find_problem, work
from config import Settings
from services.errors import ServiceError
from services.imaging.formats import Format
from services.imaging.options import BACKGROUND_IMAGE, Options

MAX_JOBS: Final = 100
MAX_FAILURES: Final = 20


class ToolFailed(Exception):
    """A tool can't do what it was asked for; the text says why and what to do."""


@dataclass
class Job:
    """The work on a folder's pictures."""

    target: Path
    pictures: list[Picture]
    outcomes: list[Outcome] = field(default_factory=list)
    running: bool = True


class Tools:
    """The tools of one process: one warm model, the jobs that were started, and the roots."""

    def __init__(self, settings: Settings, roots: Roots, jobs: int) -> None:
        self.stop = Stop()
        self._settings, self._roots, self._parallel = settings, roots, jobs
        self._jobs: OrderedDict[str, Job] = OrderedDict()
        self._maker: Maker | None = None
        self._lock = threading.Lock()

    def remove_background(
        self, path: str, output: str | None, options: Mapping[str, object], overwrite: bool
    ) -> dict[str, Any]:
        """Make a picture's result, or start the job of a folder. Raises `ToolFailed`."""
        try:
            source = self._roots.inside(path)
            chosen, background = self._options(options)
            if source.is_dir():
                return self._start(source, output, replace(self._warm(), options=chosen, background=background))
            target = self._target(source, output, format_for(chosen.format, source), overwrite)
            outcome = replace(self._warm(), options=chosen, background=background).make(Picture(source, target))
        except OutsideRoots as exc:
            raise ToolFailed(str(exc)) from exc
        except (ServiceError, OSError) as exc:
            raise ToolFailed(_problem_text(find_problem(exc))) from exc
        if outcome.problem:
            raise ToolFailed(_problem_text(outcome.problem))
        return _shown(outcome_json(outcome))

    def job_status(self, job_id: str) -> dict[str, Any]:
        """Return how far a job is. Raises `ToolFailed`."""
        with self._lock:
            job = self._jobs.get(job_id)
        if job is None:
            raise ToolFailed(f"there is no job {job_id!r:.80}; remove_background on a folder starts one")
        outcomes = list(job.outcomes)
        counts = {status.value: sum(outcome.status is status for outcome in outcomes) for status in Status}
        failures = [outcome_json(outcome) for outcome in outcomes if outcome.problem]
        return {
            "job_id": job_id,
            "status": "running" if job.running else "finished",
            "pictures": len(job.pictures),
            "done": counts["done"],
            "failed": counts["failed"],
            "output": _valid(job.target),
            "failures": [_shown(failure) for failure in failures[:MAX_FAILURES]],
        }

    def list_models(self) -> list[dict[str, Any]]:
        """Return the models that are enabled, the default one first."""
        from services.inference.custom import find_spec

        folder = self._settings.rembg_session_path
        specs = [find_spec(name, folder) for name in self._settings.models]
        return [
            {
                "name": spec.name,
                "default": spec.name == self._settings.rembg_model_name,
                "tiers": [tier for tier, name in self._settings.tiers.items() if name == spec.name],
                "here": spec.is_here(folder),
                "purpose": spec.purpose,
                "licence": spec.licence,
            }
            for spec in specs
        ]

    def _options(self, given: Mapping[str, object]) -> tuple[Options, bytes | None]:
        wanted = dict(given)
        behind = wanted.pop(BACKGROUND_IMAGE, None)
        options = Options.parse(wanted)
        if behind is None:
            return options, None
        try:
            return options, self._roots.inside(str(behind)).read_bytes()
        except OSError as exc:
            raise ToolFailed(f"{BACKGROUND_IMAGE} can't be read: {exc.strerror}") from exc

    def _target(self, source: Path, output: str | None, chosen: Format, overwrite: bool) -> Path:
        default = source.with_name(f"{source.stem}-no-bg.{chosen.extension}")
        target = self._roots.inside(output if output is not None else str(default))
        if not source.is_file():
            raise ToolFailed(f"{source} does not exist")
        if target.suffix.lower() not in (f".{chosen.extension}", f".{chosen.value}"):
            raise ToolFailed(f"the result is {chosen.value}: the name of output must end with .{chosen.extension}")
        if target == source or (target.exists() and not overwrite):
            raise ToolFailed(f"{target} already exists; name another output" + _overwriting(target, source))
        return target

    def _start(self, source: Path, output: str | None, maker: Maker) -> dict[str, Any]:
        target = self._roots.inside(output if output is not None else f"{source}-no-bg")
        if target == source or (target.exists() and not target.is_dir()):
            raise ToolFailed(f"the results of a folder need a folder of their own, not {target}")
        found = find_pictures(source, target)
        pictures = plan(found.pictures, source, target, maker.options.format)
        # A link in the results' folder may lead outside.
        pictures = [
            replace(picture, target=self._roots.inside(str(picture.target)))
            for picture in pictures
            if not picture.is_done()
        ]
        job, job_id = Job(target, pictures), secrets.token_hex(8)
        with self._lock:
            self._jobs[job_id] = job
            while len(self._jobs) > MAX_JOBS:
                self._jobs.popitem(last=False)
        threading.Thread(target=self._run, args=(job, maker), name=f"job-{job_id}", daemon=True).start()
        return {"job_id": job_id, "pictures": len(pictures), "output": _valid(target)}

    def _run(self, job: Job, maker: Maker) -> None:
        try:
            for outcome in work(job.pictures, maker.make, self._parallel, self.stop):
                job.outcomes.append(outcome)
        finally:
            job.running = False

    def _warm(self) -> Maker:
        """Return the maker, whose model loads with the first picture."""
        from bootstrap.removal import make_local_remover

        with self._lock:
            if self._maker is None:
                fetch_missing_model(self._settings.rembg_model_name, self._settings)
                remover = make_local_remover(self._settings, self._parallel)
                self._maker = Maker(remover, Options(), gone=lambda: bool(self.stop))
            return self._maker


def _valid(text: object) -> str:
    """Return a text that the protocol's JSON can hold: bytes of a name that are no UTF-8 become escapes."""
    return str(text).encode("utf-8", "backslashreplace").decode("utf-8")


def _shown(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _valid(value) if isinstance(value, str) else value for name, value in facts.items()}


def _problem_text(problem: Problem) -> str:
    return _valid(f"{problem} ({problem.code})")


def _overwriting(target: Path, source: Path) -> str:
    return "" if target == source else ", or say overwrite=true"
