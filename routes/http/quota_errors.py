"""What a 429 says: the limit, the time until it is free again, and, to the owner of the machine, the setting."""

import math
import time

from flask_limiter import RequestLimit

from routes.http.callers import is_from_this_machine
from services.errors import RateLimited


def quota_exceeded(limit: RequestLimit, *, setting: str = "", images: int = 1) -> RateLimited:
    """Return the error for a request that counts as `images` and exceeds `limit`, which `setting` sets."""
    wait = in_words(limit.reset_at - time.time())
    details = f"allowed: {limit.limit}"
    if images > 1:
        details += f", and this batch counts as {images}"
    solution = f"Wait {wait}"
    if images > limit.limit.amount:
        solution = f"Send at most {limit.limit.amount} images at a time"
    if is_from_this_machine():
        solution += f"; {setting} sets this limit" if setting else ""
        solution += "; RATE_LIMIT_LOOPBACK=false stops counting requests from this machine"
    return RateLimited(f"{details}; it is free again in {wait}", solution)


def in_words(seconds: float) -> str:
    """Return a duration in the largest unit of which it has two or more, rounded up: `90 seconds`, `43 minutes`."""
    whole = max(1, math.ceil(seconds))
    for unit, size in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if whole >= 2 * size:
            return f"{math.ceil(whole / size)} {unit}s"
    return f"{whole} second{'s' if whole > 1 else ''}"
