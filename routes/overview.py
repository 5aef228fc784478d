"""Shows operators the whole service at a glance, with a key of the scope `admin`."""

import platform
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated, Any, Final, Literal, Self

from flask import Response
from pydantic import Field

from bootstrap.overview import Overview
from bootstrap.stores import DEFAULT_STORAGE_URL, data_folders
from routes.http.answers import Body, Count
from routes.http.context import service
from routes.http.jobs.job_answers import answer
from routes.http.jobs.job_views import Moment
from services.jobs.pending import Backlog
from services.jobs.workers.presence import Seen
from services.observability.machine import disk_usage
from services.observability.questions import Question
from services.storage.census import Census
from services.storage.factory import parse_storage_url

# Packages whose versions decide what an image looks like, or how the service runs.
PACKAGES: Final = ("rembg", "onnxruntime", "onnxruntime-gpu", "openvino", "numpy", "pillow", "flask", "celery")


class Part(Body):
    """A part of the service; the others answer where it does not."""

    status: Literal["ok", "failed", "off"]
    problem: Annotated[str | None, Field(description="Why there is no answer.")]
    milliseconds: Annotated[float | None, Field(description="How long its answer took.")]
    age_seconds: Annotated[float | None, Field(description="How old the answer is: answers are reused for a moment.")]

    @classmethod
    def of(cls, question: Question[Any] | None, **values: Any) -> Self:
        """Describe what a part has answered; each of `values` makes a field from the answer, None without one."""
        nothing: dict[str, Any] = dict.fromkeys(("problem", "milliseconds", "age_seconds", *values))
        if question is None:
            return cls(**nothing | {"status": "off"})
        found = question.answer()
        if found.value is None:
            return cls(**nothing | {"status": "failed", "problem": found.problem})
        made = {name: make(found.value) for name, make in values.items()}
        took = {"milliseconds": round(found.milliseconds, 2), "age_seconds": round(found.age, 1)}
        return cls(**nothing | {"status": "ok", **took, **made})


class Files(Body):
    """Files of one kind."""

    files: Count
    bytes: Count
    at_least: Annotated[bool, Field(description="The count was cut: there are more.")]

    @classmethod
    def of(cls, census: Census) -> Self:
        """Describe a count."""
        return cls(files=census.files, bytes=census.bytes, at_least=census.at_least)


class Disk(Body):
    """The disk of a folder of this machine."""

    free_bytes: Count
    size_bytes: Count


class StoredPart(Part):
    """What is stored."""

    files: Annotated[dict[str, Files] | None, Field(description="By what they are: uploads, results, masks, previews.")]


class StoragePart(StoredPart):
    """What is stored: originals, results, and what belongs to them; and the free space."""

    backend: Annotated[Literal["file", "s3"], Field(description="A folder, or a bucket.")]
    disks: Annotated[dict[str, Disk], Field(description="By what the folder is for: uploads in transit, storage.")]


class CachePart(Part):
    """The results that are cached in Redis."""

    results: Files | None


class WorkerView(Body):
    """A worker process."""

    name: Annotated[str, Field(description="Its machine and process id.")]
    state: Literal["idle", "busy", "silent"]
    item: Annotated[str | None, Field(description="The id of the image that it works on.")]
    processed: Annotated[Count, Field(description="Images since it was started, whatever came of them.")]
    started_at: Moment
    last_seen_at: Moment

    @classmethod
    def of(cls, seen: Seen, now: float) -> Self:
        """Describe a worker as it was seen last."""
        return cls(
            name=seen.name,
            state=seen.state(now),
            item=seen.item,
            processed=seen.processed,
            started_at=datetime.fromtimestamp(seen.started_at, UTC),
            last_seen_at=datetime.fromtimestamp(seen.seen_at, UTC),
        )


class WorkersPart(Part):
    """Worker processes of all machines. One that was heard of too long ago is `silent`, and after ten minutes gone."""

    workers: list[WorkerView] | None


class QueuePart(Part):
    """Images of jobs that have not ended."""

    waiting: Annotated[Count | None, Field(description="Of them `queued` are in the queue; the others take turns.")]
    queued: Count | None
    running: Count | None
    oldest_seconds: Annotated[float | None, Field(description="Age of the oldest image that could be tried now.")]
    webhooks_due: Count | None


class LoadedModel(Body):
    """A model in the memory of the process that answers."""

    name: str
    engine: str
    precision: str
    seconds: Annotated[float | None, Field(description="Of one mask, the moving mean; null before the first.")]


class OverviewView(Body):
    """The whole service at a glance."""

    name: str
    versions: Annotated[dict[str, str], Field(description="Of the service (`service`), Python, and packages.")]
    uptime_seconds: float
    database: Part
    redis: Part
    broker: Annotated[Part, Field(description="The Redis of the queue.")]
    storage: StoragePart
    cache: CachePart
    workers: WorkersPart
    queue: QueuePart
    models: list[LoadedModel]


def show_overview() -> Response:
    """Show storage, workers, queue, dependencies and models. Every part answers in time, or says that it has not."""
    parts = service()
    assert parts.overview
    parts.overview.begin()
    return answer(overview_view(parts.overview))


def overview_view(asked: Overview) -> OverviewView:
    """Describe what has been answered so far."""
    parts, now = service(), time.time()
    return OverviewView(
        name=parts.settings.app_name,
        versions={"service": parts.settings.app_version, "python": platform.python_version(), **dict(_versions())},
        uptime_seconds=round(now - parts.started, 1),
        database=Part.of(asked.database),
        redis=Part.of(asked.redis),
        broker=Part.of(asked.broker),
        storage=_storage(asked),
        cache=CachePart.of(asked.cache, results=Files.of),
        workers=WorkersPart.of(asked.workers, workers=lambda seen: [WorkerView.of(one, now) for one in seen]),
        queue=QueuePart.of(asked.backlog, **_QUEUE),
        models=[
            LoadedModel(name=name, engine=one.engine, precision=one.precision, seconds=one.seconds)
            for name, one in parts.models.loaded().items()
        ],
    )


_QUEUE: Final[dict[str, Callable[[Backlog], float]]] = {
    "waiting": lambda found: found.unsent + found.queued,
    "queued": lambda found: found.queued,
    "running": lambda found: found.started,
    "oldest_seconds": lambda found: round(found.oldest_seconds, 1),
    "webhooks_due": lambda found: found.webhooks_due,
}


def _storage(asked: Overview) -> StoragePart:
    settings = service().settings
    kind, _ = parse_storage_url(settings.storage_url or DEFAULT_STORAGE_URL)
    usage = {name: disk_usage(folder) for name, folder in data_folders(settings).items()}
    disks = {name: Disk(free_bytes=found.free, size_bytes=found.total) for name, found in usage.items() if found}
    found = StoredPart.of(asked.storage, files=lambda counted: {name: Files.of(one) for name, one in counted.items()})
    return StoragePart(**dict(found), backend=kind, disks=disks)


def _versions() -> Iterator[tuple[str, str]]:
    for name in PACKAGES:
        try:
            yield name, version(name)
        except PackageNotFoundError:
            continue
