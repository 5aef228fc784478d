"""Whose key a request carries: what holds for scopes whatever the settings are."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask

from routes.http.auth import SESSION_COOKIE, caller_if_known, identify
from routes.http.context import EXTENSION
from services.accounts.sessions import Sessions
from services.accounts.signed import SignedTokens
from services.api_keys.key_cache import KeyCache
from services.api_keys.keys import ADMIN, JOBS, REMOVE, create_key
from services.errors import BadKey, DatabaseUnavailable, Forbidden, MissingKey
from services.persistence.database import Database
from tests.support.accounts import make_user
from tests.support.waiting import free_port


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/keys.db")
    yield database
    database.close()


def app(database: Database, *, auth_required: bool, accounts: object = None, public_url: str = "") -> Flask:
    made = Flask(__name__)
    keys = KeyCache(database)
    settings = SimpleNamespace(auth_required=auth_required, public_url=public_url, trusted_proxies=0)
    made.extensions[EXTENSION] = SimpleNamespace(settings=settings, keys=keys, accounts=accounts)
    return made


def name_for(app: Flask, scope: str, key: str = "") -> str | None:
    with app.test_request_context(headers={"X-Api-Key": key} if key else {}):
        found = identify(scope)
    app.extensions[EXTENSION].keys.close()
    return found.name if found else None


def test_admin_scope_needs_a_key_where_no_key_is_required(database: Database) -> None:
    chief, _ = create_key(database, name="chief", scopes=(ADMIN,))
    shop, _ = create_key(database, name="shop", scopes=(REMOVE, JOBS))
    for required in (True, False):
        with pytest.raises(MissingKey):
            name_for(app(database, auth_required=required), ADMIN)
        with pytest.raises(Forbidden, match="this needs: admin"):
            name_for(app(database, auth_required=required), ADMIN, shop)
        assert name_for(app(database, auth_required=required), ADMIN, chief) == "chief"


def test_scope_is_checked_only_where_a_key_is_required(database: Database) -> None:
    worker, _ = create_key(database, name="worker", scopes=(JOBS,))
    with pytest.raises(Forbidden, match="the key may do: jobs; this needs: remove"):
        name_for(app(database, auth_required=True), REMOVE, worker)
    assert name_for(app(database, auth_required=True), JOBS, worker) == "worker"
    assert name_for(app(database, auth_required=False), REMOVE, worker) == "worker"
    assert name_for(app(database, auth_required=False), REMOVE) is None


@pytest.mark.parametrize("lost", ["no server", "no file"])
def test_user_who_cannot_be_looked_up_is_neither_unknown_nor_refused(
    database: Database, tmp_path: Path, lost: str
) -> None:
    signed = SignedTokens("a secret of this test")
    user, made = make_user(database, "ann@example.com"), Sessions(database, signed)
    at = f"postgresql://u@127.0.0.1:{free_port()}/d" if lost == "no server" else f"sqlite:///{tmp_path}/gone/a.db"
    away = Database(at)
    here = app(away, auth_required=False, accounts=SimpleNamespace(sessions=Sessions(away, signed)))
    ways = {"Authorization": f"Bearer {made.tokens(user).access}"}, {"Cookie": f"{SESSION_COOKIE}={made.cookie(user)}"}
    for headers in ways:
        with here.test_request_context(headers=headers):
            with pytest.raises(DatabaseUnavailable):
                identify(REMOVE)
            assert caller_if_known() is None
    # One that has expired needs no database to be refused, and others' keys are absent as ever.
    old = SignedTokens("a secret of this test", clock=lambda: 1000.0).sign("access", {"sub": user.id, "epoch": 0}, 1)
    with here.test_request_context(headers={"X-Api-Key": old}), pytest.raises(BadKey):
        identify(REMOVE)
    for text in ("of another service", f"bgr_{'0' * 12}_{'0' * 40}"):
        with here.test_request_context(headers={"X-Api-Key": text}):
            assert identify(REMOVE) is None
    assert not (tmp_path / "gone").exists()


def test_session_over_https_belongs_only_to_this_host(database: Database) -> None:
    signed = SignedTokens("a secret of this test")
    user, sessions = make_user(database, "ann@example.com"), Sessions(database, signed)
    here = app(
        database, auth_required=True, accounts=SimpleNamespace(sessions=sessions), public_url="https://cut.example"
    )
    cookie = sessions.cookie(user)

    def name(cookie_name: str, url: str) -> str | None:
        with here.test_request_context(base_url=url, headers={"Cookie": f"{cookie_name}={cookie}"}):
            found = caller_if_known()
            return found.name if found else None

    # Another host of the domain can set the one, and not the other.
    assert name(f"__Host-{SESSION_COOKIE}", "http://cut.example") == "ann@example.com"
    assert name(SESSION_COOKIE, "http://cut.example") is None
    assert name(SESSION_COOKIE, "http://127.0.0.1:5001") == "ann@example.com"
    assert name(f"__Host-{SESSION_COOKIE}", "http://127.0.0.1:5001") is None
