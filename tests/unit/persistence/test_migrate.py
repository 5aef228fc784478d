"""Migrations on SQLite: up, down, once per process, and never back from a newer version."""

from pathlib import Path

import pytest
from sqlalchemy import inspect, text
from sqlalchemy.engine import URL
from structlog.testing import capture_logs

from services.persistence.database import parse_url
from services.persistence.engine import make_engine
from services.persistence.migrate import MIGRATIONS, downgrade, upgrade, upgrade_unless_newer

ALL = {
    *("api_keys", "users", "invitations", "one_time_tokens", "sign_ins"),
    *("daily_usage", "jobs", "job_items", "alembic_version"),
}


@pytest.fixture
def url(tmp_path: Path) -> URL:
    return parse_url(f"sqlite:///{tmp_path}/a folder with 100%/keys.db")


def tables(url: URL) -> set[str]:
    engine = make_engine(url)
    with engine.connect() as connection:
        found = set(inspect(connection).get_table_names())
    engine.dispose()
    return found


def test_the_folder_of_migrations_exists() -> None:
    assert sorted(path.name for path in (MIGRATIONS / "versions").glob("0*.py"))[0].startswith("0001")


def test_upgrade_and_downgrade_stop_at_the_revision(url: URL) -> None:
    upgrade(url, "0001")
    assert tables(url) == {"api_keys", "alembic_version"}
    upgrade(url, "head")
    assert tables(url) == ALL
    downgrade(url, "base")
    assert tables(url) == {"alembic_version"}


def test_first_tables_and_an_upgrade_are_logged_once(url: URL) -> None:
    with capture_logs() as logs:
        upgrade_unless_newer(url)
        upgrade_unless_newer(url)
        downgrade(url, "0001")
        upgrade_unless_newer(url)
    assert [line["event"] for line in logs] == ["database tables created", "database upgraded"]
    assert logs[1]["was"] == "0001"


def test_tables_of_a_newer_version_are_left_alone(url: URL) -> None:
    upgrade_unless_newer(url)
    engine = make_engine(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with capture_logs() as logs:
        upgrade_unless_newer(url)
    assert [(line["event"], line["revision"]) for line in logs] == [("the database is of a newer version", "9999")]
    assert tables(url) == ALL
