"""Migrates the tables with Alembic, in one process at a time."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from sqlalchemy import text
from sqlalchemy.engine import URL, Connection

from services.persistence.engine import enable_write_ahead_log, make_engine, sqlite_file

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS: Final = Path(__file__).parent.parent.parent / "migrations"
# PostgreSQL's advisory lock of this service: "bg_remov".
MIGRATION_LOCK: Final = 0x62675F72656D6F76
log = structlog.get_logger("database")


def upgrade(url: URL, revision: str) -> None:
    """Upgrade the tables to a revision."""
    from alembic import command

    with _exclusive(url) as connection:
        command.upgrade(_config(connection), revision)


def downgrade(url: URL, revision: str) -> None:
    """Downgrade the tables to a revision; `base` removes them all."""
    from alembic import command

    with _exclusive(url) as connection:
        command.downgrade(_config(connection), revision)


def upgrade_unless_newer(url: URL) -> None:
    """Upgrade the tables to this code's revision.

    Tables of a newer version of the service are left alone: an update in progress, or one that was rolled back, must
    not stop this process.
    """
    from alembic import command
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    with _exclusive(url) as connection:
        config = _config(connection)
        known = ScriptDirectory.from_config(config)
        current = MigrationContext.configure(connection).get_current_revision()
        if current == known.get_current_head():
            return
        if current and current not in {script.revision for script in known.walk_revisions()}:
            log.warning("the database is of a newer version", revision=current)
            return
        command.upgrade(config, "head")
        head = known.get_current_head()
        if current:
            log.info("database upgraded", revision=head, was=current)
        else:
            log.info("database tables created", revision=head)


@contextlib.contextmanager
def _exclusive(url: URL) -> Iterator[Connection]:
    """A transaction that only one process of this service has at a time."""
    engine, file = make_engine(url), sqlite_file(url)
    with contextlib.ExitStack() as stack:
        stack.callback(engine.dispose)
        if file is not None:
            stack.enter_context(_locked(file.with_name(f"{file.name}.lock")))
            enable_write_ahead_log(engine)
        connection = stack.enter_context(engine.begin())
        if file is None:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": MIGRATION_LOCK})
        yield connection


def _config(connection: Connection) -> "Config":
    from alembic.config import Config

    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    import fcntl

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
