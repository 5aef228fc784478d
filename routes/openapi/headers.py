"""The headers of responses and requests, as the API's description has them."""

from typing import Final

from routes.http.auth import SESSION_COOKIE
from routes.openapi.schemas import Schema

QUOTA_HEADERS: Final = ("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
_WHOLE: Final[Schema] = {"type": "integer"}
HEADERS: Final[Schema] = {
    "X-Request-ID": {"description": "The caller's, or a new one.", "schema": {"type": "string"}},
    "X-RateLimit-Limit": {
        "description": "Requests allowed in an hour, or as a key's own limit says.",
        "schema": _WHOLE,
    },
    "X-RateLimit-Remaining": {"description": "Requests left.", "schema": _WHOLE},
    "X-RateLimit-Reset": {
        "description": "When the quota is full again, Unix time in seconds.",
        "schema": _WHOLE,
    },
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "How to send a key.", "schema": {"type": "string"}},
    "X-Confidence": {
        "description": "How clear the subject is, 0 to 1; on images, in JSON it is `confidence`.",
        "schema": {"type": "number", "minimum": 0, "maximum": 1},
    },
    "Server-Timing": {"description": "Milliseconds of each step.", "schema": {"type": "string"}},
    "X-Width": {"description": "px of the result; this and the next ones with an image, not with JSON.",
                "schema": _WHOLE},
    "X-Height": {"description": "px of the result.", "schema": _WHOLE},
    "X-Foreground-Top": {"description": "px; the subject's box on the result, without its shadow.", "schema": _WHOLE},
    "X-Foreground-Left": {"description": "px.", "schema": _WHOLE},
    "X-Foreground-Width": {"description": "px; 0 where there is no subject.", "schema": _WHOLE},
    "X-Foreground-Height": {"description": "px; 0 where there is no subject.", "schema": _WHOLE},
    "X-Original-Size": {"description": "Bytes of the image received.", "schema": _WHOLE},
    "X-Optimized-Size": {"description": "Bytes of the result.", "schema": _WHOLE},
    "X-Optimization-Used": {
        "description": "The result's format, quality and bounds, such as `format=webp; quality=70; max_width=1200`.",
        "schema": {"type": "string"},
    },
    "X-Frames": {"description": "With `animated`: the frames of an animation; absent for a still picture.",
                 "schema": _WHOLE},
    "X-Duration": {"description": "With `animated`: milliseconds of one run.", "schema": _WHOLE},
    "X-Cache": {
        "description": "Where results are cached: whether this one came from the cache.",
        "schema": {"enum": ["hit", "miss"]},
    },
    "X-Embedding": {
        "description": "With `model=sam`: `hit`: the photo was encoded for an earlier prompt; only the decoder ran.",
        "schema": {"enum": ["hit", "miss"]},
    },
    "X-Model-Fallback": {
        "description": "Under `/api/remove`: the model that answered instead of one that is not enabled.",
        "schema": {"type": "string"},
    },
    "X-Output-Key": {"description": "With `output_key`: the result's key in storage.", "schema": {"type": "string"}},
}  # fmt: skip
IMAGE_HEADERS: Final = tuple(
    name
    for name in HEADERS
    if name.startswith(("X-Width", "X-Height", "X-Foreground", "X-Orig", "X-Opti", "X-Frames", "X-Duration"))
)
SECURITY_SCHEMES: Final[Schema] = {
    "ApiKey": {"type": "apiKey", "in": "header", "name": "X-Api-Key"},
    "Bearer": {"type": "http", "scheme": "bearer", "description": "The same key, or a user's access token."},
}
USER_SCHEMES: Final[Schema] = {
    "Session": {"type": "apiKey", "in": "cookie", "name": SESSION_COOKIE},
    "Bearer": SECURITY_SCHEMES["Bearer"],
}
PARAMETERS: Final[Schema] = {
    "X-Request-ID": {
        "name": "X-Request-ID",
        "in": "header",
        "required": False,
        "description": "1 to 128 of `A-Z a-z 0-9 . _ -`; returned, and in every log line.",
        "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,128}$"},
    }
}


def header_refs(*names: str) -> Schema:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
