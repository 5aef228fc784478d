"""Describes the endpoints of a job's images."""

from typing import Final

from routes.http.fields import MASK as MASK_FIELD
from routes.http.jobs.item_views import ItemView
from routes.openapi.docs import Operation
from routes.openapi.operations import BEHIND, BINARY, body_object
from routes.openapi.schemas import Schema, schema_of
from routes.openapi.studio_operations import COMPOSE_FAILURES, COMPOSE_OPTIONS
from services import errors as e
from services.imaging.formats import Format, usable_formats
from services.imaging.options import BACKGROUND_IMAGE
from services.jobs.errors import (
    ItemChanged,
    ItemNotCancellable,
    ItemNotFinished,
    ItemNotFound,
    ItemNotRetryable,
    JobNotFound,
    QueueUnavailable,
)
from services.storage.errors import ResultExpired, StorageUnavailable

_PREVIEW: Final[dict[str, Schema]] = {
    "preview": {"type": "boolean", "default": False, "description": "A WebP of at most 320 px instead of the result."},
}
_CACHED: Final = "`ETag` and `If-None-Match` (304) save the bytes."
_FILE: Final = (JobNotFound, ItemNotFound, ResultExpired, StorageUnavailable, e.DatabaseUnavailable)
DOWNLOAD: Final = Operation(
    "items", "Download the result of one image", f"As soon as the image is finished. {_CACHED}",
    answers={f.mimetype: {} for f in (*usable_formats(), Format.GIF)},
    failures=(*_FILE, ItemNotFinished, e.BadOption), parameters=_PREVIEW,
)  # fmt: skip
ORIGINAL: Final = Operation(
    "items", "Download one image as it was sent", f"Until the job's `expires_at`. {_CACHED}",
    answers={"image/*": {}}, failures=_FILE,
)  # fmt: skip
MASK: Final = Operation(
    "items", "Download the mask of one image",
    "The mask that made the result: 8-bit grey, in the upright photo's size, 255 where the subject is. Until the job's "
    f"`expires_at`. {_CACHED}",
    answers={"image/png": {}}, failures=(*_FILE, ItemNotFinished),
)  # fmt: skip
_ITEM: Final[dict[str, Schema]] = {"application/json": schema_of(ItemView)}
REPLACE_MASK: Final = Operation(
    "items", "Replace the mask of one image",
    "Makes the result again from the original and your mask, as `/compose` does. Send the mask as the body with the "
    "options in the query, or a form with mask, options and an image behind the subject. "
    "Without `format` the result keeps its own, and without a background the job's `background_image` stays. The "
    "result, its preview and the job's ZIP change together, and `revision` increases.",
    {
        "image/png": {},
        "multipart/form-data": body_object(
            [MASK_FIELD],
            **{
                MASK_FIELD: {**BINARY, "description": "PNG or WebP: grey, opaque, as large as the upright photo."},
                BACKGROUND_IMAGE: {**BINARY, "description": BEHIND},
            },
            **COMPOSE_OPTIONS,
        ),
    },
    _ITEM,
    (*_FILE, *COMPOSE_FAILURES, ItemNotFinished, ItemChanged), parameters=COMPOSE_OPTIONS,
)  # fmt: skip
RETRY: Final = Operation(
    "items", "Retry one image",
    "One that was cancelled, or that a server error stopped; one that would fail again (a damaged one) is refused. Its "
    "job may have ended or not.",
    answers=_ITEM, status=202,
    failures=(JobNotFound, ItemNotFound, ItemNotRetryable, ResultExpired, QueueUnavailable, e.DatabaseUnavailable),
)  # fmt: skip
CANCEL: Final = Operation(
    "items", "Cancel one image", "Also one that is being processed. A job without any other image is cancelled too.",
    answers=_ITEM, status=202, failures=(JobNotFound, ItemNotFound, ItemNotCancellable, e.DatabaseUnavailable),
)  # fmt: skip
DELETE: Final = Operation(
    "items", "Delete one image", "Deletes its original, result, mask and preview now; it is cancelled before where it "
    "has not ended. The job keeps its record, with the status `deleted`, and goes on with the other images. Repeating "
    "this is harmless.",
    failures=(JobNotFound, ItemNotFound, StorageUnavailable, e.DatabaseUnavailable), status=204,
)  # fmt: skip
