"""The descriptions of remove.bg's endpoints."""

from typing import Any, Final

from routes.openapi.docs import Operation
from routes.openapi.headers import QUOTA_HEADERS, header_refs
from routes.openapi.schemas import Schema, schema_of
from services.dialects.removebg import CHANNELS, CLASSES, FORMATS, LEVELS, SIZES
from services.dialects.removebg_answers import Account, Improvement, JsonAnswer
from services.dialects.removebg_errors import ErrorAnswer

_TEXT: Final[Schema] = {"type": "string"}
_WHOLE: Final[Schema] = {"type": "integer"}
_BINARY: Final[Schema] = {"type": "string", "contentMediaType": "application/octet-stream"}
_URL: Final[Schema] = {"type": "string", "format": "uri"}
_TRUTH: Final[Schema] = {"type": "boolean"}
_TAG: Final = "remove.bg"


def _object(required: list[str], properties: dict[str, Schema], *, closed: bool = True) -> Schema:
    closing = {"additionalProperties": False} if closed else {}
    return {"type": "object", "required": required, "properties": properties, **closing}


def _words(*names: str, default: str) -> Schema:
    return {"type": "string", "enum": list(names), "default": default}


_B64_SOURCE: Final[dict[str, Schema]] = {"image_file_b64": {**_TEXT, "description": "base64"}, "image_url": _URL}
_PARAMETERS: Final[dict[str, Schema]] = {
    "size": {
        **_TEXT,
        "enum": [*SIZES, "50MP"],
        "description": "Bounds the result's pixels; `preview` unless the server says otherwise.",
    },
    "type": _words("auto", *CLASSES, default="auto"),
    "type_level": _words(*LEVELS, default="1"),
    "format": _words("auto", *FORMATS, default="auto"),
    "roi": {**_TEXT, "default": "0% 0% 100% 100%"},
    "crop": {**_TRUTH, "default": False},
    "crop_margin": {**_TEXT, "default": "0"},
    "scale": {**_TEXT, "default": "original"},
    "position": {**_TEXT, "default": "original"},
    "channels": _words(*CHANNELS, default="rgba"),
    "add_shadow": {**_TRUTH, "default": False},
    "shadow_type": {**_TEXT, "description": "`none`, `auto`, `car`, `3D` or `drop`; also `shadow_type[car]=car`."},
    "shadow_opacity": {**_TEXT, "description": "0 to 100, or `auto`; also `shadow_opacity[car]=90`."},
    "semitransparency": {**_TRUTH, "default": True, "description": "Accepted; changes nothing."},
    "bg_color": _TEXT,
    "bg_image_url": _URL,
}  # fmt: skip
_FILES: Final[dict[str, Schema]] = {"image_file": _BINARY, **_B64_SOURCE, "bg_image_file": _BINARY}
_ERROR: Final = schema_of(ErrorAnswer)
_JSON_RESULT: Final = schema_of(JsonAnswer)
_HEADERS: Final[Schema] = {
    "X-Type": {"description": "The subject's class; absent with `type_level=none`.", "schema": _TEXT},
    **{
        name: {"description": "px", "schema": _WHOLE}
        for name in (
            "X-Width", "X-Height", "X-Max-Width", "X-Max-Height",
            "X-Foreground-Top", "X-Foreground-Left", "X-Foreground-Width", "X-Foreground-Height",
        )
    },
    "X-Credits-Charged": {"description": "Always 0.", "schema": _WHOLE},
}  # fmt: skip
_FAILURES: Final = {
    400: "What is wrong with the request or the image: `missing_source`, `multiple_sources`, `multiple_bg_sources`, "
    "`invalid_size` and others, `invalid_image_url`, `failed_image_download`, `invalid_file_type`, `file_too_large`, "
    "`resolution_too_high`, `failed_to_read_image`, `unknown_foreground`, `roi_region_empty`, `roi_exceeds_bounds`, …",
    402: "`insufficient_credits`: the key's monthly quota is used up.",
    403: "`auth_failed`: the key is missing or wrong, where one is needed.",
    429: "`rate_limit_exceeded`; wait for `Retry-After` seconds.",
    500: "`internal_error`",
    503: "`busy`, `engine_unavailable`, …; wait for `Retry-After` seconds.",
    504: "`deadline_exceeded`",
}


def _responses(content: dict[str, Any], headers: Schema, *, limited: bool) -> Schema:
    every = header_refs("X-Request-ID", *(QUOTA_HEADERS if limited else ()))
    found: Schema = {"200": {"description": "Done", "headers": {**every, **headers}, "content": content}}
    for status, text in _FAILURES.items():
        waits = header_refs("Retry-After") if status in (429, 503) else {}
        found[str(status)] = {
            "description": text,
            "headers": {**every, **waits},
            "content": {"application/json": {"schema": _ERROR}},
        }
    return found


REMOVEBG: Final = Operation(
    _TAG,
    "Remove a background, as remove.bg does",
    "For clients of that service, which only change their URL. Exactly one of `image_file`, `image_file_b64` "
    "and `image_url`; at most one of `bg_color`, `bg_image_url` and `bg_image_file`. Unknown fields are ignored, empty "
    "ones count as absent. `Accept: application/json` asks for base64 in JSON.",
    bodies={
        "multipart/form-data": _object([], {**_FILES, **_PARAMETERS}, closed=False),
        "application/x-www-form-urlencoded": _object([], {**_B64_SOURCE, **_PARAMETERS}, closed=False),
        "application/json": _object([], {**_B64_SOURCE, **_PARAMETERS}, closed=False),
    },
    responses=_responses(
        {
            **{kind: {} for kind in ("image/png", "image/jpeg", "image/webp", "application/zip")},
            "application/json": {"schema": _JSON_RESULT},
        },
        _HEADERS,
        limited=True,
    ),
)
ACCOUNT: Final = Operation(
    _TAG,
    "A balance, as remove.bg shows it",
    "What is left of the key's monthly quota; without one a balance that never changes.",
    responses=_responses({"application/json": {"schema": schema_of(Account)}}, {}, limited=False),
)
IMPROVE: Final = Operation(
    _TAG,
    "Offer an image for improvement, as remove.bg takes it",
    "The image is checked and discarded.",
    bodies={
        "multipart/form-data": _object([], {"image_file": _BINARY, **_B64_SOURCE}, closed=False),
        "application/x-www-form-urlencoded": _object([], _B64_SOURCE, closed=False),
        "application/json": _object([], _B64_SOURCE, closed=False),
    },
    responses=_responses(
        {"application/json": {"schema": schema_of(Improvement)}},
        {},
        limited=True,
    ),
)
