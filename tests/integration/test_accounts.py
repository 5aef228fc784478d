"""Accounts on SQLite and PostgreSQL: what concurrent requests may not do."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from types import NoneType

import pytest
from sqlalchemy import text

from services.accounts.errors import BadToken, NotSignedIn, TokenReused, TooManyKeys
from services.accounts.invited_users import invite, invited_email, open_invitations
from services.accounts.one_time import issue, use
from services.accounts.own_keys import MAX_KEYS, create_own_key
from services.accounts.sessions import Sessions
from services.accounts.signed import SignedTokens
from services.accounts.users import add_user, disable_user, emails_of, find_by_email, list_users, new_user
from services.api_keys.keys import create_key, list_keys, names_of
from services.persistence.database import Database
from tests.support.accounts import PASSWORD, make_accounts, make_user
from tests.support.gunicorn import SECRET_KEY


def test_account_lives_from_registration_to_reset(database: Database) -> None:
    accounts = make_accounts(database, registration="open")
    accounts.register("Ann@x.y", PASSWORD)
    accounts.register("ann@x.y", "another password")
    user = accounts.sign_in("ann@x.y", PASSWORD)
    cookie = accounts.sessions.cookie(user)
    assert accounts.sessions.user("session", cookie)
    with database.session() as session:
        token = issue(session, user.id, "reset")
    assert accounts.reset(token, "another password").epoch == 1
    assert accounts.sessions.user("session", cookie) is None
    with pytest.raises(BadToken):
        accounts.reset(token, "a third password")


def test_requests_with_the_same_refresh_token_get_the_same_next_one(database: Database) -> None:
    accounts, user = make_accounts(database), make_user(database, "a@x.y")
    signed = SignedTokens(SECRET_KEY)
    tokens = accounts.sessions.tokens(user)
    for number in range(1, 6):
        with ThreadPoolExecutor(4) as pool:
            found = list(pool.map(accounts.sessions.refreshed, [tokens.refresh] * 4))
        assert {(signed.read("refresh", one.refresh) or {})["number"] for one in found} == {number}
        tokens = found[0]


def test_copy_of_a_refresh_token_ends_the_sign_in_whichever_request_comes_first(database: Database) -> None:
    accounts, user = make_accounts(database), make_user(database, "a@x.y")
    for _ in range(5):
        first = accounts.sessions.tokens(user)
        newest = accounts.sessions.refreshed(accounts.sessions.refreshed(first.refresh).refresh)
        with ThreadPoolExecutor(4) as pool:
            tries = [pool.submit(accounts.sessions.refreshed, one.refresh) for one in (first, newest, first, newest)]
            failures = [one.exception() for one in tries]
        assert TokenReused in {type(failures[0]), type(failures[2])}
        assert {type(failure) for failure in failures} <= {NoneType, TokenReused, BadToken}
        for token in (newest.refresh, *(one.result().refresh for one in tries if not one.exception())):
            with pytest.raises(BadToken):
                accounts.sessions.refreshed(token)


def test_new_password_ends_the_sign_ins_that_are_exchanged_meanwhile(database: Database) -> None:
    accounts, user = make_accounts(database), make_user(database, "a@x.y")
    tokens = accounts.sessions.tokens(user)
    with ThreadPoolExecutor(4) as pool:
        tries = [pool.submit(accounts.sessions.refreshed, tokens.refresh) for _ in range(3)]
        pool.submit(accounts.sign_out_everywhere, user.id).result()
        left = [tokens, *(one.result() for one in tries if not one.exception())]
    for one in left:
        with pytest.raises(BadToken):
            accounts.sessions.refreshed(one.refresh)
        assert Sessions(database, SignedTokens(SECRET_KEY)).user("access", one.access) is None


def test_refresh_tokens_that_belong_to_no_sign_in_end_with_the_migration(database: Database) -> None:
    user = make_user(database, "a@x.y")
    with database.session() as session:
        reset = issue(session, user.id, "reset")
    database.downgrade("0007")
    with database.session() as session:
        session.execute(text("UPDATE one_time_tokens SET hash = 'old', purpose = 'refresh'"))
        issue(session, user.id, "confirm")
    database.upgrade()
    with database.session() as session:
        assert session.execute(text("SELECT purpose FROM one_time_tokens")).scalars().all() == ["confirm"]
        assert use(session, reset, "reset") is None
    make_accounts(database).sessions.tokens(user)


def test_one_of_two_registrations_of_an_address_makes_the_account(database: Database) -> None:
    database.ping()
    with ThreadPoolExecutor(4) as pool:
        added = list(pool.map(lambda _: add_user(database, new_user("a@x.y")), range(4)))
    assert sorted(added) == [False, False, False, True]
    assert len(list_users(database)) == 1


def test_key_made_while_its_user_is_disabled_is_disabled_or_not_made(database: Database) -> None:
    user = make_user(database, "a@x.y")

    def create(number: int) -> None:
        create_own_key(database, user.id, name=f"k{number}", scopes=("remove",))

    with ThreadPoolExecutor(4) as pool:
        made = [pool.submit(create, number) for number in range(4)]
        pool.submit(disable_user, database, user.id).result()
        failures = [one.exception() for one in made]
    assert {type(failure) for failure in failures} <= {NoneType, NotSignedIn}
    assert all(key.disabled for key in list_keys(database, user.id))
    found = find_by_email(database, "a@x.y")
    assert found
    assert found.disabled_at


def test_number_of_keys_holds_for_concurrent_requests(database: Database) -> None:
    user = make_user(database, "a@x.y")
    for number in range(MAX_KEYS - 1):
        create_own_key(database, user.id, name=f"k{number}", scopes=("remove",))

    def create(number: int) -> bool:
        try:
            create_own_key(database, user.id, name=f"more{number}", scopes=("remove",))
        except TooManyKeys:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        assert sum(pool.map(create, range(4))) == 1


def test_names_of_users_and_keys_are_found_by_their_ids(database: Database) -> None:
    users = {make_user(database, f"{number}@x.y").id: f"{number}@x.y" for number in range(3)}
    keys = {create_key(database, name=f"k{number}")[1].id: f"k{number}" for number in range(3)}
    assert emails_of(database, [*users, *keys, "nobody"]) == users
    assert names_of(database, [*users, *keys, "nobody"]) == keys


def test_address_that_is_invited_by_several_at_the_same_moment_has_one_invitation(database: Database) -> None:
    database.ping()
    with ThreadPoolExecutor(8) as pool:
        for number in range(10):
            start = Barrier(8)

            def invite_together(_: int, start: Barrier = start, email: str = f"{number}@x.y") -> str:
                start.wait(30)
                return invite(database, email)[0]

            tokens = list(pool.map(invite_together, range(8)))
            assert len(open_invitations(database)) == number + 1
            assert sum(_is_valid(database, token) for token in tokens) == 1


def test_newest_of_an_address_s_invitations_is_kept_by_the_upgrade(database: Database) -> None:
    database.ping()
    database.downgrade("0008")
    add = text("INSERT INTO invitations VALUES (:id, 'h', :email, 'user', NULL, :created, '2099-01-01 00:00:00')")
    rows = [("old", "a@x.y", 1), ("new", "a@x.y", 3), ("mid", "a@x.y", 2), ("one", "b@x.y", 1), ("two", "b@x.y", 1)]
    for name, email, day in rows:
        with database.session() as session:
            created = f"2026-01-0{day} 00:00:00.000000"
            session.execute(add, {"id": name, "email": email, "created": created})
    database.upgrade()
    assert {(one.email, one.id) for one in open_invitations(database)} == {("a@x.y", "new"), ("b@x.y", "two")}
    database.downgrade("0008")
    database.upgrade()


def _is_valid(database: Database, token: str) -> bool:
    try:
        return bool(invited_email(database, token))
    except BadToken:
        return False
