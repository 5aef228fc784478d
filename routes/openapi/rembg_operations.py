"""The descriptions of rembg's endpoints."""

from typing import Any, Final

from routes.openapi.docs import IMAGE_URL, Operation
from routes.openapi.schemas import Schema
from services import errors as e
from services.archives.errors import BadArchive, BadEntry, TooManyFiles
from services.containers.errors import CorruptImage
from services.dialects.rembg import ALLOWED, RembgParameters
from services.imaging.errors import ImageTooSmall, NoSubject, TooManyPixels, UnsupportedFormat
from services.net.errors import BadURL, ForbiddenSource, SourceFailed, SourceTimeout

_BINARY: Final[Schema] = {"type": "string", "contentMediaType": "application/octet-stream"}
FAILURES: Final = (
    e.MissingImage, e.EmptyImage, e.BadOption, e.ModelNotFound, e.UploadTooLarge, e.Busy, e.EngineUnavailable,
    e.DeadlineExceeded,
)  # fmt: skip
IMAGE_FAILURES: Final = (
    *FAILURES, UnsupportedFormat, CorruptImage, TooManyPixels, ImageTooSmall, NoSubject,
)  # fmt: skip


def _parameters() -> dict[str, Schema]:
    """Return the schema of each of rembg's parameters, without null: an absent one is simply absent."""
    found: dict[str, Any] = RembgParameters.model_json_schema()["properties"]
    return {name: _flat(schema) for name, schema in found.items()}


def _flat(schema: Schema) -> Schema:
    variant: Schema = next((v for v in schema.get("anyOf", ()) if v.get("type") != "null"), {})
    merged = {**schema, **variant}
    return {k: v for k, v in merged.items() if k not in ("anyOf", "title") and v is not None}


PARAMETERS: Final = _parameters()


def _form(**files: Schema) -> dict[str, Schema]:
    properties = {**files, **PARAMETERS}
    return {"multipart/form-data": {"type": "object", "required": list(files), "properties": properties}}


REMOVE_URL: Final = Operation(
    "rembg", "Remove the background of the image behind a URL, as rembg's server does",
    f"Always a PNG: RGBA, or grey with `om`. Other parameters are ignored. `extras` takes {ALLOWED['extras']}.",
    answers={"image/png": {}}, parameters={"url": IMAGE_URL, **PARAMETERS}, needed=("url",),
    failures=(*IMAGE_FAILURES, BadURL, ForbiddenSource, SourceFailed, SourceTimeout),
)  # fmt: skip
REMOVE_FILE: Final = Operation(
    "rembg", "Remove the background of an image, as rembg's server does",
    "Always a PNG: RGBA, or grey with `om`. Parameters are form fields or query parameters; others are ignored.",
    _form(file=_BINARY), {"image/png": {}}, (*IMAGE_FAILURES, e.MultipleImages), parameters=PARAMETERS,
)  # fmt: skip
REMOVE_BATCH: Final = Operation(
    "rembg", "Remove the backgrounds of many images",
    "The form's `files` are images and ZIP archives of images. The answer is a ZIP archive of `<name>.png`, sent while "
    "it is made; an image that failed does not end it, but is listed in its `errors.json`: a list of "
    "`{\"name\", \"code\", \"error\"}`.",
    _form(files={"type": "array", "items": _BINARY, "minItems": 1}), {"application/zip": {}},
    (*FAILURES, UnsupportedFormat, TooManyFiles, BadArchive, BadEntry, e.ShuttingDown), parameters=PARAMETERS,
)  # fmt: skip
