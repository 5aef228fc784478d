"""API keys: what a key looks like, the table that knows them, and making, listing and revoking them.

A key is `bgr_`, a public id of 12 hexadecimal digits, `_`, and a secret of 40 (160 random bits). It is shown once; the
table has only its SHA-256. A plain, fast hash is right here: bcrypt and its like slow down guessing what people choose,
and nobody guesses 160 random bits, while every request would pay for the slowness. A keyed hash would tie the keys to
another secret that can be lost, and protect nothing that the randomness does not.
"""

import hashlib
import hmac
import re
import secrets
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final, Literal

from sqlalchemy import JSON, BigInteger, Index, String, bindparam, case, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from services.persistence.database import Base, Database

REMOVE: Final = "remove"
JOBS: Final = "jobs"
ADMIN: Final = "admin"
SCOPES: Final = (REMOVE, JOBS, ADMIN)
FORM: Final = re.compile(r"bgr_([0-9a-f]{12})_[0-9a-f]{40}", re.ASCII)
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
LIMIT: Final = re.compile(r"([1-9][0-9]{0,8})\s*(?:/|per)\s*(second|minute|hour|day)s?", re.ASCII | re.IGNORECASE)

Problem = Literal["", "revoked", "expired"]


class ApiKey(Base):
    """One key, without its secret."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(12), primary_key=True)
    hash: Mapped[str] = mapped_column(String(64))
    name: Mapped[str] = mapped_column(String(64))
    owner: Mapped[str] = mapped_column(String(200))
    scopes: Mapped[list[str]] = mapped_column(JSON)
    rate_limit: Mapped[str | None] = mapped_column(String(32))
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    uses: Mapped[int] = mapped_column(BigInteger, default=0)

    def problem(self, now: datetime | None = None) -> Problem:
        """Why the key does not count (any more); empty when it does."""
        if self.revoked_at:
            return "revoked"
        if self.expires_at and self.expires_at <= (now or datetime.now(UTC)):
            return "expired"
        return ""

    def matches(self, text: str) -> bool:
        """Whether `text` is this very key; takes the same time wherever it differs."""
        return hmac.compare_digest(_hash(text), self.hash)


# Names are free again once their key is revoked.
Index(
    "uq_api_keys_live_name",
    ApiKey.name,
    unique=True,
    sqlite_where=ApiKey.revoked_at.is_(None),
    postgresql_where=ApiKey.revoked_at.is_(None),
)


def create_key(
    database: Database,
    *,
    name: str,
    owner: str = "",
    scopes: Collection[str] = (REMOVE,),
    rate_limit: str | None = None,
    expires_at: datetime | None = None,
) -> tuple[str, ApiKey]:
    """A new key: its text, which is nowhere kept, and its record.

    Raises ValueError, whose text says which value is not allowed.
    """
    key_id = secrets.token_hex(6)
    text = f"bgr_{key_id}_{secrets.token_hex(20)}"
    now = datetime.now(UTC)
    if not NAME.fullmatch(name):
        raise ValueError(f"the name is {name!r}: 1 to 64 of A-Z a-z 0-9 . _ - are allowed, a letter or digit first")
    if len(owner) > 200:
        raise ValueError("the owner has more than 200 characters")
    if not scopes or not set(scopes) <= set(SCOPES):
        raise ValueError(f"the scopes are {', '.join(scopes)}: allowed are {', '.join(SCOPES)}")
    if expires_at and expires_at <= now:
        raise ValueError(f"the key would have expired already, at {expires_at:%Y-%m-%d %H:%M %Z}")
    record = ApiKey(
        id=key_id,
        hash=_hash(text),
        name=name,
        owner=owner,
        scopes=sorted(set(scopes), key=SCOPES.index),
        rate_limit=parse_limit(rate_limit) if rate_limit else None,
        created_at=now,
        expires_at=expires_at,
        uses=0,
    )
    try:
        with database.session() as session:
            session.add(record)
    except IntegrityError:
        raise ValueError(f"there is a key named {name!r} already; revoke it first or take another name") from None
    return text, record


def list_keys(database: Database) -> list[ApiKey]:
    """All keys, the oldest first."""
    with database.session() as session:
        return list(session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)))


def revoke_key(database: Database, id_or_name: str) -> ApiKey | None:
    """End a key for good. None when there is no such key that is not revoked already."""
    with database.session() as session:
        live = select(ApiKey).where(ApiKey.revoked_at.is_(None))
        found = session.scalar(live.where(ApiKey.id == id_or_name)) or session.scalar(
            live.where(ApiKey.name == id_or_name)
        )
        if found:
            found.revoked_at = datetime.now(UTC)
        return found


def find_key(database: Database, key_id: str) -> ApiKey | None:
    """The key of this public id, whatever its state."""
    with database.session() as session:
        return session.get(ApiKey, key_id)


def add_uses(database: Database, uses: dict[str, tuple[int, datetime]]) -> None:
    """Add to the keys' counts, and note when each was last used. Keyed by id."""
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
    # In the order of ids: two workers that lock the same rows would otherwise wait for each other.
    rows = [{"key": key, "count": count, "at": at} for key, (count, at) in sorted(uses.items())]
    with database.session() as session:
        session.connection().execute(statement, rows)


def key_id_of(text: str) -> str | None:
    """The public id in what may be a key of this service; None when it does not look like one."""
    match = FORM.fullmatch(text)
    return match[1] if match else None


def parse_limit(text: str) -> str:
    """A quota as `1000/hour`, in that form. Raises ValueError."""
    match = LIMIT.fullmatch(text.strip())
    if not match:
        raise ValueError(f"the limit is {text!r}: allowed is a number per second, minute, hour or day, as 1000/hour")
    return f"{match[1]}/{match[2].lower()}"


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
