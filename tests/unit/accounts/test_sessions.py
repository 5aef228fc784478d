"""Sessions: whose they are, how they end, and what holds while the database is lost."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update
from structlog.testing import capture_logs

from services.accounts.errors import BadToken, TokenReused
from services.accounts.sessions import FRESH_SECONDS, STALE_SECONDS, Sessions, Tokens
from services.accounts.sign_ins import REPEATABLE_FOR, SignIn
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
    tokens = sessions.tokens(user)
    assert sessions.user("access", tokens.access)
    assert sessions.user("access", sessions.cookie(user)) is None
    assert sessions.user("access", tokens.refresh) is None
    assert sessions.caller("session", "") is None
    assert sessions.is_ours(tokens.access)
    assert not sessions.is_ours(tokens.refresh)
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


def moved_back(database: Database, by: timedelta) -> None:
    """Let the last exchange of every sign-in have been earlier."""
    with database.session() as session:
        for sign_in in session.scalars(select(SignIn)):
            sign_in.exchanged_at -= by


def test_refresh_token_gives_the_next_tokens(sessions: Sessions, user: User, database: Database) -> None:
    first = sessions.tokens(user)
    second = sessions.refreshed(first.refresh)
    third = sessions.refreshed(second.refresh)
    assert len({first.refresh, second.refresh, third.refresh}) == 3
    found = sessions.user("access", third.access)
    assert found
    assert found.id == user.id
    for wrong in (third.access, sessions.cookie(user), "none", third.refresh[:-2]):
        with pytest.raises(BadToken):
            sessions.refreshed(wrong)
    ended(database, user.id)
    with pytest.raises(BadToken):
        sessions.refreshed(third.refresh)


def test_repeated_request_gets_the_same_tokens_for_a_minute(sessions: Sessions, user: User, database: Database) -> None:
    token = sessions.tokens(user).refresh
    next_number = number_of(sessions.refreshed(token))
    moved_back(database, REPEATABLE_FOR - timedelta(seconds=5))
    assert number_of(sessions.refreshed(token)) == next_number == 1


@pytest.mark.parametrize("copy", ["late", "older"])
def test_token_that_is_used_again_ends_its_sign_in_and_no_other(
    sessions: Sessions, clock: Clock, user: User, database: Database, copy: str
) -> None:
    stolen, other, cookie = sessions.tokens(user), sessions.tokens(user), sessions.cookie(user)
    newest = sessions.refreshed(stolen.refresh)
    if copy == "late":
        moved_back(database, REPEATABLE_FOR)
    else:
        newest = sessions.refreshed(newest.refresh)
    assert sessions.user("access", newest.access)
    with capture_logs() as logs, pytest.raises(TokenReused):
        sessions.refreshed(stolen.refresh)
    assert [(line["event"], line["log_level"], line["user"]) for line in logs] == [
        ("refresh token used again", "warning", user.id)
    ]
    assert stolen.refresh not in str(logs)
    # In this process at once, in others within a second.
    assert sessions.user("access", newest.access) is None
    for token in (newest.refresh, stolen.refresh):
        with pytest.raises(BadToken):
            sessions.refreshed(token)
    clock.now += FRESH_SECONDS + 0.1
    assert sessions.user("session", cookie)
    assert sessions.user("access", other.access)
    assert sessions.refreshed(other.refresh)


def test_access_token_ends_with_its_sign_in_within_a_second(
    sessions: Sessions, clock: Clock, user: User, database: Database
) -> None:
    tokens, elsewhere = sessions.tokens(user), Sessions(database, SignedTokens("a secret of this test"), clock)
    assert elsewhere.user("access", tokens.access)
    for _ in range(2):
        tokens = sessions.refreshed(tokens.refresh)
    with database.session() as session:
        session.execute(delete(SignIn))
    clock.now += FRESH_SECONDS + 0.1
    assert elsewhere.user("access", tokens.access) is None


def test_token_that_a_restored_database_has_not_counted_is_not_a_copy(
    sessions: Sessions, user: User, database: Database
) -> None:
    token = sessions.refreshed(sessions.tokens(user).refresh).refresh
    with database.session() as session:
        session.execute(update(SignIn).values(number=0))
    with pytest.raises(BadToken):
        sessions.refreshed(token)
    with database.session() as session:
        assert session.scalar(select(SignIn.number)) == 0


def test_sign_in_that_a_new_password_overtakes_gets_no_tokens(
    sessions: Sessions, user: User, database: Database
) -> None:
    ended(database, user.id)
    with pytest.raises(BadToken):
        sessions.tokens(user)
    current = find_user(database, user.id)
    assert current
    assert sessions.refreshed(sessions.tokens(current).refresh)
    delete_user(database, user.id)
    with pytest.raises(BadToken):
        sessions.tokens(current)


def number_of(tokens: Tokens) -> int:
    claims = SignedTokens("a secret of this test").read("refresh", tokens.refresh)
    assert claims
    return int(claims["number"])
