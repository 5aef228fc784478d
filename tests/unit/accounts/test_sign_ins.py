"""The table of sign-ins: which refresh token is the valid one, which is a repeated request, and which a copy."""

from datetime import UTC, datetime, timedelta

import pytest

from services.accounts.sign_ins import MAX_KEPT, REPEATABLE_FOR, VALID_FOR, SignIn, begin, end, exchange
from services.accounts.users import add_user, find_by_sign_in, new_user
from services.persistence.database import Database

NOW = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def user_id(database: Database) -> str:
    user = new_user("a@x.y")
    user_id = user.id
    add_user(database, user)
    return user_id


def test_each_exchange_counts_once_and_the_time_is_that_of_the_first(database: Database, user_id: str) -> None:
    with database.session() as session:
        sign_in_id = begin(session, user_id, NOW).id
    for _ in range(2):
        with database.session() as session:
            found = exchange(session, sign_in_id, 0, NOW + timedelta(seconds=1))
        assert found
        assert (found.number, found.exchanged_at) == (1, NOW + timedelta(seconds=1))
        assert not found.is_reuse(0, NOW + timedelta(seconds=2))
    with database.session() as session:
        late = exchange(session, sign_in_id, 0, NOW + REPEATABLE_FOR)
    assert late
    assert late.exchanged_at == NOW + timedelta(seconds=1)


@pytest.mark.parametrize(
    ("number", "after", "reused"),
    [
        (5, timedelta(0), False),
        (5, timedelta(days=9), False),
        (4, timedelta(0), False),
        (4, REPEATABLE_FOR, False),
        (4, REPEATABLE_FOR + timedelta(seconds=1), True),
        (3, timedelta(0), True),
        (0, timedelta(days=9), True),
    ],
)
def test_token_before_the_newest_is_a_repeated_request_for_a_minute(
    number: int, after: timedelta, reused: bool
) -> None:
    sign_in = SignIn(id="a", user_id="u", number=5, exchanged_at=NOW, expires_at=NOW + VALID_FOR)
    assert sign_in.is_reuse(number, NOW + after) == reused


def test_sign_in_ends_thirty_days_after_its_last_exchange(database: Database, user_id: str) -> None:
    with database.session() as session:
        sign_in_id = begin(session, user_id, NOW).id
        assert exchange(session, sign_in_id, 0, NOW + VALID_FOR - timedelta(seconds=1))
        assert exchange(session, sign_in_id, 1, NOW + VALID_FOR + timedelta(days=29))
        assert exchange(session, sign_in_id, 2, NOW + 3 * VALID_FOR) is None


def test_ended_sign_in_is_nobodys(database: Database, user_id: str) -> None:
    with database.session() as session:
        ended, other = begin(session, user_id).id, begin(session, user_id).id
        end(session, ended)
        assert exchange(session, ended, 0) is None
    assert find_by_sign_in(database, ended) is None
    found = find_by_sign_in(database, other)
    assert found
    assert found.id == user_id


def test_number_of_sign_ins_is_bounded_and_those_of_the_last_exchange_stay(database: Database, user_id: str) -> None:
    with database.session() as session:
        ids = [begin(session, user_id, NOW + timedelta(seconds=n)).id for n in range(MAX_KEPT)]
        exchange(session, ids[0], 0, NOW + timedelta(hours=1))
        begin(session, user_id, NOW + timedelta(hours=2))
        left = [session.get(SignIn, one) is not None for one in ids]
    assert left == [True, False] + [True] * (MAX_KEPT - 2)


def test_expired_sign_ins_of_everybody_leave_the_table(database: Database, user_id: str) -> None:
    other = new_user("b@x.y")
    add_user(database, other)
    with database.session() as session:
        old = begin(session, other.id, NOW).id
        begin(session, user_id, NOW + VALID_FOR)
        assert session.get(SignIn, old) is None
