"""The database of records: SQLite in a file, or PostgreSQL. Opened when first used, never at import or before a fork.

A table is a class on `Base` in the module of its noun (`services/api_keys/keys.py`); its shape
changes by a migration in `migrations/`.
Whatever goes wrong with the connection is a `DatabaseUnavailable`; after it the database is left alone
for a moment, so that callers hear it at once and don't pile up behind a dead host.
"""

import contextlib
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import structlog
from sqlalchemy import DateTime, Dialect, MetaData, create_engine, event, make_url, text
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, DBAPIError, DisconnectionError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import TypeDecorator

from services.errors import DatabaseUnavailable

MIGRATIONS: Final = Path(__file__).parent.parent.parent / "migrations"
CONNECT_SECONDS: Final = 2  # the least that libpq keeps to
BUSY_SECONDS: Final = 2.0  # SQLite: for another process's write
REST_SECONDS: Final = 1.0
IDLE_SECONDS: Final = 1.0  # after which a connection of the pool is asked whether it is alive before its next use
MIGRATION_LOCK: Final = 0x62675F72656D6F76  # PostgreSQL's advisory lock of this service: "bg_remov"
NAMES: Final = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
log = structlog.get_logger("database")


class UTCDateTime(TypeDecorator[datetime]):
    """A moment with its zone, UTC on both databases: SQLite keeps none and would give back naive ones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """A moment with any zone as UTC."""
        return value.astimezone(UTC) if value else None

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """What was stored, as UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Base(DeclarativeBase):
    """All tables. Constraints have names by rule, so that a migration can drop them on both databases."""

    metadata = MetaData(naming_convention=NAMES)
    type_annotation_map = {datetime: UTCDateTime}  # noqa: RUF012 - SQLAlchemy reads it from the class


def parse_url(url: str) -> URL:
    """The URL with this service's drivers. Raises ValueError, which never repeats the URL: it may hold a password."""
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
    """One process's way to the database. Making one opens nothing."""

    def __init__(self, url: str) -> None:
        self._url = parse_url(url)
        self._engine: Engine | None = None
        self._lock = threading.Lock()
        self._rest_until = 0.0

    @property
    def file(self) -> Path | None:
        """SQLite's file; None with PostgreSQL."""
        return Path(self._url.database or "") if self._url.get_backend_name() == "sqlite" else None

    def exists(self) -> bool:
        """Whether there is a database to ask: a PostgreSQL is taken to be there, an SQLite file may not be yet."""
        return self.file is None or self.file.exists()

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """A transaction, committed at the end. Objects stay readable after it. Raises `DatabaseUnavailable`."""
        with self._translated(), Session(self._prepared(), expire_on_commit=False) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def connection(self) -> Iterator[Connection]:
        """A connection to ask something small with, at half of a session's cost. Nothing is committed. Raises
        `DatabaseUnavailable`."""
        with self._translated(), self._prepared().connect() as connection:
            yield connection

    def ping(self) -> None:
        """Ask the database something. Raises `DatabaseUnavailable`."""
        with self.session() as session:
            session.execute(text("SELECT 1"))

    def upgrade(self, revision: str = "head") -> None:
        """Bring the tables to a revision. Safe to run in many processes at once: one does it, the others wait."""
        from alembic import command

        with self._translated(), self._alone() as connection:
            command.upgrade(_alembic(connection), revision)

    def downgrade(self, revision: str) -> None:
        """Bring the tables back to a revision; `base` removes them all."""
        from alembic import command

        with self._translated(), self._alone() as connection:
            command.downgrade(_alembic(connection), revision)

    def close(self) -> None:
        """Close all connections; the next use opens anew."""
        with self._lock:
            if self._engine:
                self._engine.dispose()
            self._engine = None

    def _prepared(self) -> Engine:
        """The engine, its tables at this code's revision. The first use in each process makes sure of it."""
        engine = self._engine
        if engine:
            return engine
        with self._lock, self._translated():  # those who waited for a try that failed must not try one after the other
            if self._engine is None:
                with self._alone() as connection:
                    _upgrade_unless_newer(connection)
                self._engine = self._new_engine()
            return self._engine

    @contextlib.contextmanager
    def _translated(self) -> Iterator[None]:
        """The connection's errors as ours; the log has the reason, the caller does not."""
        self._refuse_while_resting()
        try:
            yield
        except IntegrityError:
            raise
        except (DBAPIError, PoolTimeout, OSError) as exc:
            self._rest_until = time.monotonic() + REST_SECONDS
            reason = exc.orig if isinstance(exc, DBAPIError) else exc
            log.warning("database not usable", kind=type(reason).__name__, reason=str(reason)[:300])
            raise DatabaseUnavailable(f"{type(reason).__name__}") from exc

    def _refuse_while_resting(self) -> None:
        if time.monotonic() < self._rest_until:
            raise DatabaseUnavailable("it did not answer a moment ago", retry_after=int(REST_SECONDS) + 1)

    def _new_engine(self) -> Engine:
        if self.file is None:
            dead = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": CONNECT_SECONDS * 1000}
            engine = create_engine(self._url, connect_args=dead, pool_timeout=CONNECT_SECONDS, hide_parameters=True)
            _ping_the_idle(engine)
            return engine
        self.file.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(self._url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
        event.listen(engine, "connect", _set_up_sqlite)
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        return engine

    @contextlib.contextmanager
    def _alone(self) -> Iterator[Connection]:
        """A transaction that only one process of this service is in at a time."""
        engine = self._new_engine()
        with contextlib.ExitStack() as stack:
            stack.callback(engine.dispose)
            if self.file is not None:
                stack.enter_context(_locked(self.file.with_name(f"{self.file.name}.lock")))
                _write_ahead(engine)
            connection = stack.enter_context(engine.begin())
            if self.file is None:
                connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": MIGRATION_LOCK})
            yield connection


def _upgrade_unless_newer(connection: Connection) -> None:
    """The tables at this code's revision. Ones of a newer version of the service are left as they are: an update that
    is under way, or was taken back, must not stop this one."""
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = _alembic(connection)
    known = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    if current == known.get_current_head():
        return
    if current and current not in {script.revision for script in known.walk_revisions()}:
        log.warning("the database is of a newer version", revision=current)
        return
    command.upgrade(config, "head")
    log.info("database upgraded", revision=known.get_current_head(), was=current)


def _alembic(connection: Connection) -> Any:
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


def _ping_the_idle(engine: Engine) -> None:
    """A connection that has lain for a while may be dead: ask, and let SQLAlchemy open another one. (Its own
    `pool_pre_ping` asks each time, which is as much traffic as the work itself.)"""

    def note(_: Any, record: Any) -> None:
        record.info["used"] = time.monotonic()

    def ping(connection: Any, record: Any, _: Any) -> None:
        if time.monotonic() - record.info.get("used", time.monotonic()) < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as exc:
            raise DisconnectionError from exc

    event.listen(engine, "checkin", note)
    event.listen(engine, "checkout", ping)


def _set_up_sqlite(connection: Any, _: object) -> None:
    # sqlite3 would begin a transaction only before the first write, and none before DDL; "begin" above does instead.
    connection.isolation_level = None
    connection.execute("PRAGMA synchronous=NORMAL")  # with WAL: safe against a crash of the process
    connection.execute("PRAGMA foreign_keys=ON")


def _write_ahead(engine: Engine) -> None:
    """Readers and a writer side by side. Kept in the file; changing it does not wait for locks, hence `_alone`."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
