"""What the API's description says of the endpoints for jobs."""

from typing import Any, Final

from routes.openapi.docs import Operation, Schema, option_schemas
from routes.openapi.operations import REMOVE
from services import errors as e
from services.archives.errors import TooManyFiles
from services.imaging.errors import CorruptImage, ImageTooSmall, TooManyPixels, UnsupportedFormat
from services.imaging.formats import usable_formats
from services.imaging.options import BACKGROUND_IMAGE
from services.jobs.errors import (
    IdempotencyKeyReused,
    JobNotCancellable,
    JobNotFinished,
    JobNotFound,
    JobNotRetryable,
    QueueUnavailable,
)
from services.net.errors import BadURL
from services.storage.base import KEYS, MAX_KEY_CHARS
from services.storage.errors import ResultExpired, StorageUnavailable

_TEXT: Final[Schema] = {"type": "string"}
_OPTIONS: Final = option_schemas()
_BINARY: Final[Schema] = {"type": "string", "contentMediaType": "application/octet-stream"}
_WHOLE: Final[Schema] = {"type": "integer", "minimum": 0}
_MOMENT: Final[Schema] = {"type": ["string", "null"], "format": "date-time"}
_STATUS: Final[Schema] = {"type": "string", "enum": ["queued", "started", "finished", "failed", "cancelled"]}
_LOST: Final = (QueueUnavailable, StorageUnavailable, e.DatabaseUnavailable)


def _or_null(schema: Schema) -> Schema:
    return {**schema, "type": [schema["type"], "null"]}


def _whole_object(**properties: Any) -> Schema:
    return {
        "type": "object",
        "required": list(properties),
        "properties": properties,
        "additionalProperties": False,
    }


_ERROR: Final = _or_null(_whole_object(code=_TEXT, details=_TEXT))
_ITEM: Final = _whole_object(
    item_id=_TEXT, name=_TEXT, status=_STATUS, stage=_or_null(_TEXT), progress=_WHOLE, attempts=_WHOLE, error=_ERROR,
    width=_or_null(_WHOLE), height=_or_null(_WHOLE), bytes=_or_null(_WHOLE), format=_or_null(_TEXT),
    model=_or_null(_TEXT), confidence=_or_null({"type": "number"}),
)  # fmt: skip
_JOB_PARTS: Final[dict[str, Schema]] = {
    "job_id": _TEXT,
    "status": _STATUS,
    "stage": {**_or_null(_TEXT), "description": "queue, decode, segment, refine, compose, encode, store"},
    "progress": {**_WHOLE, "maximum": 100},
    "eta_seconds": _or_null({"type": "number"}),
    "created_at": _MOMENT,
    "started_at": _MOMENT,
    "finished_at": _MOMENT,
    "expires_at": {**_MOMENT, "description": "until when its files are kept"},
    "attempts": _WHOLE,
    "error": {**_ERROR, "description": "Why it failed, or why its last attempt did."},
    "items": {"type": "array", "items": _ITEM},
    "download_url": _or_null(_TEXT),
    "metrics": {"type": "object"},
}
_JOB: Final = _whole_object(**_JOB_PARTS)
_ACCEPTED: Final = _whole_object(job_id=_TEXT, status=_STATUS, items=_WHOLE, status_url=_TEXT)
_PAGE: Final[dict[str, Schema]] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 100, "default": 20, "description": "Jobs on a page."},
    "cursor": {"type": "string", "description": "`next_cursor` of the page before."},
}
_CALLBACK: Final[dict[str, Schema]] = {
    "callback_url": {
        "type": "string",
        "format": "uri",
        "description": "Told by a signed POST when the job is over; where the operator has set `WEBHOOK_SECRET`.",
    }
}


def _with_callback(schema: Schema) -> Schema:
    return schema and {**schema, "properties": {**schema["properties"], **_CALLBACK}}


def _or_by_key(schema: Schema) -> Schema:
    """The same body, where `s3_key` may stand instead of the image."""
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
_AS_OF_NOW: Final = (
    "`Idempotency-Key` (a header, 1 to 200 characters): sent again with the same key, it is the same job; with other "
    "images or options, 409."
)

SUBMIT: Final = Operation(
    "jobs", "Hand in an image",
    f"Takes what `/remove-background` takes; what is behind `image_url` is fetched before the answer. {_AS_OF_NOW}",
    _BODIES, {"application/json": _ACCEPTED}, (*REMOVE.failures, IdempotencyKeyReused, *_LOST),
    options=True, body_required=False, status=202, query=_CALLBACK,
)  # fmt: skip
SUBMIT_BATCH: Final = Operation(
    "jobs", "Hand in many images", f"Each is found good or bad by itself. {_AS_OF_NOW}",
    _BATCH, {"application/json": _ACCEPTED},
    (e.MissingImage, e.EmptyImage, e.BadOption, e.UnknownOption, BadURL, e.ModelNotFound,
     TooManyFiles, e.UploadTooLarge, UnsupportedFormat,
     CorruptImage, TooManyPixels, ImageTooSmall, IdempotencyKeyReused, e.Busy, *_LOST),
    status=202, parameters={**_OPTIONS, **_CALLBACK},
)  # fmt: skip
SHOW: Final = Operation(
    "jobs",
    "How far a job is",
    "With `Accept: text/event-stream` every change is sent until the job is over: the event is the status.",
    answers={"application/json": _JOB, "text/event-stream": {"type": "string"}},
    failures=(JobNotFound, e.Busy, e.DatabaseUnavailable),
)
LISTED: Final = Operation(
    "jobs", "Your jobs, newest first", "Needs an API key: without one, a job is known by its id alone.",
    answers={"application/json": _whole_object(jobs={"type": "array", "items": _JOB}, next_cursor=_or_null(_TEXT))},
    failures=(e.BadOption, e.MissingKey, e.DatabaseUnavailable), parameters=_PAGE,
)  # fmt: skip
FAILED: Final = Operation(
    "jobs", "Your jobs of which something failed",
    "Needs an API key. `POST` to `retry_url` tries it again; null where nothing of it is kept.",
    answers={
        "application/json": _whole_object(
            jobs={"type": "array", "items": _whole_object(**_JOB_PARTS, retry_url=_or_null(_TEXT))},
            next_cursor=_or_null(_TEXT),
        )
    },
    failures=(e.BadOption, e.MissingKey, e.DatabaseUnavailable), parameters=_PAGE,
)  # fmt: skip
CANCEL: Final = Operation(
    "jobs", "End what is not done", "Also what is being worked on.",
    answers={"application/json": _whole_object(job_id=_TEXT, status=_STATUS)},
    failures=(JobNotFound, JobNotCancellable, e.DatabaseUnavailable), status=202,
)  # fmt: skip
RETRY: Final = Operation(
    "jobs", "Try what has failed again",
    answers={"application/json": _whole_object(job_id=_TEXT, status=_STATUS, status_url=_TEXT)},
    failures=(JobNotFound, JobNotRetryable, ResultExpired, QueueUnavailable, e.DatabaseUnavailable), status=202,
)  # fmt: skip
DOWNLOAD: Final = Operation(
    "jobs", "The result",
    "The image; of a batch a ZIP with the images, `metadata.json` and `errors.json`. 302 to a link into object storage "
    "where the operator has chosen so.",
    answers={f.mimetype: {} for f in usable_formats()},
    failures=(JobNotFound, JobNotFinished, ResultExpired, *_LOST[1:]),
)  # fmt: skip
CLEANUP: Final = Operation(
    "jobs", "Remove what has had its time", "Files and records of jobs long over, and files of no job.",
    answers={
        "application/json": _whole_object(
            removed=_whole_object(jobs_expired=_WHOLE, files=_WHOLE, records=_WHOLE, orphans=_WHOLE)
        )
    },
    failures=_LOST[1:],
)  # fmt: skip

_OF_UPLOADS: Final[Schema] = {"type": "string", "enum": ["queued", "processing", "completed", "failed"]}
_UPLOAD: Final = _whole_object(
    upload_id=_TEXT, task_id=_TEXT, filename=_TEXT, size=_WHOLE, status=_OF_UPLOADS, created_at=_MOMENT
)
_TASK: Final = _whole_object(
    task_id=_TEXT, upload_id=_TEXT, status=_OF_UPLOADS, progress=_WHOLE, result_url=_or_null(_TEXT),
    presigned_url=_or_null(_TEXT), error_message=_or_null(_TEXT), processing_time=_or_null({"type": "number"}),
    created_at=_MOMENT, updated_at=_MOMENT,
)  # fmt: skip
UPLOAD: Final = Operation(
    "uploads", "Hand in an image", "A job under another name: `upload_id`, `task_id` and `job_id` are the same.",
    {kind: _or_by_key(schema) for kind, schema in _BODIES.items()},
    {"application/json": _whole_object(upload_id=_TEXT, task_id=_TEXT, status=_OF_UPLOADS, message=_TEXT)},
    (*REMOVE.failures, e.NotFound, IdempotencyKeyReused, *_LOST),
    options=True, body_required=False, status=202, query={**_CALLBACK, "s3_key": _S3_KEY},
)  # fmt: skip
UPLOADS: Final = Operation(
    "uploads", "Your uploads, newest first", "Needs an API key.",
    answers={
        "application/json": _whole_object(uploads={"type": "array", "items": _UPLOAD}, next_cursor=_or_null(_TEXT))
    },
    failures=(e.BadOption, e.MissingKey, e.DatabaseUnavailable), parameters=_PAGE,
)  # fmt: skip
SHOW_UPLOAD: Final = Operation(
    "uploads", "One upload", answers={"application/json": _UPLOAD}, failures=(JobNotFound, e.DatabaseUnavailable)
)
SHOW_TASK: Final = Operation(
    "uploads", "What has become of an upload",
    answers={"application/json": _TASK}, failures=(JobNotFound, e.DatabaseUnavailable),
)  # fmt: skip
