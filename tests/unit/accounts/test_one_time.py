"""One-time tokens: hashed, for one purpose, used once, and not after their time."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from services.accounts.one_time import SECONDS, Purpose, holder, issue, use
from services.accounts.users import add_user, new_user
from services.persistence.database import Database


@pytest.fixture
def user_id(database: Database) -> str:
    user = new_user("a@x.y")
    user_id = user.id
    add_user(database, user)
    return user_id


def issued(database: Database, user_id: str, purpose: Purpose) -> str:
    with database.session() as session:
        return issue(session, user_id, purpose)


def used(database: Database, token: str, purpose: Purpose, now: datetime | None = None) -> str | None:
    with database.session() as session:
        return use(session, token, purpose, now)


def test_token_works_once_for_its_purpose(database: Database, user_id: str) -> None:
    token = issued(database, user_id, "reset")
    assert used(database, token, "confirm") is None
    with database.session() as session:
        assert holder(session, token, "reset") == user_id
    assert used(database, token, "reset") == user_id
    assert used(database, token, "reset") is None
    assert used(database, token * 100, "reset") is None


def test_reset_works_for_an_hour(database: Database, user_id: str) -> None:
    assert SECONDS["reset"] == 3600
    token = issued(database, user_id, "reset")
    late = datetime.now(UTC) + timedelta(seconds=3600)
    assert used(database, token, "reset", late) is None
    assert used(database, token, "reset", late - timedelta(seconds=5)) == user_id


def test_only_the_newest_token_for_a_purpose_is_valid(database: Database, user_id: str) -> None:
    confirm = issued(database, user_id, "confirm")
    resets = [issued(database, user_id, "reset") for _ in range(2)]
    assert [used(database, token, "reset") for token in resets] == [None, user_id]
    assert used(database, confirm, "confirm") == user_id


def test_table_has_only_hashes(database: Database, user_id: str) -> None:
    token = issued(database, user_id, "reset")
    with database.session() as session:
        stored = str(session.execute(text("SELECT * FROM one_time_tokens")).all())
    assert token not in stored
    assert user_id in stored
