"""API keys in SQLite: form, validity, creation, revocation. Both databases are in the integration tests."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from services.api_keys.errors import KeyNameTaken
from services.api_keys.keys import (
    ADMIN,
    JOBS,
    KEY,
    REMOVE,
    ApiKey,
    add_uses,
    create_key,
    find_key,
    key_id_of,
    list_keys,
    revoke_key,
    set_limits,
)
from services.api_keys.limits import Limits
from services.persistence.database import Database

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path}/keys.db")
    yield database
    database.close()


def test_a_new_key_matches_its_record_and_no_other_text(database: Database) -> None:
    text, key = create_key(database, name="shop")
    assert KEY.fullmatch(text)
    assert key_id_of(text) == key.id
    assert key.matches(text)
    assert not key.matches(text[:-1] + ("0" if text[-1] != "0" else "1"))
    assert text not in str(vars(key))


@pytest.mark.parametrize(
    "text", ["", "bgr_", "bgr_0123456789ab_", f"bgr_{'0' * 12}_{'g' * 40}", f"bgr_{'0' * 12}_{'0' * 40}\n"]
)
def test_a_text_without_the_form_of_a_key_has_no_id(text: str) -> None:
    assert key_id_of(text) is None


@pytest.mark.parametrize(
    ("revoked_at", "expires_at", "problem"),
    [
        (None, None, ""),
        (None, NOW + timedelta(seconds=1), ""),
        (None, NOW, "expired"),
        (NOW, NOW - timedelta(seconds=1), "revoked"),
    ],
)
def test_a_key_is_valid_until_it_is_revoked_or_expires(
    revoked_at: datetime | None, expires_at: datetime | None, problem: str
) -> None:
    assert ApiKey(revoked_at=revoked_at, expires_at=expires_at).problem(NOW) == problem


def test_scopes_are_stored_once_and_in_order(database: Database) -> None:
    _, key = create_key(database, name="shop", scopes=[ADMIN, REMOVE, JOBS, REMOVE])
    assert key.scopes == [REMOVE, JOBS, ADMIN]


def test_a_name_is_unique_among_valid_keys(database: Database) -> None:
    _, first = create_key(database, name="shop")
    with pytest.raises(KeyNameTaken, match="already exists"):
        create_key(database, name="shop")
    assert revoke_key(database, "shop")
    _, second = create_key(database, name="shop")
    assert [key.id for key in list_keys(database)] == [first.id, second.id]


def test_a_key_is_revoked_once_by_id_or_name(database: Database) -> None:
    _, by_id = create_key(database, name="one")
    _, by_name = create_key(database, name="two")
    for name, key in ((by_id.id, by_id), ("two", by_name)):
        revoked = revoke_key(database, name)
        assert revoked
        assert (revoked.id, revoked.problem()) == (key.id, "revoked")
        assert revoke_key(database, name) is None


def test_only_given_limits_change(database: Database) -> None:
    _, key = create_key(database, name="shop", rate_limit="5/hour", monthly_quota=100)
    for changed, expected in (
        (Limits(monthly_quota=0), ("5/hour", 0)),
        (Limits(rate_limit="7 per day"), ("7/day", 0)),
        (Limits(rate_limit=None, monthly_quota=None), (None, None)),
    ):
        found = set_limits(database, "shop", changed)
        assert found
        assert (found.rate_limit, found.monthly_quota) == expected
    for bad in (Limits(rate_limit="many"), Limits(monthly_quota=-1), Limits(monthly_quota=10**9 + 1)):
        with pytest.raises(ValueError, match="allowed"):
            set_limits(database, key.id, bad)
    revoke_key(database, key.id)
    assert set_limits(database, key.id, Limits(monthly_quota=1)) is None


def test_uses_are_added_and_the_latest_time_is_kept(database: Database) -> None:
    _, key = create_key(database, name="shop")
    add_uses(database, {key.id: (3, NOW), "unknown": (1, NOW)})
    add_uses(database, {key.id: (2, NOW - timedelta(hours=1))})
    found = find_key(database, key.id)
    assert found
    assert (found.uses, found.last_used_at) == (5, NOW)


def test_log_says_what_happens_to_keys_and_never_the_secret(database: Database) -> None:
    database.ping()
    with capture_logs() as logs:
        text, key = create_key(database, name="shop")
        set_limits(database, "shop", {"monthly_quota": 5})
        revoke_key(database, "shop")
    events = [(line["event"], line["key"], line["key_id"]) for line in logs]
    assert events == [(f"key {done}", "shop", key.id) for done in ("created", "changed", "revoked")]
    assert logs[1]["monthly_quota"] == 5
    assert text.rpartition("_")[2] not in str(logs)
    assert key.hash not in str(logs)
