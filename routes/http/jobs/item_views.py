"""The JSON bodies of a job's images. The order of the fields is the order of the keys."""

from functools import cache
from typing import Annotated, Literal, Self

from pydantic import Field

from routes.http.answers import Body, Count
from services.archives.filenames import harmless_path
from services.errors import ServiceError, all_errors
from services.jobs.retry import lasting_codes
from services.jobs.tables import JobItem

Status = Literal["queued", "started", "finished", "failed", "cancelled"]
ItemStatus = Literal[Status, "deleted"]


class ErrorView(Body):
    """Why the last attempt at an item failed: for good, or before the next one."""

    code: str
    message: Annotated[str, Field(description="What went wrong, for people.")]
    details: Annotated[str, Field(description="What was found and what is allowed.")]
    solution: Annotated[str, Field(description="What to do about it.")]
    retryable: Annotated[bool, Field(description="false: the same image with the same options would fail again")]

    @classmethod
    def of(cls, item: JobItem) -> Self | None:
        """Describe an item's error; None without one."""
        if item.error_code is None:
            return None
        error = _errors().get(item.error_code, ServiceError)
        return cls(
            code=item.error_code,
            message=error.message,
            details=item.error_details or "",
            solution=error.solution,
            retryable=item.error_code not in lasting_codes(),
        )


class RefusedView(Body):
    """A failed image that is not tried again, because it would fail again."""

    item_id: str
    name: str
    error: ErrorView | None

    @classmethod
    def of(cls, item: JobItem) -> Self:
        """Describe a failed item."""
        return cls(item_id=item.id, name=item.name, error=ErrorView.of(item))


class ItemState(Body):
    """What changes of an image while it is worked on; sizes in px and bytes, null until it is finished."""

    status: ItemStatus
    stage: str | None
    progress: Count
    attempts: Count
    error: ErrorView | None
    width: Count | None
    height: Count | None
    bytes: Count | None
    format: str | None
    model: str | None
    confidence: float | None
    frames: Annotated[Count | None, Field(description="1 for a still picture.")]
    duration_ms: Annotated[Count | None, Field(description="Milliseconds of one run of an animation.")]
    ms: Annotated[float | None, Field(description="Milliseconds that it took a worker.")]
    revision: Annotated[Count, Field(description="How many masks have replaced the model's.")]

    @classmethod
    def fields_of(cls, item: JobItem) -> dict[str, object]:
        """Return the fields' values for an item."""
        facts = item.result
        spent = item.finished_at - item.started_at if facts and item.finished_at and item.started_at else None
        return {
            "status": item.state,
            "stage": item.stage,
            "progress": item.progress,
            "attempts": item.attempts,
            "error": ErrorView.of(item),
            "width": facts.width if facts else None,
            "height": facts.height if facts else None,
            "bytes": facts.bytes if facts else None,
            "format": facts.format if facts else None,
            "model": facts.model if facts else None,
            "confidence": facts.confidence if facts else None,
            "frames": facts.frames if facts else None,
            "duration_ms": facts.duration_ms if facts else None,
            "ms": round(spent.total_seconds() * 1000, 1) if spent else None,
            "revision": item.revision,
        }


class ItemName(Body):
    """An image of a job, and how to find it."""

    item_id: Annotated[str, Field(description="The image's id, for `/api/jobs/{job_id}/items/{item_id}/…`.")]
    name: Annotated[str, Field(description="The file name as it was sent, with its folders.")]
    path: Annotated[str, Field(description="The same, made harmless: results are in these folders of the ZIP.")]

    @classmethod
    def of(cls, item_id: str, name: str) -> Self:
        """Describe an image by its id and its name."""
        return cls(item_id=item_id, name=name, path=harmless_path(name))


class ItemView(ItemState, ItemName):
    """One image of a job."""

    @classmethod
    def of_item(cls, item: JobItem) -> Self:
        """Describe an item."""
        named = {"item_id": item.id, "name": item.name, "path": harmless_path(item.name)}
        return cls.model_validate(named | cls.fields_of(item))


@cache
def _errors() -> dict[str, type[ServiceError]]:
    """Return the errors by their codes; of several with one code the most general."""
    return {error.code: error for error in reversed(list(all_errors()))}
