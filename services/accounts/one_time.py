"""One-time tokens of users, for links in emails. The table has only their SHA-256.

A token is 256 random bits, so a plain hash is enough, as for API keys. Using one deletes it: of two requests at the
same time, one gets the user.
"""

import hashlib
import secrets
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, ForeignKey, Index, String, delete, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from services.persistence.database import Base

Purpose = Literal["confirm", "reset"]
SECONDS: Final[dict[Purpose, int]] = {"confirm": 24 * 3600, "reset": 3600}
# Longer texts can't be tokens.
MAX_CHARS: Final = 100


class OneTimeToken(Base):
    """A token that was issued and not used."""

    __tablename__ = "one_time_tokens"

    hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(12), ForeignKey("users.id", ondelete="CASCADE"))
    purpose: Mapped[str] = mapped_column(String(8))
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_one_time_tokens_user_id", "user_id"),
        Index("ix_one_time_tokens_expires_at", "expires_at"),
    )


def issue(session: Session, user_id: str, purpose: Purpose, now: datetime | None = None) -> str:
    """Return a new token for this purpose, instead of an earlier one."""
    now = now or datetime.now(UTC)
    same = (OneTimeToken.user_id == user_id) & (OneTimeToken.purpose == purpose)
    session.execute(delete(OneTimeToken).where(or_(OneTimeToken.expires_at <= now, same)))
    text = secrets.token_urlsafe(32)
    expires = now + timedelta(seconds=SECONDS[purpose])
    session.add(OneTimeToken(hash=_hash(text), user_id=user_id, purpose=purpose, expires_at=expires))
    return text


def use(session: Session, text: str, purpose: Purpose, now: datetime | None = None) -> str | None:
    """Return the id of the user that the token was issued for, and use it up; None where it is not valid."""
    return session.scalar(delete(OneTimeToken).where(*_valid(text, purpose, now)).returning(OneTimeToken.user_id))


def holder(session: Session, text: str, purpose: Purpose) -> str | None:
    """Return the id of the user that the token was issued for, and leave it valid."""
    return session.scalar(select(OneTimeToken.user_id).where(*_valid(text, purpose)))


def _valid(text: str, purpose: Purpose, now: datetime | None = None) -> tuple[ColumnElement[bool], ...]:
    this = OneTimeToken.hash == _hash(text[:MAX_CHARS]), OneTimeToken.purpose == purpose
    return *this, OneTimeToken.expires_at > (now or datetime.now(UTC))


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
