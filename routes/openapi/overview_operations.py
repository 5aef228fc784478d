"""Describes the overview for operators."""

from typing import Final

from routes.openapi.docs import Operation
from routes.openapi.schemas import schema_of
from routes.overview import OverviewView

OVERVIEW: Final = Operation(
    "administration", "Show the whole service at a glance",
    "Storage, worker processes, queue, database, Redis, versions, models. Parts are asked at the same time and for "
    "half a second; one that has not answered by then has the status `failed` and its problem, and the others answer.",
    answers={"application/json": schema_of(OverviewView)},
)  # fmt: skip
