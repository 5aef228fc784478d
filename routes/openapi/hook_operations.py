"""Describes the endpoint of a bucket's notifications."""

from typing import Final

from routes.hooks import MAX_BYTES, HookView
from routes.openapi.docs import Operation
from routes.openapi.schemas import schema_of
from services import errors as e
from services.imaging.errors import UnsupportedFormat
from services.jobs.buckets.events import MAX_RECORDS, Notification
from services.jobs.errors import QueueUnavailable

S3: Final = Operation(
    "jobs", "Take the notifications of a bucket",
    "S3's events, of AWS, MinIO and others, with `Authorization: Bearer` and WATCH_WEBHOOK_TOKEN: at most "
    f"{MAX_RECORDS} records and {MAX_BYTES} bytes. Objects that were created go to the `bgremove watch` of their "
    "bucket and prefix; everything else is ignored. Repeated and reordered notifications do no harm.",
    {"application/json": schema_of(Notification)}, {"application/json": schema_of(HookView)},
    (e.BadJSON, e.BadOption, e.UploadTooLarge, e.Busy, e.NotFound, e.Forbidden, UnsupportedFormat, QueueUnavailable),
)  # fmt: skip
