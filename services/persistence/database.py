"""Gives access to the database: SQLite in a file, or PostgreSQL.

It connects when it is first used, never at import or before a fork. A table is a class on `Base` in the module of its
noun, such as `services/api_keys/keys.py`; its shape changes by a migration in `migrations/`.

Every connection error becomes `DatabaseUnavailable`. After one the circuit is open for a moment, so
that callers fail immediately instead of piling up behind a dead host.
"""

import contextlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog
from sqlalchemy import DateTime, Dialect, MetaData, make_url, text
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from services.errors import DatabaseUnavailable
from services.persistence import migrate
from services.persistence.engine import make_engine, sqlite_file

CIRCUIT_OPEN_SECONDS: Final = 1.0
QUERY_CANCELED: Final = "57014"
NAMES: Final = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
log = structlog.get_logger("database")


class UTCDateTime(TypeDecorator[datetime]):
    """A timezone-aware moment, in UTC on both databases: SQLite stores no zone and would return naive ones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Convert a moment of any zone to UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return the stored moment in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """The base of all tables. Constraints are named by rule, so that a migration can drop them on both databases."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: UTCDateTime}  # noqa: RUF012 - SQLAlchemy reads it from the class


def parse_url(url: str) -> URL:
    """Return the URL with this service's drivers. Raises ValueError, without the URL: it may contain a password."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise ValueError("Input should be sqlite:///file or postgresql://user:password@host:port/name") from None
    kind = parsed.get_backend_name()
    if kind == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return parsed.set(drivername="sqlite+pysqlite")
    if kind in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    raise ValueError("Input should be sqlite:///file or postgresql://user:password@host:port/name")


class Database:
    """One process's access to the database. Making one opens nothing."""

    def __init__(self, url: str, statement_seconds: float | None = None) -> None:
        """`statement_seconds`: how long PostgreSQL may work on a statement; None: as long as it takes."""
        self._url, self._statement_seconds = parse_url(url), statement_seconds
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._open_until = 0.0

    @property
    def file(self) -> Path | None:
        """SQLite's file; None with PostgreSQL."""
        return sqlite_file(self._url)

    @property
    def shown_url(self) -> str:
        """The URL without its password."""
        return self._url.set(drivername=self._url.get_backend_name()).render_as_string(hide_password=True)

    def exists(self) -> bool:
        """Return whether there is a database: an SQLite file may not exist yet, PostgreSQL is assumed to."""
        return self.file is None or self.file.exists()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """Open a transaction, committed at the end. Its objects stay readable. Raises `DatabaseUnavailable`."""
        with self._translated(), Session(self._prepared(), expire_on_commit=False) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def long_session(self) -> Iterator[Session]:
        """Open a transaction as `session` does, for statements that may take longer than others."""
        with self.session() as session:
            if self.file is None:
                session.execute(text("SET LOCAL statement_timeout = 0"))
            yield session

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """Open a connection for a small query, at half the cost of a session. Commits nothing. Raises
        `DatabaseUnavailable`."""
        with self._translated(), self._prepared().connect() as connection:
            yield connection

    def ping(self) -> None:
        """Run a trivial query. Raises `DatabaseUnavailable`."""
        with self.session() as session:
            session.execute(text("SELECT 1"))

    def upgrade(self, revision: str = "head") -> None:
        """Upgrade the tables to a revision. Many processes may do it at the same time: one does, the others wait."""
        with self._translated():
            migrate.upgrade(self._url, revision)

    def downgrade(self, revision: str) -> None:
        """Downgrade the tables to a revision; `base` removes them all."""
        with self._translated():
            migrate.downgrade(self._url, revision)

    def close(self) -> None:
        """Close all connections; the next use opens new ones."""
        with self._lock:
            if self._engine:
                self._engine.dispose()
            self._engine = None

    def _prepared(self) -> Engine:
        """Return the engine. Its first use in each process upgrades the tables."""
        engine = self._engine
        if engine:
            return engine
        # Translated inside the lock: threads that waited for a failed attempt must not try one after the other.
        with self._lock, self._translated():
            if self._engine is None:
                migrate.upgrade_unless_newer(self._url)
                self._engine = make_engine(self._url, self._statement_seconds)
            return self._engine

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """Translate connection errors to `DatabaseUnavailable`; the reason goes to the log, not to the caller."""
        self._refuse_while_open()
        try:
            yield
        except (IntegrityError, DataError):
            # It answers: this one statement is wrong.
            raise
        # sqlite3's own error comes from the raw connection of a migration.
        except (DBAPIError, PoolTimeout, OSError, sqlite3.Error) as exc:
            reason = exc.orig if isinstance(exc, DBAPIError) else exc
            # After a statement that took too long it still answers others.
            if getattr(reason, "sqlstate", None) != QUERY_CANCELED:
                self._open_until = time.monotonic() + CIRCUIT_OPEN_SECONDS
            log.warning("database not usable", kind=type(reason).__name__, reason=str(reason)[:300])
            raise DatabaseUnavailable(f"{type(reason).__name__}") from exc

    def _refuse_while_open(self) -> None:
        if time.monotonic() < self._open_until:
            raise DatabaseUnavailable("it did not answer a moment ago", retry_after=int(CIRCUIT_OPEN_SECONDS) + 1)
