"""Describes the endpoints of archives of chosen images."""

from typing import Final

from routes.archives import ArchiveView
from routes.openapi.docs import Operation
from routes.openapi.schemas import Schema, schema_of
from services import errors as e
from services.archives.errors import ArchiveTooLarge, TooManyFiles
from services.imaging.errors import UnsupportedFormat
from services.jobs.chosen_archive import MAX_FILES
from services.jobs.errors import ItemNotFinished, ItemNotFound
from services.storage.errors import ResultExpired, StorageUnavailable

_TEXT: Final[Schema] = {"type": "string"}
_ITEM: Final[Schema] = {
    "type": "object",
    "required": ["job_id", "item_id"],
    "properties": {
        "job_id": _TEXT,
        "item_id": _TEXT,
        "name": {**_TEXT, "description": "Its path in the archive, `folder/a`; absent: as the image was sent."},
    },
    "additionalProperties": False,
}
MAKE: Final = Operation(
    "archives", "Make an archive of chosen images",
    "Of any jobs. Names are made harmless and distinct, and get the ending of their format. `metadata.json` in it has "
    "`name`, `path`, `status`, `width`, `height`, `bytes`, `format`, `model`, `confidence`, `seconds`, `edited` and "
    "`error` of each image; those without a result are only there.",
    {
        "application/json": {
            "type": "object",
            "required": ["items"],
            "properties": {
                "items": {"type": "array", "items": _ITEM, "minItems": 1, "maxItems": MAX_FILES},
                "metadata": {"type": "boolean", "default": True, "description": "Whether it has `metadata.json`."},
            },
            "additionalProperties": False,
        }
    },
    {"application/json": schema_of(ArchiveView)},
    (e.BadJSON, e.BadOption, e.UploadTooLarge, UnsupportedFormat, e.Busy, TooManyFiles, ArchiveTooLarge, ItemNotFound,
     ItemNotFinished, ResultExpired, StorageUnavailable, e.DatabaseUnavailable),
    status=201,
)  # fmt: skip
DOWNLOAD: Final = Operation(
    "archives", "Download an archive",
    "By the link that `/api/archives` gives, without a key. Results are stored, not deflated, as they are now.",
    answers={"application/zip": {}},
    failures=(e.Forbidden, ResultExpired, StorageUnavailable, e.DatabaseUnavailable),
)  # fmt: skip
