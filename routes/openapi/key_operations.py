"""Describes the endpoints that administer API keys."""

from typing import Final

from pydantic import BaseModel

from routes.admin_keys import ChangedLimits, KeysView, KeyView, NewKey, NewKeyView
from routes.openapi.docs import Operation
from routes.openapi.schemas import Schema, schema_of
from services import errors as e
from services.api_keys.errors import KeyNameTaken, KeyNotFound
from services.imaging.errors import UnsupportedFormat

BODY_FAILURES: Final = (e.BadJSON, e.BadOption, e.UnknownOption, e.UploadTooLarge, e.Busy, UnsupportedFormat)


def json_body(model: type[BaseModel]) -> dict[str, Schema]:
    """Return the JSON body of a request that is read with this model."""
    return {"application/json": schema_of(model)}


LIST: Final = Operation(
    "administration", "List all API keys", "With what each has used this month; revoked and expired ones too.",
    answers=json_body(KeysView),
)  # fmt: skip
CREATE: Final = Operation(
    "administration", "Create an API key", "Only this answer has the key itself: the service keeps only its hash.",
    json_body(NewKey), json_body(NewKeyView), (*BODY_FAILURES, KeyNameTaken), status=201,
)  # fmt: skip
CHANGE: Final = Operation(
    "administration", "Change the limits of an API key", "Absent limits stay, null takes one away. Servers use them "
    "within a second.",
    json_body(ChangedLimits), json_body(KeyView), (*BODY_FAILURES, KeyNotFound),
)  # fmt: skip
REVOKE: Final = Operation(
    "administration", "Revoke an API key", "For good; servers refuse it within a second. Its name is free again.",
    answers=json_body(KeyView), failures=(KeyNotFound,),
)  # fmt: skip
