"""Reads the limits of an API key: a quota of requests, and one of images a month."""

import re
from typing import Final, TypedDict

LIMIT: Final = re.compile(r"([1-9][0-9]{0,8})\s*(?:/|per)\s*(second|minute|hour|day)s?", re.ASCII | re.IGNORECASE)
# More than a billion images a month is a mistake.
MAX_QUOTA: Final = 10**9


class Limits(TypedDict, total=False):
    """A key's limits: a quota of requests, and one of images a month; None: it has none."""

    rate_limit: str | None
    monthly_quota: int | None


def checked_limits(rate_limit: str | None, monthly_quota: int | None) -> tuple[str | None, int | None]:
    """Return a key's two limits, normalized; absent ones are None. Raises ValueError."""
    if monthly_quota is not None and not 0 <= monthly_quota <= MAX_QUOTA:
        raise ValueError(f"the monthly quota is {monthly_quota}: allowed are 0 to {MAX_QUOTA} images")
    return None if rate_limit is None else parse_limit(rate_limit), monthly_quota


def parse_limit(text: str) -> str:
    """Normalize a quota to the form `1000/hour`. Raises ValueError."""
    match = LIMIT.fullmatch(text.strip())
    if not match:
        raise ValueError(
            f"the limit is {text!r}: allowed is a number per second, minute, hour or day, such as 1000/hour"
        )
    return f"{match[1]}/{match[2].lower()}"
