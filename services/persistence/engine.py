"""Makes SQLAlchemy engines for SQLite and PostgreSQL, with bounded waiting."""

import contextlib
import os
import stat
import time
from pathlib import Path
from sqlite3 import Connection as SQLiteConnection
from typing import Any, Final

from sqlalchemy import create_engine, event
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import DisconnectionError
from sqlalchemy.pool import ConnectionPoolEntry

# The smallest timeout that libpq keeps.
CONNECT_SECONDS: Final = 2
# SQLite: how long to wait for another process's write.
BUSY_SECONDS: Final = 2.0
# A pooled connection that was idle for this long is pinged before its next use.
IDLE_SECONDS: Final = 1.0


def sqlite_file(url: URL) -> Path | None:
    """Return the file of an SQLite URL; None for PostgreSQL."""
    return Path(url.database or "") if url.get_backend_name() == "sqlite" else None


def make_engine(url: URL, statement_seconds: float | None = None) -> Engine:
    """Make an engine, and the folder of an SQLite file. Opens no connection.

    PostgreSQL ends a statement after `statement_seconds`, waiting for locks included; None leaves this to its settings.
    """
    file = sqlite_file(url)
    if file is None:
        dead = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": CONNECT_SECONDS * 1000}
        engine = create_engine(url, connect_args=dead, pool_timeout=CONNECT_SECONDS, hide_parameters=True)
        _ping_idle_connections(engine)
        if statement_seconds:
            _bound_statements(engine, statement_seconds)
        return engine
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, hide_parameters=True)
    event.listen(engine, "do_connect", lambda *_: _keep_private(file))
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def enable_write_ahead_log(engine: Engine) -> None:
    """Let SQLite's readers run during a write.

    The mode is kept in the file. Changing it does not wait for locks, so only one process may do it at a time.
    """
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()


def _ping_idle_connections(engine: Engine) -> None:
    """Ping pooled connections that were idle, and let SQLAlchemy replace dead ones.

    Its own `pool_pre_ping` pings before each use, which is as much traffic as the work itself.
    """

    def note_use(_: Any, record: ConnectionPoolEntry) -> None:
        record.info["used"] = time.monotonic()

    def ping(connection: Any, record: ConnectionPoolEntry, _: Any) -> None:
        if time.monotonic() - record.info.get("used", time.monotonic()) < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as exc:
            raise DisconnectionError from exc

    event.listen(engine, "checkin", note_use)
    event.listen(engine, "checkout", ping)


def _bound_statements(engine: Engine, seconds: float) -> None:
    """Set the timeout on each new connection. PgBouncer would refuse it among the parameters of a connection."""

    def set_timeout(connection: Any, _: object) -> None:
        connection.execute(f"SET statement_timeout = {round(seconds * 1000)}")
        connection.commit()

    event.listen(engine, "connect", set_timeout)


def _keep_private(file: Path) -> None:
    """Create the file for its owner alone, and narrow one that others may read: ids of anonymous jobs are secrets.

    SQLite gives its `-wal` and `-shm` files the same mode.
    """
    with contextlib.suppress(FileExistsError):
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
        # Absent, or another user's, who decides.
        with contextlib.suppress(FileNotFoundError, PermissionError):
            if stat.S_IMODE(path.stat().st_mode) & 0o077:
                path.chmod(0o600)


def _set_up_sqlite(connection: SQLiteConnection, _: object) -> None:
    # sqlite3 would begin a transaction before the first write only, and none before DDL: the "begin" event does it.
    connection.isolation_level = None
    # Safe against a crash of the process, with the write-ahead log.
    connection.execute("PRAGMA synchronous=NORMAL")
    connection.execute("PRAGMA foreign_keys=ON")
