"""The descriptions of the endpoints."""

from typing import Final

from routes.http.answers import (
    Alive,
    DependencyReport,
    HealthReport,
    ImageAnswer,
    ModelList,
    Readiness,
    ServiceDescription,
    TextFile,
)
from routes.openapi.docs import BACKGROUND_URL, IMAGE_URL, Operation, option_schemas
from routes.openapi.schemas import Schema, schema_of
from services import errors as e
from services.containers.errors import CorruptImage
from services.imaging.errors import ImageTooSmall, NoSubject, TooManyFrames, TooManyPixels, UnsupportedFormat
from services.imaging.formats import Format, usable_formats
from services.imaging.options import BACKGROUND_IMAGE, allowed
from services.net.errors import BadURL, ForbiddenSource, SourceFailed, SourceTimeout
from services.storage.base import KEYS
from services.storage.errors import ResultExpired, StorageUnavailable


def _option_table() -> str:
    rows = [
        f"| `{name}` | {allowed(name)} | {schema.get('default', '–')} |" for name, schema in option_schemas().items()
    ]
    return "\n".join(["| option | values | default |", "|---|---|---|", *rows])


def body_object(required: list[str], **properties: Schema) -> Schema:
    """Return the schema of an object with exactly these properties."""
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}


def _with_output_key(schema: Schema) -> Schema:
    return schema and {**schema, "properties": {**schema["properties"], "output_key": OUTPUT_KEY}}


_OPTIONS: Final = option_schemas()
BEHIND: Final = "An image behind the subject: fills the canvas, centred; instead of `background`."
BINARY: Final[Schema] = {"type": "string", "contentMediaType": "application/octet-stream"}
_BY_URL: Final = body_object(["image_url"], image_url=IMAGE_URL, background_image_url=BACKGROUND_URL, **_OPTIONS)
OUTPUT_KEY: Final[Schema] = {
    "type": "string",
    "maxLength": 500,
    "description": "Stores the result as well, under `results/` and this key; `X-Output-Key` says where. "
    f"{KEYS[0].upper()}{KEYS[1:]}. Only if the operator has configured storage (`STORAGE_URL`).",
}
_IMAGE_BODIES: Final = {
    "multipart/form-data": {
        **body_object(
            [],
            file=BINARY,
            image={**BINARY, "description": "Another name for `file`."},
            image_url=IMAGE_URL,
            background_image_url=BACKGROUND_URL,
            **{BACKGROUND_IMAGE: {**BINARY, "description": BEHIND}},
            **_OPTIONS,
        ),
        "oneOf": [{"required": ["file"]}, {"required": ["image"]}, {"required": ["image_url"]}],
    },
    "image/*": {},
    "application/octet-stream": {},
    "application/x-www-form-urlencoded": _BY_URL,
    "application/json": _BY_URL,
}
_JSON_RESULT: Final = schema_of(ImageAnswer)
FILES: Final[dict[str, Schema]] = {f.mimetype: {} for f in (*usable_formats(), Format.GIF)}
IMAGE_ANSWERS: Final = {**FILES, "application/json": _JSON_RESULT}
IMAGE_FAILURES: Final = (
    e.MissingImage, e.MultipleImages, e.EmptyImage, e.BadOption, e.UnknownOption, BadURL, ForbiddenSource,
    e.ModelNotFound, e.UploadTooLarge, UnsupportedFormat, CorruptImage, TooManyPixels, TooManyFrames, ImageTooSmall,
    NoSubject, SourceFailed, SourceTimeout, e.Busy, e.EngineUnavailable, e.DeadlineExceeded,
)  # fmt: skip
_ANY_OBJECT: Final[Schema] = {"application/json": {"type": "object"}}

REMOVE: Final = Operation(
    "removal",
    "Remove the background of an image",
    "Send the image as multipart field `file`, as the body, or as the URL `image_url`. The answer is a download named "
    "`<name>-no-bg.<ext>`, or, with `Accept: application/json`, what the base64 endpoint answers. Options are form "
    f"fields, query parameters, or keys of a JSON body.\n\n{_option_table()}",
    _IMAGE_BODIES, IMAGE_ANSWERS, (*IMAGE_FAILURES, e.BadJSON), options=True, body_required=False,
)  # fmt: skip
REMOVE_BG: Final = Operation(
    "removal",
    "Remove the background of the image behind a URL",
    "As `/remove-background`, but inline, and a PNG unless `format` says otherwise: made for "
    "`POST /remove-bg?image_url=…`. With `output_key` the result goes to the server's storage too.",
    {kind: _with_output_key(schema) for kind, schema in _IMAGE_BODIES.items()},
    FILES, (*IMAGE_FAILURES, e.BadJSON, StorageUnavailable),
    options=True, body_required=False, query={"output_key": OUTPUT_KEY},
)  # fmt: skip
PREVIEW: Final = Operation(
    "removal",
    "Remove the background, as a preview",
    "As `/remove-background`, but inline and with a bounded size (`PREVIEW_MAX_SIDE`, 1024 px by default).",
    _IMAGE_BODIES, IMAGE_ANSWERS, (*IMAGE_FAILURES, e.BadJSON), options=True, body_required=False,
)  # fmt: skip
BASE64: Final = Operation(
    "removal",
    "Remove the background, JSON in and out",
    "For web pages: the image as base64 or data URI, together with the options.",
    {
        "application/json": {
            **body_object(
                [],
                image={"type": "string", "minLength": 1, "description": "base64 or data URI"},
                image_url=IMAGE_URL,
                background_image_url=BACKGROUND_URL,
                data_uri={"type": "boolean", "default": False, "description": "answer with a data URI"},
                **{BACKGROUND_IMAGE: {"type": "string", "description": f"base64 or data URI. {BEHIND}"}},
                **_OPTIONS,
            ),
            "oneOf": [{"required": ["image"]}, {"required": ["image_url"]}],
        }
    },
    {"application/json": _JSON_RESULT},
    (*IMAGE_FAILURES, e.BadJSON, e.BadBase64),
    options=True,
)
READ_FILE: Final = Operation(
    "files",
    "Read a text file of base64 image data",
    "Only `.txt` files inside the server's `READ_FILE_DIR` that hold an image as base64.",
    {"application/json": body_object(["path"], path={"type": "string", "minLength": 1, "maxLength": 1000})},
    {"application/json": schema_of(TextFile)},
    (e.BadJSON, e.BadOption, e.UnknownOption, e.BadBase64, e.EmptyImage, e.ForbiddenPath, e.NotFound, e.UploadTooLarge,
     UnsupportedFormat),
)  # fmt: skip
DOWNLOAD_FILE: Final = Operation(
    "files", "Download a stored object", "By a link that the service has signed, until its end.",
    answers={**FILES, "application/octet-stream": {}},
    failures=(e.Forbidden, e.NotFound, ResultExpired, StorageUnavailable),
)  # fmt: skip
INDEX: Final = Operation(
    "service", "The web page, or the service's description",
    "A page for a browser; with `Accept: application/json` name, version, model, limits and endpoints.",
    answers={"text/html": {"type": "string"}, "application/json": schema_of(ServiceDescription)},
)  # fmt: skip
ADMIN_PAGE: Final = Operation(
    "administration", "The administrators' page",
    "A page for a browser: overview, keys, usage, failed jobs. It has no data of its own and asks for a key with "
    "the scope `admin`.",
    answers={"text/html": {"type": "string"}},
)  # fmt: skip
MODELS: Final = Operation("service", "The models that can be used", answers={"application/json": schema_of(ModelList)})
HEALTH: Final = Operation(
    "operations", "The state of every part", "503 when a part that serving needs has failed.",
    answers={"application/json": schema_of(HealthReport)}, failures=(e.EngineUnavailable,),
)  # fmt: skip
HEALTH_SHORT: Final = Operation(
    "operations", "The state of the API and what it depends on", "503 when a part that serving needs has failed.",
    answers={"application/json": schema_of(DependencyReport)}, failures=(e.EngineUnavailable,),
)  # fmt: skip
LIVE: Final = Operation("operations", "The process answers", answers={"application/json": schema_of(Alive)})
READY: Final = Operation(
    "operations", "The model is warm, the server is not stopping",
    answers={"application/json": schema_of(Readiness)}, failures=(e.EngineUnavailable, e.ShuttingDown),
)  # fmt: skip
METRICS: Final = Operation(
    "operations", "Prometheus metrics of all workers", "Open to `METRICS_ALLOWED_NETWORKS`, or with the token.",
    answers={"text/plain": {"type": "string"}}, failures=(e.Forbidden,),
)  # fmt: skip
METRICS_JSON: Final = Operation("operations", "The same metrics as JSON", answers=_ANY_OBJECT, failures=(e.Forbidden,))
DOCS: Final = Operation("service", "This description as a page", answers={"text/html": {"type": "string"}})
REFERENCE: Final = Operation(
    "service", "The API's description as a page to read", answers={"text/html": {"type": "string"}}
)
OPENAPI: Final = Operation("service", "This description as OpenAPI 3.1", answers=_ANY_OBJECT)
