"""Says on whose account a request is: that of an API key, or that of a user, who may have keys of their own.

A user owns the jobs, results and usage that any of their keys, sessions and tokens made. So their callers share an id.
"""

from dataclasses import dataclass
from typing import Self

from services.api_keys.keys import ApiKey

# The metrics' label of all users: their names are personal, and their number has no bound.
USERS_LABEL = "users"


@dataclass(frozen=True)
class Caller:
    """An identified caller. `id` owns jobs and usage: it is the user's, or that of a key which belongs to no user."""

    id: str
    name: str
    scopes: tuple[str, ...]
    rate_limit: str | None = None
    monthly_quota: int | None = None
    user_id: str | None = None
    key_id: str | None = None
    """None for a session or a token of a user."""

    @classmethod
    def of_key(cls, key: ApiKey) -> Self:
        """Return the caller that sends a key."""
        return cls(
            id=key.user_id or key.id,
            name=key.name,
            scopes=tuple(key.scopes),
            rate_limit=key.rate_limit,
            monthly_quota=key.monthly_quota,
            user_id=key.user_id,
            key_id=key.id,
        )

    @property
    def quota_name(self) -> str:
        """By which quotas and jobs count the caller."""
        return f"user:{self.id}" if self.user_id else f"key:{self.id}"

    @property
    def label(self) -> str:
        """The caller in metrics."""
        return USERS_LABEL if self.user_id else self.name
