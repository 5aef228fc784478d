"""Access to the database: nothing is opened early, transactions commit or roll back, errors are translated."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DataError, IntegrityError

from services.errors import DatabaseUnavailable
from services.persistence import database as module
from services.persistence.database import Database, UTCDateTime, parse_url
from services.persistence.engine import make_engine
from services.persistence.migrate import MIGRATION_LOCK
from tests.support.servers.postgres import Postgres
from tests.support.waiting import free_port, poll


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/some.db")
    yield database
    database.close()


def count(database: Database) -> int:
    with database.connection() as connection:
        found: int = connection.execute(text("SELECT count(*) FROM numbers")).scalar_one()
        return found


def test_a_session_commits_at_its_end_and_rolls_back_an_error(database: Database) -> None:
    with database.session() as session:
        session.execute(text("CREATE TABLE numbers (n INTEGER UNIQUE)"))
        session.execute(text("INSERT INTO numbers VALUES (1)"))

    def interrupted() -> None:
        with database.session() as session:
            session.execute(text("INSERT INTO numbers VALUES (2)"))
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert count(database) == 1


def test_violated_constraint_does_not_count_as_a_lost_connection(database: Database) -> None:
    with database.session() as session:
        session.execute(text("CREATE TABLE numbers (n INTEGER UNIQUE)"))
        session.execute(text("INSERT INTO numbers VALUES (1)"))
    with pytest.raises(IntegrityError), database.session() as session:
        session.execute(text("INSERT INTO numbers VALUES (1)"))
    assert count(database) == 1


@pytest.mark.slow
def test_value_that_postgresql_refuses_does_not_count_as_a_lost_connection(postgres: Postgres) -> None:
    database = Database(postgres.new_database())
    with pytest.raises(DataError), database.session() as session:
        session.execute(text("SELECT :value"), {"value": "a\0b"})
    database.ping()
    database.close()


def test_a_failure_opens_the_circuit(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}")
    for details in ("OperationalError", "it did not answer a moment ago"):
        with pytest.raises(DatabaseUnavailable, match=details):
            database.ping()


def test_the_circuit_closes_after_its_time(database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CIRCUIT_OPEN_SECONDS", 0)
    (tmp_path / "some.db").mkdir()
    with pytest.raises(DatabaseUnavailable):
        database.ping()
    (tmp_path / "some.db").rmdir()
    database.ping()


def test_time_of_any_zone_is_stored_and_read_in_utc() -> None:
    column, dialect = UTCDateTime(), sqlite.dialect()
    moment = datetime(2026, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    stored = column.process_bind_param(moment, dialect)
    assert stored == datetime(2026, 1, 1, 10, tzinfo=UTC)
    # SQLite returns moments without a zone.
    assert column.process_result_value(datetime(2026, 1, 1, 10), dialect) == stored
    assert column.process_result_value(moment, dialect) == stored
    assert column.process_bind_param(None, dialect) is None
    assert column.process_result_value(None, dialect) is None


def test_database_is_opened_and_set_up_at_its_first_use(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/below/keys.db")
    assert list(tmp_path.iterdir()) == []
    assert not database.exists()
    with database.session() as session:
        assert session.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert session.execute(text("PRAGMA foreign_keys")).scalar() == 1
        assert session.execute(text("PRAGMA busy_timeout")).scalar() == 2000
    assert database.exists()
    database.close()


def test_an_unavailable_database_fails_immediately_and_logs_no_password(capsys: pytest.CaptureFixture[str]) -> None:
    database = Database(f"postgresql://user:hunter2@127.0.0.1:{free_port()}/keys")
    for details in ("OperationalError", "it did not answer a moment ago"):
        with pytest.raises(DatabaseUnavailable) as lost:
            database.ping()
        assert lost.value.details == details
        assert lost.value.retryable
    logged = "".join(capsys.readouterr())
    assert "refused" in logged
    assert "hunter2" not in logged


@pytest.mark.slow
def test_statement_that_takes_too_long_is_ended_and_others_are_answered(postgres: Postgres) -> None:
    database = Database(postgres.new_database(), statement_seconds=0.2)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailable, match="QueryCanceled"), database.session() as session:
            session.execute(text("SELECT pg_sleep(30)"))
    database.ping()
    with database.long_session() as session:
        session.execute(text("SELECT pg_sleep(0.5)"))
    with pytest.raises(DatabaseUnavailable), database.connection() as connection:
        connection.execute(text("SELECT pg_sleep(30)"))
    database.close()


@pytest.mark.slow
def test_migration_takes_as_long_as_it_needs(postgres: Postgres) -> None:
    url = postgres.new_database()
    engine, database = make_engine(parse_url(url)), Database(url)
    waited = text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND waitstart < now() - interval '0.3 s'")
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other, ThreadPoolExecutor(1) as pool:
        other.execute(text(f"ALTER DATABASE {parse_url(url).database} SET statement_timeout = 100"))
        other.execute(text("SELECT pg_advisory_lock(:number)"), {"number": MIGRATION_LOCK})
        upgrade = pool.submit(database.upgrade)
        poll(lambda: upgrade.done() or other.execute(waited).scalar(), 20, "the upgrade waits")
        other.execute(text("SELECT pg_advisory_unlock_all()"))
        upgrade.result(20)
    database.close()
    engine.dispose()


@pytest.mark.slow
def test_callers_do_not_pile_up_behind_a_silent_postgresql() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        database = Database(f"postgresql://user@127.0.0.1:{silent.getsockname()[1]}/keys")

        def ask(_: int) -> str:
            with pytest.raises(DatabaseUnavailable) as lost:
                database.ping()
            return lost.value.details

        with ThreadPoolExecutor(8) as pool:
            details = list(pool.map(ask, range(8)))
    assert len([text for text in details if text != "it did not answer a moment ago"]) == 1


@pytest.mark.parametrize(
    "url", ["hunter2", "mysql://u:hunter2@h/d", "postgresql://u:hunter2@h:port/d", "sqlite://", "sqlite:///:memory:"]
)
def test_an_invalid_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ValueError, match="postgresql://user:password@host:port/name") as refused:
        parse_url(url)
    assert "hunter2" not in str(refused.value)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("url", ["postgresql://u@h/d", "postgres://u@h/d", "postgresql+psycopg2://u@h/d"])
def test_every_spelling_of_postgresql_uses_psycopg(url: str) -> None:
    assert parse_url(url).drivername == "postgresql+psycopg"
