"""Says how many requests a caller may make: of each endpoint, or, with a key of its own limit, of all together."""

from typing import Annotated, Final, Self

import limits
from pydantic import Field

from config import Settings
from routes.http.answers import Body, Count

HOUR_SECONDS: Final = 3600
MINUTES: Final = 60


class KeyLimit(Body):
    """A key's own limit."""

    requests: Count
    seconds: Annotated[
        Count, Field(description="the span in which it may make these requests, of all endpoints together")
    ]

    @classmethod
    def parse(cls, limit: str) -> Self:
        """Read a limit such as `100 per 1 day`."""
        found = limits.parse(limit)
        return cls(requests=found.amount, seconds=found.get_expiry())

    @property
    def per_hour(self) -> int:
        return max(1, self.requests * HOUR_SECONDS // self.seconds)


def quotas_of(settings: Settings, own: KeyLimit | None) -> dict[str, int]:
    """Return the requests an hour of each endpoint; with a key's own limit what it allows, for each of them."""
    found = {
        "/remove-background": settings.rate_limit_remove_bg_per_hour,
        "/remove-background-preview": settings.rate_limit_preview_per_hour,
        "/matte": settings.rate_limit_matte_per_hour,
        "/compose": settings.rate_limit_compose_per_hour,
        "/refine": settings.rate_limit_refine_per_hour,
    }
    if settings.jobs_enabled:
        found |= {
            "/api/jobs": settings.rate_limit_per_minute * MINUTES,
            "/api/jobs/{job_id}/items/{item_id}": settings.rate_limit_items_per_minute * MINUTES,
            "/api/jobs/{job_id}/items/{item_id}/mask": settings.rate_limit_compose_per_hour,
            "/api/archives": settings.rate_limit_per_minute * MINUTES,
        }
    return dict.fromkeys(found, own.per_hour) if own else found
