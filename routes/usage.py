"""What a key's holder has used: by day and endpoint, and what is left of the month."""

from collections.abc import Container, Iterable, Mapping
from datetime import date, timedelta
from functools import reduce
from operator import add
from typing import Annotated, Final, Self

from flask import Response, request
from pydantic import Field

from routes.http.answers import Body, Count
from routes.http.auth import current_caller
from routes.http.context import service
from routes.http.jobs.job_answers import answer
from routes.http.names import names
from services.api_keys.caller import Caller
from services.api_keys.usage import Counts, Slot, month_of, today, usage_of, usage_of_all
from services.errors import BadOption

DAYS: Final = 30
MAX_DAYS: Final = 366
# Keys whose images are shown day by day.
SHOWN_KEYS: Final = 20


class UsageCounts(Body):
    """Sums of usage."""

    requests: Annotated[Count, Field(description="HTTP requests; images of jobs are none of their own.")]
    images: Annotated[Count, Field(description="Images that were processed.")]
    failures: Annotated[Count, Field(description="Images that failed.")]
    megapixels: Annotated[float, Field(description="Of the images as they were sent.")]
    bytes_in: Annotated[Count, Field(description="Bytes of the images as they were sent.")]

    @classmethod
    def of(cls, counts: Iterable[Counts]) -> Self:
        """Sum up."""
        total = reduce(add, counts, Counts())
        return cls(
            requests=total.requests,
            images=total.images,
            failures=total.failures,
            megapixels=round(total.megapixels, 3),
            bytes_in=total.bytes_in,
        )


class UsageDay(Body):
    """The usage of one day, in UTC."""

    day: date
    totals: UsageCounts
    endpoints: Annotated[dict[str, UsageCounts], Field(description="By endpoint; images of jobs are `/api/jobs`.")]


class UsageMonth(Body):
    """The current calendar month, in UTC, and what is left of its quota."""

    first_day: date
    renewed_on: Annotated[date, Field(description="When the quota is full again.")]
    images: Annotated[Count, Field(description="Images that count against the quota: a model ran, and none failed.")]
    quota: Annotated[Count | None, Field(description="null: there is none.")]
    remaining: Annotated[Count | None, Field(description="null: as many as you like.")]

    @classmethod
    def of(cls, caller: Caller) -> Self:
        """Describe the month of a caller."""
        first, renewed = month_of(today())
        used = service().usage.used(caller.id)
        quota, left = caller.monthly_quota, remaining(caller)
        return cls(first_day=first, renewed_on=renewed, images=used, quota=quota, remaining=left)


class UsageView(Body):
    """The usage of the key, or of the user, that asks."""

    key_id: Annotated[str, Field(description="The key's id; a user's, with all their keys and sessions.")]
    name: str
    month: UsageMonth
    totals: Annotated[UsageCounts, Field(description="Of all days below.")]
    days: Annotated[list[UsageDay], Field(description="Days with usage, oldest first.")]


class KeyUsage(Body):
    """The usage of one key."""

    key_id: str
    name: Annotated[
        str | None, Field(description="A user's is the address. null: there is no such key or user any more.")
    ]
    totals: UsageCounts


class AllUsageDay(UsageDay):
    """The usage of one day by all keys, in UTC."""

    keys: Annotated[dict[str, Count], Field(description=f"Images by key id, of the {SHOWN_KEYS} keys with the most.")]


class AllUsageView(Body):
    """The usage of all keys."""

    totals: UsageCounts
    keys: Annotated[list[KeyUsage], Field(description="Keys with usage, the one with the most images first.")]
    days: Annotated[list[AllUsageDay], Field(description="Days with usage, of all keys together, oldest first.")]


def show_all_usage() -> Response:
    """Show what all keys have used."""
    first, database = first_day(request.args.get("days", "")), service().keys.database
    service().usage.flush()
    found = usage_of_all(database, first)
    by_key: dict[str, list[Counts]] = {}
    for slot, counts in found.items():
        by_key.setdefault(slot.caller, []).append(counts)
    named = names(by_key)
    keys = [KeyUsage(key_id=key, name=named.get(key), totals=UsageCounts.of(own)) for key, own in by_key.items()]
    keys.sort(key=lambda key: -key.totals.images)
    images = _images_by_day(found, {key.key_id for key in keys[:SHOWN_KEYS]})
    days = [AllUsageDay(**dict(day), keys=images.get(day.day, {})) for day in days_of(found)]
    return answer(AllUsageView(totals=UsageCounts.of(found.values()), keys=keys, days=days))


def _images_by_day(found: Mapping[Slot, Counts], callers: Container[str]) -> dict[date, dict[str, int]]:
    """Return the images of these callers that have any, by day and caller."""
    images: dict[date, dict[str, int]] = {}
    for slot, counts in found.items():
        if slot.caller in callers and counts.images:
            of_day = images.setdefault(slot.day, {})
            of_day[slot.caller] = of_day.get(slot.caller, 0) + counts.images
    return images


def show_usage() -> Response:
    """Show what the caller has used."""
    caller, first = current_caller(), first_day(request.args.get("days", ""))
    # The route needs one.
    assert caller
    # What this process has counted belongs to it, too.
    service().usage.flush()
    found = usage_of(service().keys.database, [caller.id], first)
    return answer(
        UsageView(
            key_id=caller.id,
            name=caller.name,
            month=UsageMonth.of(caller),
            totals=UsageCounts.of(found.values()),
            days=days_of(found),
        )
    )


def days_of(found: Mapping[Slot, Counts]) -> list[UsageDay]:
    """Return the usage by day and endpoint, in the order of the days."""
    by_day: dict[date, dict[str, list[Counts]]] = {}
    for slot, counts in found.items():
        by_day.setdefault(slot.day, {}).setdefault(slot.endpoint, []).append(counts)
    return [_day(day, endpoints) for day, endpoints in by_day.items()]


def remaining(caller: Caller) -> int | None:
    """Return how many images are left of the caller's month; None without a quota."""
    if caller.monthly_quota is None:
        return None
    return max(0, caller.monthly_quota - service().usage.used(caller.id))


def first_day(text: str) -> date:
    """Return the first of the last days that `text` asks for, today included. Raises `BadOption`."""
    days = int(text[:4]) if text.isascii() and text.isdigit() else 0
    if text and not 1 <= days <= MAX_DAYS:
        raise BadOption("days", text, f"a whole number from 1 to {MAX_DAYS}")
    return today() - timedelta(days=(days or DAYS) - 1)


def _day(day: date, endpoints: Mapping[str, list[Counts]]) -> UsageDay:
    return UsageDay(
        day=day,
        totals=UsageCounts.of(counts for same in endpoints.values() for counts in same),
        endpoints={endpoint: UsageCounts.of(same) for endpoint, same in endpoints.items()},
    )
