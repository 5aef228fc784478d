"""Describes the endpoints of usage."""

from typing import Final

from routes.openapi.docs import Operation
from routes.openapi.schemas import schema_of
from routes.usage import DAYS, MAX_DAYS, AllUsageView, UsageView
from services import errors as e

_DAYS: Final = {
    "days": {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_DAYS,
        "default": DAYS,
        "description": "How many days, today included.",
    }
}
USAGE: Final = Operation(
    "usage", "Show what your key has used",
    "Any valid key, whatever its scopes. Images count when they are done, those of jobs too; other processes of the "
    "service see them two seconds later. A month and a day are those of UTC.",
    answers={"application/json": schema_of(UsageView)},
    failures=(e.BadOption,),
    parameters=_DAYS,
)  # fmt: skip
ALL_USAGE: Final = Operation(
    "administration", "Show what all keys have used", "By key, and by day and endpoint of all keys together. Requests "
    "without a key are not in the table; `/metrics` has them.",
    answers={"application/json": schema_of(AllUsageView)},
    failures=(e.BadOption,),
    parameters=_DAYS,
)  # fmt: skip
