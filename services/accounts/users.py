"""The table of users: creates, finds, changes and deletes them.

A user's id begins with `u` and an API key's is hexadecimal, so both fit into one column as the owner of a job.
"""

import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

import idna
import structlog
from sqlalchemy import Index, Integer, String, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from services.accounts import invitations
from services.accounts.errors import LastAdministrator
from services.accounts.invitations import Invitation
from services.accounts.one_time import OneTimeToken
from services.accounts.sign_ins import SignIn
from services.api_keys.keys import ADMIN, JOBS, REMOVE, ApiKey
from services.api_keys.usage import DailyUsage
from services.persistence.database import Base, Database
from services.persistence.lookup import values_by_id

Role = Literal["user", "admin"]
# Who creates accounts: only the operator, people with an invitation too, or everybody.
Registration = Literal["closed", "invited", "open"]
ROLES: Final[tuple[Role, ...]] = ("user", "admin")
MAX_EMAIL_CHARS: Final = 254
MAX_NAME_CHARS: Final = 100
# Longer than the email's link works.
UNCONFIRMED_KEPT: Final = timedelta(days=2)
# Invisible, but parts of Persian and Indian names.
JOINERS: Final = dict.fromkeys(map(ord, "\u200c\u200d"))
# As HTML's <input type=email>: nothing that could end an email's header.
EMAIL: Final = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*", re.ASCII)

log = structlog.get_logger("accounts")


class User(Base):
    """A person's account. `epoch` counts the times that all their sessions were ended."""

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    email: Mapped[str] = mapped_column(String(MAX_EMAIL_CHARS))
    name: Mapped[str] = mapped_column(String(MAX_NAME_CHARS))
    password_hash: Mapped[str | None] = mapped_column(String(200))
    issuer: Mapped[str | None] = mapped_column(String(255))
    subject: Mapped[str | None] = mapped_column(String(255))
    role: Mapped[str] = mapped_column(String(8))
    epoch: Mapped[int] = mapped_column(Integer, default=0)
    created_at: Mapped[datetime]
    confirmed_at: Mapped[datetime | None]
    disabled_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_users_email", "email", unique=True),
        Index("uq_users_issuer_subject", "issuer", "subject", unique=True),
    )

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the user may do when signed in."""
        return (REMOVE, JOBS, ADMIN) if self.role == "admin" else (REMOVE, JOBS)


def normal_email(text: str) -> str:
    """Return the address as it is stored: lower case, its domain in ASCII. Raises ValueError."""
    local, _, domain = text.strip().rpartition("@")
    try:
        domain = idna.encode(domain, uts46=True).decode() if not domain.isascii() else domain
    except idna.IDNAError:
        domain = ""
    found = f"{local}@{domain}".lower()
    # Some letters of other scripts are ASCII in lower case, such as the Kelvin sign: that would be another person's
    # address. Mail programs read =?utf-8?q?…?= as an encoded word (RFC 2047), which can be any other address.
    if len(found) > MAX_EMAIL_CHARS or not local.isascii() or "=?" in local or not EMAIL.fullmatch(found):
        raise ValueError(f"it is not an email address of at most {MAX_EMAIL_CHARS} characters")
    return found


def normal_name(text: str) -> str:
    """Return a person's name with single spaces. Raises ValueError."""
    found = " ".join(text.split())
    if len(found) > MAX_NAME_CHARS or not found.translate(JOINERS).isprintable():
        raise ValueError(f"it has more than {MAX_NAME_CHARS} characters, or some that can't be shown")
    return found


def new_user(email: str, name: str = "", *, role: Role = "user", confirmed: bool = False) -> User:
    """Return a record for the table."""
    now = datetime.now(UTC)
    return User(
        id=f"u{secrets.token_hex(6)[:11]}",
        email=normal_email(email),
        name=normal_name(name),
        role=role,
        epoch=0,
        created_at=now,
        confirmed_at=now if confirmed else None,
    )


def add_user(database: Database, user: User) -> bool:
    """Add a user; return False where the address has an account."""
    try:
        with database.session() as session:
            session.add(user)
    except IntegrityError:
        return False
    return True


def drop_unconfirmed(database: Database, email: str) -> None:
    """Delete the account of this address if it was not confirmed, and all that were not for `UNCONFIRMED_KEPT`."""
    old = User.created_at < datetime.now(UTC) - UNCONFIRMED_KEPT
    with database.session() as session:
        unused = User.confirmed_at.is_(None) & User.disabled_at.is_(None)
        session.execute(delete(User).where(unused, or_(User.email == email, old)))


def find_user(database: Database, user_id: str) -> User | None:
    """Return the user with this id."""
    with database.session() as session:
        return session.get(User, user_id)


def find_by_sign_in(database: Database, sign_in_id: str) -> User | None:
    """Return the user of a sign-in that has not ended."""
    with database.session() as session:
        return session.scalar(select(User).join(SignIn).where(SignIn.id == sign_in_id))


def find_by_email(database: Database, email: str) -> User | None:
    """Return the user with this address, as `normal_email` returns it."""
    with database.session() as session:
        return session.scalar(select(User).where(User.email == email))


def find_by_subject(database: Database, issuer: str, subject: str) -> User | None:
    """Return the user that a provider knows by this subject."""
    with database.session() as session:
        return session.scalar(select(User).where(User.issuer == issuer, User.subject == subject))


def list_users(database: Database) -> list[User]:
    """Return all users, oldest first."""
    with database.session() as session:
        return list(session.scalars(select(User).order_by(User.created_at, User.id)))


def emails_of(database: Database, user_ids: Collection[str]) -> dict[str, str]:
    """Return the addresses of users by their ids."""
    return values_by_id(database, User.id, User.email, user_ids)


def change_user(database: Database, user_id: str, **values: object) -> User | None:
    """Set columns of a user that leave sessions alone; return the user."""
    with database.session() as session:
        session.execute(update(User).where(User.id == user_id).values(values))
        return session.get(User, user_id)


def locked(session: Session, user_id: str) -> User | None:
    """Return the user, whom no other transaction changes before the end of the caller's.

    The transaction begins with a write: SQLite refuses one that has read, and writes after another has written.
    """
    session.execute(update(User).where(User.id == user_id).values(epoch=User.epoch))
    return session.get(User, user_id)


def end_sessions(session: Session, user_id: str) -> None:
    """End all sessions and tokens of a user, within the caller's transaction."""
    session.execute(update(User).where(User.id == user_id).values(epoch=User.epoch + 1))
    for table in (OneTimeToken, SignIn):
        session.execute(delete(table).where(table.user_id == user_id))


def disable_user(database: Database, user_id: str, *, disabled: bool = True) -> None:
    """Lock a user out, whose keys end too, or let them in again. Raises `LastAdministrator`."""
    with database.session() as session:
        if disabled:
            _keep_an_administrator(session, user_id)
            end_sessions(session, user_id)
            _withdraw_invitations_of(session, user_id)
        now = datetime.now(UTC) if disabled else None
        session.execute(update(User).where(User.id == user_id).values(disabled_at=now))
        session.execute(update(ApiKey).where(ApiKey.user_id == user_id).values(disabled=disabled))


def set_role(database: Database, user_id: str, role: Role) -> None:
    """Change what a user may do. Raises `LastAdministrator`."""
    with database.session() as session:
        if role != "admin":
            _keep_an_administrator(session, user_id)
            _withdraw_invitations_of(session, user_id)
        session.execute(update(User).where(User.id == user_id).values(role=role))


def check_deletable(database: Database, user_id: str) -> None:
    """Raise `LastAdministrator` where the user can't be deleted."""
    with database.session() as session:
        _keep_an_administrator(session, user_id)


def delete_user(database: Database, user_id: str) -> None:
    """Delete a user with keys, tokens and usage. Their jobs are not here. Raises `LastAdministrator`."""
    with database.session() as session:
        _keep_an_administrator(session, user_id)
        end_sessions(session, user_id)
        _withdraw_invitations_of(session, user_id)
        session.execute(delete(ApiKey).where(ApiKey.user_id == user_id))
        session.execute(delete(User).where(User.id == user_id))
        # Processes may have written usage after an earlier deletion. A user's id begins with u, a key's never does.
        nobodys = DailyUsage.caller.startswith("u") & DailyUsage.caller.not_in(select(User.id))
        session.execute(delete(DailyUsage).where(nobodys))
    log.info("user deleted", user=user_id)


def role_of(text: str) -> Role:
    """Return the role of this name. Raises ValueError."""
    if text not in ROLES:
        raise ValueError(f"the role is {text!r}: allowed are {', '.join(ROLES)}")
    return text


def _withdraw_invitations_of(session: Session, user_id: str) -> None:
    # They could otherwise invite themselves again.
    invitations.withdraw(session, Invitation.invited_by == user_id)


def _keep_an_administrator(session: Session, user_id: str) -> None:
    """Raise `LastAdministrator` where this user is the only one who can administer."""
    # Written first: see `locked`.
    session.execute(update(User).where(User.role == "admin").values(epoch=User.epoch))
    found = set(session.scalars(select(User.id).where(User.role == "admin", User.disabled_at.is_(None))))
    if found == {user_id}:
        raise LastAdministrator(f"{session.scalar(select(func.count()).select_from(User))} users, 1 administrator")
