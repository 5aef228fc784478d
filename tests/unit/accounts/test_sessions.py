"""Sessions: whose they are, how they end, and what holds while the database is lost."""

from collections.abc import Callable

import pytest

from services.accounts.errors import BadToken
from services.accounts.sessions import FRESH_SECONDS, STALE_SECONDS, Sessions
from services.accounts.signed import SignedTokens
from services.accounts.users import User, add_user, delete_user, disable_user, end_sessions, find_user, new_user
from services.errors import DatabaseUnavailable
from services.persistence.database import Database


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(database: Database, clock: Clock) -> Sessions:
    return Sessions(database, SignedTokens("a secret of this test"), clock)


@pytest.fixture
def user(database: Database) -> User:
    user = new_user("a@x.y", confirmed=True)
    add_user(database, user)
    return user


def ended(database: Database, user_id: str) -> User:
    with database.session() as session:
        end_sessions(session, user_id)
    found = find_user(database, user_id)
    assert found
    return found


def test_session_and_access_token_identify_the_user(sessions: Sessions, user: User) -> None:
    caller = sessions.caller("session", sessions.cookie(user))
    assert caller
    assert (caller.id, caller.name, caller.user_id, caller.key_id) == (user.id, "a@x.y", user.id, None)
    assert (caller.quota_name, caller.label) == (f"user:{user.id}", "users")
    assert sessions.user("access", sessions.access_token(user))
    assert sessions.user("access", sessions.cookie(user)) is None
    assert sessions.caller("session", "") is None
    assert sessions.is_ours(sessions.access_token(user))
    assert not sessions.is_ours(sessions.cookie(user))


@pytest.mark.parametrize("end", [ended, disable_user])
def test_ended_session_is_none_within_a_second(
    sessions: Sessions, clock: Clock, user: User, database: Database, end: Callable[[Database, str], object]
) -> None:
    cookie = sessions.cookie(user)
    assert sessions.user("session", cookie)
    end(database, user.id)
    clock.now += FRESH_SECONDS + 0.1
    assert sessions.user("session", cookie) is None


def test_session_after_a_change_in_another_process_counts_now(
    sessions: Sessions, user: User, database: Database
) -> None:
    assert sessions.user("session", sessions.cookie(user))
    changed = ended(database, user.id)
    assert sessions.user("session", sessions.cookie(changed))
    assert sessions.user("session", sessions.cookie(user)) is None


def test_own_change_counts_now(sessions: Sessions, user: User, database: Database) -> None:
    cookie = sessions.cookie(user)
    assert sessions.user("session", cookie)
    ended(database, user.id)
    sessions.forget(user.id)
    assert sessions.user("session", cookie) is None


def test_known_user_stays_signed_in_while_the_database_is_lost(
    sessions: Sessions, clock: Clock, user: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    cookie = sessions.cookie(user)
    assert sessions.user("session", cookie)

    def lost(*_: object) -> None:
        raise DatabaseUnavailable

    monkeypatch.setattr("services.accounts.sessions.find_user", lost)
    clock.now += STALE_SECONDS - 1
    assert sessions.user("session", cookie)
    clock.now += 2
    with pytest.raises(DatabaseUnavailable):
        sessions.user("session", cookie)


def test_refresh_token_gives_the_user_once(sessions: Sessions, user: User, database: Database) -> None:
    token = sessions.refresh_token(user)
    found = sessions.refreshed(token)
    assert found
    assert found.id == user.id
    assert sessions.refreshed(token) is None
    token = sessions.refresh_token(user)
    ended(database, user.id)
    assert sessions.refreshed(token) is None


def test_sign_in_that_a_new_password_overtakes_gets_no_refresh_token(
    sessions: Sessions, user: User, database: Database
) -> None:
    ended(database, user.id)
    with pytest.raises(BadToken):
        sessions.refresh_token(user)
    current = find_user(database, user.id)
    assert current
    assert sessions.refreshed(sessions.refresh_token(current))
    delete_user(database, user.id)
    with pytest.raises(BadToken):
        sessions.refresh_token(current)
