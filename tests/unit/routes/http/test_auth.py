"""Whose key a request carries: what holds for scopes whatever the settings are."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from flask import Flask

from routes.http.auth import identify
from routes.http.context import EXTENSION
from services.api_keys.key_cache import KeyCache
from services.api_keys.keys import ADMIN, JOBS, REMOVE, create_key
from services.errors import Forbidden, MissingKey
from services.persistence.database import Database


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/keys.db")
    yield database
    database.close()


def app(database: Database, *, auth_required: bool) -> Flask:
    made = Flask(__name__)
    keys = KeyCache(database)
    settings = SimpleNamespace(auth_required=auth_required)
    made.extensions[EXTENSION] = SimpleNamespace(settings=settings, keys=keys, accounts=None)
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
