"""The descriptions of CarveKit's, withoutBG's, Photoroom's and Clipdrop's endpoints."""

from typing import Final

from pydantic import BaseModel

from routes.openapi.docs import Operation
from routes.openapi.headers import QUOTA_HEADERS, header_refs
from routes.openapi.removebg_docs import ACCOUNT, REMOVEBG
from routes.openapi.schemas import Schema, schema_of
from services.dialects import carvekit, clipdrop, photoroom, withoutbg
from services.dialects.removebg_answers import Account

_TEXT: Final[Schema] = {"type": "string"}
_BINARY: Final[Schema] = {"type": "string", "contentMediaType": "application/octet-stream"}
_WHOLE: Final[Schema] = {"type": "integer"}
_PNG: Final[Schema] = {"image/png": {}}
_FAILURES: Final = {
    400: "`missing_image`, `bad_option`, … in words.",
    401: "`missing_key`, `bad_key`: where a key is needed.",
    403: "`forbidden`: the key may not do this.",
    413: "`upload_too_large`",
    415: "`unsupported_format`",
    422: "`corrupt_image`, `too_many_pixels`, `image_too_small`, `no_subject`",
    429: "`rate_limited`; wait for `Retry-After` seconds.",
    500: "`internal_error`",
    503: "`busy`, `engine_unavailable`, …; wait for `Retry-After` seconds.",
    504: "`deadline_exceeded`",
}


def _responses(
    content: Schema, error: type[BaseModel], headers: Schema | None = None, left_out: tuple[int, ...] = ()
) -> Schema:
    every = header_refs("X-Request-ID", *QUOTA_HEADERS)
    found: Schema = {"200": {"description": "Done", "headers": {**every, **(headers or {})}, "content": content}}
    for status, text in _FAILURES.items():
        if status not in left_out:
            waits = header_refs("Retry-After") if status in (429, 503) else {}
            found[str(status)] = {
                "description": text,
                "headers": {**every, **waits},
                "content": {"application/json": {"schema": schema_of(error)}},
            }
    return found


def _header(name: str, description: str, schema: Schema) -> Schema:
    return {name: {"description": description, "schema": schema}}


def _form(required: str, **properties: Schema) -> dict[str, Schema]:
    whole = {"type": "object", "required": [required], "properties": {required: _BINARY, **properties}}
    return {"multipart/form-data": whole}


def _words(values: object, default: str) -> Schema:
    return {"type": "string", "enum": list(values), "default": default}  # type: ignore[call-overload]


# CarveKit's failures have remove.bg's statuses.
_UNLIKE_REMOVEBG: Final = (401, 413, 415, 422)
_CARVEKIT_RESULT: Final[Schema] = REMOVEBG.responses["200"] if REMOVEBG.responses else {}

CARVEKIT: Final = Operation(
    "CarveKit",
    "Remove a background, as CarveKit does",
    "remove.bg's fields (`/v1.0/removebg`); `size` is `full` if absent.",
    bodies=REMOVEBG.bodies,
    responses=_responses(_CARVEKIT_RESULT["content"], carvekit.ErrorAnswer, _CARVEKIT_RESULT["headers"],
                         _UNLIKE_REMOVEBG),
)  # fmt: skip
CARVEKIT_ACCOUNT: Final = Operation(
    "CarveKit",
    "A balance, as CarveKit shows it",
    ACCOUNT.description,
    responses=_responses({"application/json": {"schema": schema_of(Account)}}, carvekit.ErrorAnswer, None,
                         _UNLIKE_REMOVEBG),
)  # fmt: skip
WITHOUTBG: Final = Operation(
    "withoutBG",
    "Remove a background, as withoutBG's inference service does",
    "The image is the body, the form's `image`, or base64 in JSON. JSON is answered with JSON: cut-out and matte of "
    "one run.",
    bodies={
        **_form("image"),
        "application/json": {"type": "object", "required": ["image"], "properties": {"image": _TEXT}},
        "application/octet-stream": {},
        "image/*": {},
    },
    parameters={"output": {**_words(withoutbg.OUTPUTS, "cutout"), "description": "`processed` is the cut-out."}},
    responses=_responses(
        {**_PNG, "application/json": {"schema": schema_of(withoutbg.Processed)}},
        withoutbg.ErrorAnswer,
        _header("X-Latency-Ms", "Milliseconds of the removal; with an image.", _WHOLE),
    ),
)
WITHOUTBG_CLOUD: Final = Operation(
    "withoutBG",
    "The matte of an image, as withoutBG's cloud returns it",
    bodies={
        "application/json": {"type": "object", "required": ["image_base64"], "properties": {"image_base64": _TEXT}}
    },
    responses=_responses({"application/json": {"schema": schema_of(withoutbg.AlphaChannel)}}, withoutbg.CloudError),
)
WITHOUTBG_CREDIT: Final = Operation(
    "withoutBG",
    "A balance, as withoutBG's cloud shows it",
    "What is left of the key's monthly quota; without one a balance that never changes.",
    responses=_responses({"application/json": {"schema": schema_of(withoutbg.Credit)}}, withoutbg.CloudError),
)
PHOTOROOM: Final = Operation(
    "Photoroom",
    "Remove a background, as Photoroom does",
    "`Accept: application/json` asks for base64 in JSON. Unknown fields are ignored.",
    bodies=_form(
        photoroom.FILE,
        format=_words(photoroom.FORMATS, "png"),
        channels=_words(photoroom.CHANNELS, "rgba"),
        bg_color=_TEXT,
        size=_words(photoroom.SIZES, "full"),
        crop={"type": "boolean", "default": False},
        despill={"type": "boolean", "default": False, "description": "Accepted; edges are always decontaminated."},
    ),
    responses=_responses(
        {
            **{kind: {} for kind in ("image/png", "image/jpeg", "image/webp")},
            "application/json": {"schema": schema_of(photoroom.JsonAnswer)},
        },
        photoroom.ErrorAnswer,
        _header("x-uncertainty-score", "0 (clear) to 1.", {"type": "number"}),
    ),
)
CLIPDROP: Final = Operation(
    "Clipdrop",
    "Remove a background, as Clipdrop does",
    "`Accept` names the format: PNG, WebP or JPEG.",
    bodies=_form(
        clipdrop.FILE,
        **{clipdrop.PARAMETER: _words(clipdrop.HANDLING, next(iter(clipdrop.HANDLING)))},
    ),
    responses=_responses(
        {kind: {} for kind in ("image/png", "image/jpeg", "image/webp")},
        clipdrop.ErrorAnswer,
        {
            **_header("x-remaining-credits", "Always 99999.", _WHOLE),
            **_header("x-credits-consumed", "Always 0.", _WHOLE),
        },
        (413, 415, 422),
    ),
)
