"""The table of sign-ins of programs: each is a family of refresh tokens, of which the newest alone is valid.

A refresh token names its sign-in and its number in it, and is signed, so the table has no token. A token that was
exchanged before has a lower number than its sign-in: somebody has a copy of it.
"""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ForeignKey, Index, String, delete, or_, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from services.persistence.database import Base

# From one exchange to the next.
VALID_FOR: Final = timedelta(days=30)
# How long the same token gives the same next one: for a lost answer, or two processes with one token.
REPEATABLE_FOR: Final = timedelta(seconds=60)
# Sign-ins of one user: repeated ones do not fill the table.
MAX_KEPT: Final = 50


class SignIn(Base):
    """A sign-in that has not ended. `number` is that of its valid refresh token."""

    __tablename__ = "sign_ins"

    id: Mapped[str] = mapped_column(String(24), primary_key=True)
    user_id: Mapped[str] = mapped_column(String(12), ForeignKey("users.id", ondelete="CASCADE"))
    number: Mapped[int]
    exchanged_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (Index("ix_sign_ins_user_id", "user_id"), Index("ix_sign_ins_expires_at", "expires_at"))

    def is_reuse(self, number: int, now: datetime | None = None) -> bool:
        """Return whether the token of this number was exchanged too long ago to be a repeated request."""
        late = (now or datetime.now(UTC)) - self.exchanged_at > REPEATABLE_FOR
        return number < self.number - 1 or (number == self.number - 1 and late)


def begin(session: Session, user_id: str, now: datetime | None = None) -> SignIn:
    """Add a sign-in. Of the user's others the newest `MAX_KEPT` - 1 stay."""
    now = now or datetime.now(UTC)
    own = SignIn.user_id == user_id
    newest = select(SignIn.id).where(own).order_by(SignIn.expires_at.desc()).limit(MAX_KEPT - 1)
    session.execute(delete(SignIn).where(or_(SignIn.expires_at <= now, own & SignIn.id.not_in(newest))))
    made = SignIn(id=secrets.token_hex(12), user_id=user_id, number=0, exchanged_at=now, expires_at=now + VALID_FOR)
    session.add(made)
    return made


def exchange(session: Session, sign_in_id: str, number: int, now: datetime | None = None) -> SignIn | None:
    """Count the exchange of the token of this number, unless it was counted before; return the sign-in, if it goes on.

    Of requests at the same time one counts, and the others see that it has.
    """
    now = now or datetime.now(UTC)
    this = SignIn.id == sign_in_id, SignIn.expires_at > now
    values = {"number": number + 1, "exchanged_at": now, "expires_at": now + VALID_FOR}
    session.execute(update(SignIn).where(*this, SignIn.number == number).values(values))
    return session.scalar(select(SignIn).where(*this))


def end(session: Session, sign_in_id: str) -> None:
    """End a sign-in with all its tokens."""
    session.execute(delete(SignIn).where(SignIn.id == sign_in_id))
