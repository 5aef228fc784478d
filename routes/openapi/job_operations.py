"""Describes the endpoints of jobs, uploads and tasks; the schemas of their answers come from the models."""

from typing import Final

from routes.admin import AnyFailedJobsPage
from routes.http.answers import Body
from routes.http.jobs.job_views import (
    AcceptedView,
    CancelledView,
    CleanupView,
    FailedJobsPage,
    JobsPage,
    JobView,
    RetriedView,
)
from routes.http.jobs.upload_views import TaskView, UploadAcceptedView, UploadsPage, UploadView
from routes.http.jobs.watch_events import MAX_IDS, JobEvent
from routes.openapi.docs import Operation, option_schemas
from routes.openapi.operations import REMOVE
from routes.openapi.schemas import Schema, schema_of
from services import errors as e
from services.archives.errors import TooManyFiles
from services.containers.errors import CorruptImage
from services.imaging.errors import ImageTooSmall, TooManyPixels, UnsupportedFormat
from services.imaging.formats import Format, usable_formats
from services.imaging.options import BACKGROUND_IMAGE
from services.jobs.errors import (
    IdempotencyKeyReused,
    JobNotCancellable,
    JobNotFinished,
    JobNotFound,
    JobNotRetryable,
    QueueUnavailable,
)
from services.net.errors import BadURL, ForbiddenSource
from services.storage.base import KEYS, MAX_KEY_CHARS
from services.storage.errors import ResultExpired, StorageUnavailable

_OPTIONS: Final = option_schemas()
_BINARY: Final[Schema] = {"type": "string", "contentMediaType": "application/octet-stream"}
_LOST: Final = (QueueUnavailable, StorageUnavailable, e.DatabaseUnavailable)


_PAGE: Final[dict[str, Schema]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20, "description": "Jobs on a page."},
    "cursor": {"type": "string", "description": "`next_cursor` of the page before."},
}
_OWN: Final = (
    "Those made with your API key; without a key those made with the cookie that the page sets, without either none: "
    "such a job is reached only by its id."
)
_CALLBACK: Final[dict[str, Schema]] = {
    "callback_url": {
        "type": "string",
        "format": "uri",
        "description": "Where to send a POST when the job ends, signed as Standard Webhooks; needs "
        "`WEBHOOK_SECRET` on the server.",
    }
}


def _with_callback(schema: Schema) -> Schema:
    return schema and {**schema, "properties": {**schema["properties"], **_CALLBACK}}


def _or_by_key(schema: Schema) -> Schema:
    """Allow `s3_key` instead of the image in a body."""
    if not schema:
        return schema
    others = schema.get("oneOf") or [{"required": schema["required"]}]
    properties = {**schema["properties"], "s3_key": _S3_KEY}
    return {**schema, "required": [], "oneOf": [*others, {"required": ["s3_key"]}], "properties": properties}


_S3_KEY: Final[Schema] = {
    "type": "string",
    "maxLength": MAX_KEY_CHARS,
    "description": "An object of the server's bucket instead of an image: `incoming/<id of your API key>/…`, or "
    f"`incoming/public/…` without a key. {KEYS[0].upper()}{KEYS[1:]}.",
}
_BODIES: Final = {kind: _with_callback(schema) for kind, schema in REMOVE.bodies.items()}
_BATCH: Final[dict[str, Schema]] = {
    "multipart/form-data": {
        "type": "object",
        "required": ["files"],
        "properties": {
            "files": {"type": "array", "items": _BINARY, "minItems": 1},
            BACKGROUND_IMAGE: _BINARY,
            **_OPTIONS,
        },
        "additionalProperties": False,
    }
}
_IDEMPOTENCY: Final = (
    "`Idempotency-Key` (a header, 1 to 200 characters): the same request with the same key returns the same job; with "
    "other images or options, 409."
)


def _json(model: type[Body]) -> dict[str, Schema]:
    return {"application/json": schema_of(model)}


def _events(model: type[Body]) -> dict[str, Schema]:
    """Describe a stream, each event as an object; `data` is the JSON of a model."""
    data = {"type": "string", "contentMediaType": "application/json", "contentSchema": schema_of(model)}
    return {
        "text/event-stream": {
            "type": "object",
            "required": ["event", "data"],
            "properties": {"event": {"type": "string"}, "id": {"type": "string"}, "data": data},
        }
    }


SUBMIT: Final = Operation(
    "jobs", "Submit an image",
    f"Takes the same fields as `/remove-background`; an `image_url` is fetched before the answer. {_IDEMPOTENCY}",
    _BODIES, _json(AcceptedView), (*REMOVE.failures, IdempotencyKeyReused, *_LOST),
    options=True, body_required=False, status=202, query=_CALLBACK,
)  # fmt: skip
SUBMIT_BATCH: Final = Operation(
    "jobs", "Submit many images", f"Each image is accepted or refused separately. {_IDEMPOTENCY}",
    _BATCH, _json(AcceptedView),
    (e.MissingImage, e.EmptyImage, e.BadOption, e.UnknownOption, BadURL, ForbiddenSource, e.ModelNotFound,
     TooManyFiles, e.UploadTooLarge, UnsupportedFormat,
     CorruptImage, TooManyPixels, ImageTooSmall, IdempotencyKeyReused, e.Busy, *_LOST),
    status=202, parameters={**_OPTIONS, **_CALLBACK},
)  # fmt: skip
SHOW: Final = Operation(
    "jobs",
    "Show a job's status",
    "With `Accept: text/event-stream` every change is sent until the job ends: the event is the status.",
    answers={**_json(JobView), **_events(JobView)},
    failures=(JobNotFound, e.Busy, e.DatabaseUnavailable),
)
WATCH: Final = Operation(
    "jobs",
    "Watch many jobs",
    "One stream for all of them: `event: job`, and as `data` the JSON of a job with all its images at first, then with "
    "those that have changed. An id that you may not see comes once, as `unknown`. It ends with the last job, or "
    "after a minute: connect again with `Last-Event-ID`, which costs no quota and leaves out unchanged jobs.",
    answers=_events(JobEvent),
    failures=(e.BadOption, e.Busy, e.DatabaseUnavailable),
    parameters={"id": {"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": MAX_IDS,
                       "description": "`job_id`s, such as `?id=…&id=…`."}},
    needed=("id",),
)  # fmt: skip
LISTED: Final = Operation(
    "jobs", "List your jobs, newest first", _OWN,
    answers=_json(JobsPage),
    failures=(e.BadOption, e.DatabaseUnavailable), parameters=_PAGE,
)  # fmt: skip
FAILED: Final = Operation(
    "jobs", "List your jobs with a failed image",
    f"{_OWN} `POST` to `retry_url` retries it; null where nothing of it is kept.",
    answers=_json(FailedJobsPage),
    failures=(e.BadOption, e.DatabaseUnavailable), parameters=_PAGE,
)  # fmt: skip
ALL_FAILED: Final = Operation(
    "administration", "List the jobs of all callers with a failed image",
    "Newest first, with the id of the key that made each. Their images stay closed to other keys.",
    answers=_json(AnyFailedJobsPage),
    failures=(e.BadOption, e.DatabaseUnavailable), parameters=_PAGE,
)  # fmt: skip
RETRY_ANY: Final = Operation(
    "administration", "Retry the failed images of anybody's job",
    "As its own caller may. The images count for the key that made the job, even if its monthly quota is used up.",
    answers=_json(RetriedView),
    failures=(JobNotFound, JobNotRetryable, ResultExpired, QueueUnavailable, e.DatabaseUnavailable), status=202,
)  # fmt: skip
CANCEL: Final = Operation(
    "jobs", "Cancel a job", "Ends all images that have not ended, also those being processed.",
    answers=_json(CancelledView),
    failures=(JobNotFound, JobNotCancellable, e.DatabaseUnavailable), status=202,
)  # fmt: skip
RETRY: Final = Operation(
    "jobs", "Retry the failed images of a job",
    "Images that would fail again, such as damaged ones, stay failed and are in `refused`; with none to retry, 409.",
    answers=_json(RetriedView),
    failures=(JobNotFound, JobNotRetryable, ResultExpired, QueueUnavailable, e.DatabaseUnavailable), status=202,
)  # fmt: skip
DOWNLOAD: Final = Operation(
    "jobs", "Download the result",
    "The image; of a batch a ZIP with the images, `metadata.json` and `errors.json`; of a cancelled batch the images "
    "that were done. 302 to a link into object storage where the operator has chosen so.",
    answers={f.mimetype: {} for f in (*usable_formats(), Format.GIF)},
    failures=(JobNotFound, JobNotFinished, ResultExpired, *_LOST[1:]),
)  # fmt: skip
ERASE: Final = Operation(
    "jobs", "Delete a job", "Deletes its images, results and record now; what has not ended is cancelled before. No "
    "callback follows.",
    failures=(JobNotFound, *_LOST[1:]), status=204,
)  # fmt: skip
CLEANUP: Final = Operation(
    "jobs", "Delete expired files and records", "Files and records of expired jobs, and files without a job.",
    answers=_json(CleanupView),
    failures=_LOST[1:],
)  # fmt: skip


UPLOAD: Final = Operation(
    "uploads", "Submit an image", "A job under another name: `upload_id`, `task_id` and `job_id` are the same.",
    {kind: _or_by_key(schema) for kind, schema in _BODIES.items()},
    _json(UploadAcceptedView),
    (*REMOVE.failures, e.NotFound, IdempotencyKeyReused, *_LOST),
    options=True, body_required=False, status=202, query={**_CALLBACK, "s3_key": _S3_KEY},
)  # fmt: skip
UPLOADS: Final = Operation(
    "uploads", "List your uploads, newest first", _OWN, answers=_json(UploadsPage),
    failures=(e.BadOption, e.DatabaseUnavailable), parameters=_PAGE,
)  # fmt: skip
SHOW_UPLOAD: Final = Operation(
    "uploads", "Show one upload", answers=_json(UploadView), failures=(JobNotFound, e.DatabaseUnavailable)
)
SHOW_TASK: Final = Operation(
    "uploads", "Show the status of an upload",
    answers=_json(TaskView), failures=(JobNotFound, e.DatabaseUnavailable),
)  # fmt: skip
