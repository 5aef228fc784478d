"""Creates, lists, finds and revokes API keys, and counts their uses.

A key is `bgr_`, a public id of 12 hexadecimal digits, `_`, and a secret of 40 (160 random bits). It is shown once; the
table stores only its SHA-256. A plain, fast hash is right here: bcrypt and similar hashes slow down the guessing of
passwords that people choose, but 160 random bits can't be guessed, and every request would pay for the slowness. A
keyed hash would tie the keys to another secret that can be lost, and protect nothing that the randomness does not.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Literal, Unpack

import structlog
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    ColumnElement,
    Index,
    String,
    bindparam,
    case,
    false,
    or_,
    select,
    update,
)
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from services.api_keys.errors import KeyNameTaken
from services.api_keys.limits import Limits, checked_limits
from services.persistence.database import Base, Database
from services.persistence.lookup import values_by_id

REMOVE: Final = "remove"
JOBS: Final = "jobs"
ADMIN: Final = "admin"
SCOPES: Final = (REMOVE, JOBS, ADMIN)
KEY: Final = re.compile(r"bgr_([0-9a-f]{12})_[0-9a-f]{40}", re.ASCII)
KEY_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
log = structlog.get_logger("keys")

Problem = Literal["", "revoked", "expired", "disabled"]


class ApiKey(Base):
    """An API key, without its secret."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    rate_limit: Mapped[str | None] = mapped_column(String(32))
    monthly_quota: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    uses: Mapped[int] = mapped_column(BigInteger, default=0)
    # The user whose key it is; None: the operator's.
    user_id: Mapped[str | None] = mapped_column(String(12), index=True)
    # The user is disabled.
    disabled: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())

    def problem(self, now: datetime | None = None) -> Problem:
        """Return why the key is not valid; empty when it is."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= (now or datetime.now(UTC)):
            return "expired"
        return "disabled" if self.disabled else ""

    def matches(self, text: str) -> bool:
        """Return whether `text` is this key, in constant time."""
        return hmac.compare_digest(_hash(text), self.hash)


_LIVE = ApiKey.revoked_at.is_(None)
_OPERATORS, _USERS = _LIVE & ApiKey.user_id.is_(None), _LIVE & ApiKey.user_id.is_not(None)
_OF_USER: Final[dict[str, Any]] = {"sqlite_where": _USERS, "postgresql_where": _USERS}
# The name of a revoked key can be used again, and users don't take names from each other.
Index("uq_api_keys_live_name", ApiKey.name, unique=True, sqlite_where=_OPERATORS, postgresql_where=_OPERATORS)
Index("uq_api_keys_live_user_name", ApiKey.user_id, ApiKey.name, unique=True, **_OF_USER)


class KeyTerms(Limits, total=False):
    """What a key may do, and until when."""

    owner: str
    scopes: Collection[str]
    expires_at: datetime | None
    user_id: str | None


def create_key(database: Database, *, name: str, **terms: Unpack[KeyTerms]) -> tuple[str, ApiKey]:
    """Create one of the operator's keys, by default with the scope `remove`; return its text and its record.

    Raises ValueError, which says which value is not allowed, and `KeyNameTaken`.
    """
    text, record = new_key(name=name, **terms)
    with database.session() as session:
        add_key(session, record)
    return text, record


def new_key(*, name: str, **terms: Unpack[KeyTerms]) -> tuple[str, ApiKey]:
    """Return the text of a new key, which is not stored, and its record for `add_key`. Raises ValueError."""
    owner, scopes, expires_at = terms.get("owner", ""), terms.get("scopes", (REMOVE,)), terms.get("expires_at")
    rate_limit, monthly_quota = checked_limits(terms.get("rate_limit"), terms.get("monthly_quota"))
    now = datetime.now(UTC)
    if not KEY_NAME.fullmatch(name):
        raise ValueError(f"the name is {name!r}: 1 to 64 of A-Z a-z 0-9 . _ - are allowed, a letter or digit first")
    if len(owner) > 200 or not owner.isprintable():
        raise ValueError("the owner has more than 200 characters, or some that can't be shown")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise ValueError(f"the scopes are {', '.join(scopes)}: allowed are {', '.join(SCOPES)}")
    if expires_at and expires_at <= now:
        raise ValueError(f"the expiry is in the past: {expires_at:%Y-%m-%d %H:%M %Z}")
    key_id = secrets.token_hex(6)
    text = f"bgr_{key_id}_{secrets.token_hex(20)}"
    record = ApiKey(
        id=key_id,
        hash=_hash(text),
        name=name,
        owner=owner,
        scopes=sorted(set(scopes), key=SCOPES.index),
        rate_limit=rate_limit,
        monthly_quota=monthly_quota,
        created_at=now,
        expires_at=expires_at,
        uses=0,
        user_id=terms.get("user_id"),
        disabled=False,
    )
    return text, record


def add_key(session: Session, record: ApiKey) -> None:
    """Add a key to the table, within the caller's transaction. Raises `KeyNameTaken`."""
    session.add(record)
    try:
        session.flush()
    except IntegrityError:
        raise KeyNameTaken(f"the name is {record.name!r}") from None
    log.info("key created", key=record.name, key_id=record.id, scopes=record.scopes, user=record.user_id)


def set_limits(database: Database, id_or_name: str, changed: Limits) -> ApiKey | None:
    """Change the limits that are given, None takes one away, and return the key.

    None when no valid key has this id or name. Raises ValueError.
    """
    rate_limit, monthly_quota = checked_limits(changed.get("rate_limit"), changed.get("monthly_quota"))
    checked = {"rate_limit": rate_limit, "monthly_quota": monthly_quota}
    with database.session() as session:
        values = {name: checked[name] for name in checked if name in changed}
        found = _change_live_key(session, values, *_called(id_or_name))
    if found:
        log.info("key changed", key=found.name, key_id=found.id, user=found.user_id, **changed)
    return found


def list_keys(database: Database, user_id: str | None = None) -> list[ApiKey]:
    """Return all keys, or those of a user, oldest first."""
    keys = select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)
    with database.session() as session:
        return list(session.scalars(keys.where(ApiKey.user_id == user_id) if user_id else keys))


def revoke_key(database: Database, id_or_name: str) -> ApiKey | None:
    """Revoke a key for good and return it. None when no valid key has this id or name."""
    with database.session() as session:
        return revoke(session, *_called(id_or_name))


def revoke(session: Session, *conditions: ColumnElement[bool]) -> ApiKey | None:
    """Revoke the valid key of the first condition that one meets, within the caller's transaction, and return it."""
    found = _change_live_key(session, {"revoked_at": datetime.now(UTC)}, *conditions)
    if found:
        log.info("key revoked", key=found.name, key_id=found.id, user=found.user_id)
    return found


def find_key(database: Database, key_id: str) -> ApiKey | None:
    """Return the key with this public id, also a revoked or expired one."""
    with database.session() as session:
        return session.get(ApiKey, key_id)


def names_of(database: Database, key_ids: Collection[str]) -> dict[str, str]:
    """Return the names of keys by their ids, also of revoked ones."""
    return values_by_id(database, ApiKey.id, ApiKey.name, key_ids)


def add_uses(database: Database, uses: dict[str, tuple[int, datetime]]) -> None:
    """Add uses to the keys' counts, by id: how many, and when the last one was."""
    later = bindparam("at", type_=ApiKey.last_used_at.type)
    statement = (
        update(ApiKey)
        .where(ApiKey.id == bindparam("key"))
        .values(
            uses=ApiKey.uses + bindparam("count"),
            last_used_at=case(
                (or_(ApiKey.last_used_at.is_(None), ApiKey.last_used_at < later), later), else_=ApiKey.last_used_at
            ),
        )
    )
    # Ordered by id: two workers that lock the same rows could otherwise deadlock.
    rows = [{"key": key, "count": count, "at": at} for key, (count, at) in sorted(uses.items())]
    with database.session() as session:
        session.connection().execute(statement, rows)


def key_id_of(text: str) -> str | None:
    """Return the public id in a key's text; None when the text does not have the form of a key."""
    match = KEY.fullmatch(text)
    return match[1] if match else None


def _called(id_or_name: str) -> tuple[ColumnElement[bool], ...]:
    # Users name their keys as they like.
    return ApiKey.id == id_or_name, (ApiKey.name == id_or_name) & ApiKey.user_id.is_(None)


def _change_live_key(session: Session, values: Mapping[str, object], *conditions: ColumnElement[bool]) -> ApiKey | None:
    """Set columns of the valid key of the first condition that one meets.

    One statement finds and changes it: SQLite refuses a transaction that reads, and writes after another has written.
    """
    for condition in conditions:
        # A statement needs something to set.
        change = update(ApiKey).where(_LIVE, condition).values(**(values or {"uses": ApiKey.uses}))
        found: ApiKey | None = session.scalar(change.returning(ApiKey))
        if found:
            return found
    return None


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
