"""API keys that users make for themselves. They may do less than the user: never administer."""

from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, select

from services.accounts.errors import NotSignedIn, TooManyKeys
from services.accounts.users import locked
from services.api_keys.keys import JOBS, REMOVE, ApiKey, add_key, new_key, revoke
from services.persistence.database import Database

OWN_SCOPES: Final = (REMOVE, JOBS)
MAX_KEYS: Final = 20
# Shown among a user's keys; older ones are deleted.
MAX_REVOKED: Final = 50


def create_own_key(
    database: Database, user_id: str, *, name: str, scopes: tuple[str, ...], expires_at: datetime | None = None
) -> tuple[str, ApiKey]:
    """Create a key of a user; return its text, which is not stored, and its record.

    Raises `TooManyKeys`, `KeyNameTaken`, ValueError, and `NotSignedIn` where the user has been disabled meanwhile.
    """
    if not set(scopes) <= set(OWN_SCOPES):
        raise ValueError(f"the scopes are {', '.join(scopes)}: allowed are {', '.join(OWN_SCOPES)}")
    text, record = new_key(name=name, scopes=scopes, expires_at=expires_at, user_id=user_id)
    live = select(func.count()).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_(None))
    with database.session() as session:
        # One who disables the user at the same time finds this key, or it is not made.
        user = locked(session, user_id)
        if user is None or user.disabled_at:
            raise NotSignedIn
        if session.scalars(live).one() >= MAX_KEYS:
            raise TooManyKeys(f"allowed: {MAX_KEYS}")
        add_key(session, record)
        revoked = select(ApiKey.id).where(ApiKey.user_id == user_id, ApiKey.revoked_at.is_not(None))
        oldest = revoked.order_by(ApiKey.revoked_at.desc(), ApiKey.id).offset(MAX_REVOKED)
        session.execute(delete(ApiKey).where(ApiKey.id.in_(oldest)))
    return text, record


def revoke_own_key(database: Database, user_id: str, key_id: str) -> ApiKey | None:
    """Revoke a key of this user for good and return it. None where no valid key of theirs has this id."""
    with database.session() as session:
        return revoke(session, (ApiKey.id == key_id) & (ApiKey.user_id == user_id))
