"""The table of invitations: one-time links that let somebody make an account. It has only the SHA-256 of their tokens.

Every function works within the caller's transaction.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, String, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from services.accounts.errors import TooManyInvitations
from services.persistence.database import Base

VALID_FOR: Final = timedelta(days=7)
MAX_OPEN: Final = 200
# Longer texts can't be tokens.
MAX_CHARS: Final = 100


class Invitation(Base):
    """An invitation that was not used. `invited_by` is a user's or a key's id; None: the command line."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64), index=True)
    email: Mapped[str] = mapped_column(String(254), index=True, unique=True)
    role: Mapped[str] = mapped_column(String(8))
    invited_by: Mapped[str | None] = mapped_column(String(12))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)


def issue(
    session: Session, email: str, role: str, invited_by: str | None = None, now: datetime | None = None
) -> tuple[str, Invitation]:
    """Add an invitation instead of an earlier one of this address; return its token and its record.

    Raises `TooManyInvitations`.
    """
    now = now or datetime.now(UTC)
    session.execute(delete(Invitation).where((Invitation.email == email) | (Invitation.expires_at <= now)))
    if session.scalars(select(func.count()).select_from(Invitation)).one() >= MAX_OPEN:
        raise TooManyInvitations(f"allowed: {MAX_OPEN}")
    text = secrets.token_urlsafe(32)
    values = {
        "id": secrets.token_hex(6),
        "hash": _hash(text),
        "role": role,
        "invited_by": invited_by,
        "created_at": now,
        "expires_at": now + VALID_FOR,
    }
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    insert = sqlite.insert(Invitation) if is_sqlite else postgresql.insert(Invitation)
    # Another process may have invited the address since.
    added = insert.values(email=email, **values).on_conflict_do_update(index_elements=["email"], set_=values)
    return text, session.scalars(added.returning(Invitation)).one()


def find(session: Session, text: str) -> Invitation | None:
    """Return the invitation of this token, and leave it valid; None where there is none."""
    return session.scalar(select(Invitation).where(Invitation.hash == _hash(text), _unexpired()))


def use(session: Session, text: str) -> Invitation | None:
    """Return the invitation of this token, and use it up; None where it is not valid."""
    used = delete(Invitation).where(Invitation.hash == _hash(text), _unexpired())
    return session.scalar(used.returning(Invitation))


def use_of(session: Session, email: str) -> Invitation | None:
    """Use up the invitation of an address that the provider has verified, and return it; None without one."""
    used = delete(Invitation).where(Invitation.email == email, _unexpired())
    return session.scalar(used.returning(Invitation))


def list_open(session: Session) -> list[Invitation]:
    """Return the invitations that can be used, oldest first."""
    return list(session.scalars(select(Invitation).where(_unexpired()).order_by(Invitation.created_at, Invitation.id)))


def withdraw(session: Session, condition: ColumnElement[bool]) -> list[Invitation]:
    """Delete the invitations that meet a condition, and return them."""
    return list(session.scalars(delete(Invitation).where(condition).returning(Invitation)))


def _unexpired() -> ColumnElement[bool]:
    return Invitation.expires_at > datetime.now(UTC)


def _hash(text: str) -> str:
    return hashlib.sha256(text[:MAX_CHARS].encode()).hexdigest()
