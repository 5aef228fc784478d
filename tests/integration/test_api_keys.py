"""API keys on SQLite and PostgreSQL: storage, revocation, usage, and the migrations of their tables."""

import hmac
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta, timezone
from pathlib import Path
from threading import Barrier
from typing import Literal

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from services.api_keys.errors import KeyNameTaken
from services.api_keys.keys import (
    SCOPES,
    ApiKey,
    add_uses,
    create_key,
    find_key,
    key_id_of,
    list_keys,
    new_key,
    revoke_key,
    set_limits,
)
from services.api_keys.limits import Limits, parse_limit
from services.api_keys.usage import Counts, Slot, charged_since, usage_of, usage_of_all, write_usage
from services.errors import DatabaseUnavailable
from services.persistence.database import Base, Database
from tests.support.servers.postgres import Postgres
from tests.support.waiting import ROOT

TABLES = {
    *("api_keys", "users", "one_time_tokens", "sign_ins", "invitations"),
    *("daily_usage", "jobs", "job_items", "alembic_version"),
}


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    database = Database(database_url)
    yield database
    database.close()


def stored(database: Database, key_id: str) -> ApiKey:
    found = find_key(database, key_id)
    assert found
    return found


def test_only_the_hash_of_a_key_is_stored(database: Database) -> None:
    texts = [create_key(database, name=f"key-{number}")[0] for number in range(20)]
    secrets = {text.rpartition("_")[2] for text in texts}
    assert len(secrets) == 20
    assert all(re.fullmatch(r"bgr_[0-9a-f]{12}_[0-9a-f]{40}", text) for text in texts)  # 160 random bits
    with database.session() as session:
        kept = str(session.execute(text("SELECT * FROM api_keys")).all())
    if database.file:
        kept += "".join(path.read_bytes().decode("latin-1") for path in database.file.parent.iterdir())
    assert not [secret for secret in secrets if secret in kept]


def test_a_created_key_is_stored_with_its_values(database: Database) -> None:
    end = datetime(2999, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    made_text, made = create_key(
        database, name="shop", owner="Ann", scopes=("jobs", "remove"), rate_limit="1000 per hour", expires_at=end
    )
    (key,) = list_keys(database)
    assert (key.id, key.name, key.owner, key.scopes) == (made.id, "shop", "Ann", ["remove", "jobs"])
    assert (key.rate_limit, key.uses, key.last_used_at, key.revoked_at) == ("1000/hour", 0, None, None)
    assert key.expires_at == datetime(2999, 1, 1, tzinfo=UTC)
    assert key.created_at.tzinfo is UTC
    assert key.id == key_id_of(made_text)
    assert key.problem() == ""
    assert key.problem(datetime(2999, 1, 1, tzinfo=UTC)) == "expired"


def test_a_key_is_compared_in_constant_time(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    text, _ = create_key(database, name="shop")
    compared: list[int] = []

    def spy(first: str, second: str) -> bool:
        compared.append(len(first))
        return compare(first, second)

    compare = hmac.compare_digest
    monkeypatch.setattr(hmac, "compare_digest", spy)
    (key,) = list_keys(database)
    assert key.matches(text)
    assert not key.matches(text[:-1] + ("0" if text[-1] != "0" else "1"))
    assert not key.matches("é")
    assert compared == [64, 64, 64]


def test_a_key_is_revoked_by_id_or_name_and_its_name_is_free_again(database: Database) -> None:
    _, first = create_key(database, name="shop")
    with pytest.raises(KeyNameTaken, match="already"):
        create_key(database, name="shop")
    revoked = revoke_key(database, "shop")
    assert revoked
    assert revoked.id == first.id
    assert stored(database, first.id).problem() == "revoked"
    assert revoke_key(database, "shop") is None
    _, second = create_key(database, name="shop")
    assert revoke_key(database, first.id) is None
    assert revoke_key(database, second.id)
    assert [key.problem() for key in list_keys(database)] == ["revoked", "revoked"]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"name": ""}, "the name is ''"),
        ({"name": "a\nb"}, "the name is"),
        ({"owner": "x" * 201}, "200"),
        ({"scopes": ("remove", "all")}, ", ".join(SCOPES)),
        ({"scopes": ()}, ", ".join(SCOPES)),
        ({"rate_limit": "many"}, "1000/hour"),
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "2020-01-01"),
    ],
)
def test_an_invalid_value_of_a_key_is_explained(tmp_path: Path, wrong: dict[str, object], message: str) -> None:
    database = Database(f"sqlite:///{tmp_path}/keys.db")
    with pytest.raises(ValueError, match=re.escape(message)):
        create_key(database, **({"name": "shop"} | wrong))  # type: ignore[arg-type]
    assert not database.exists()


@pytest.mark.parametrize(
    ("text", "limit"),
    [("1000/hour", "1000/hour"), ("5 per Minute", "5/minute"), ("1/seconds", "1/second"), (" 7 / day ", "7/day")],
)
def test_a_quota_is_normalized(text: str, limit: str) -> None:
    assert parse_limit(text) == limit


@pytest.mark.parametrize("text", ["0/hour", "-1/hour", "1000", "1000/week", "1/hour;2/day", "1/2 hours", "1e3/hour"])
def test_an_invalid_quota_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="1000/hour"):
        parse_limit(text)


def test_uses_add_up_and_the_latest_time_is_kept(database: Database) -> None:
    keys = [create_key(database, name=f"key-{number}")[1].id for number in range(5)]
    start = datetime(2030, 1, 1, tzinfo=UTC)

    def add(number: int) -> None:
        at = start + timedelta(seconds=number)
        add_uses(database, dict.fromkeys(keys if number % 2 else reversed(keys), (2, at)))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    assert {(key.uses, key.last_used_at) for key in list_keys(database)} == {(40, start + timedelta(seconds=19))}


def test_limits_are_set_and_taken_away(database: Database) -> None:
    _, key = create_key(database, name="shop", rate_limit="5/hour")
    assert set_limits(database, "shop", {"monthly_quota": 7})
    assert (stored(database, key.id).rate_limit, stored(database, key.id).monthly_quota) == ("5/hour", 7)
    assert set_limits(database, key.id, {"rate_limit": None})
    assert (stored(database, key.id).rate_limit, stored(database, key.id).monthly_quota) == (None, 7)
    assert set_limits(database, "nobody", {"monthly_quota": 1}) is None
    with pytest.raises(ValueError, match="1000/hour"):
        set_limits(database, "shop", {"rate_limit": "many"})


def test_usage_of_all_has_every_caller_and_no_earlier_day(database: Database) -> None:
    day = date(2030, 5, 6)
    slots = [Slot(caller, day + timedelta(days=n), "/matte") for caller in ("a", "b") for n in (-1, 0, 1)]
    for _ in range(2):
        write_usage(database, {slot: Counts(images=1, megapixels=0.5) for slot in slots})
    found = usage_of_all(database, day)
    assert list(found) == sorted((slot for slot in slots if slot.day >= day), key=lambda slot: (slot.day, slot.caller))
    assert set(found.values()) == {Counts(images=2, megapixels=1.0)}


def test_older_version_does_not_take_users_keys_for_the_operators(database: Database) -> None:
    with database.session() as session:
        for name, user_id in (("web", "u0123456789a"), ("web", None), ("web", "ub9876543210")):
            session.add(new_key(name=name, user_id=user_id)[1])
    database.downgrade("0005")
    with database.session() as session:
        assert session.execute(text("SELECT count(*) FROM api_keys")).scalar() == 1
    database.upgrade()


def tables(database: Database) -> set[str]:
    with database.session() as session:
        return set(inspect(session.connection()).get_table_names())


def test_migrations_create_and_drop_the_tables_of_the_code(database: Database) -> None:
    database.upgrade()
    for _ in range(2):
        with database.session() as session:
            context = MigrationContext.configure(session.connection())
            assert compare_metadata(context, Base.metadata) == []
        assert tables(database) == TABLES
        database.downgrade("base")
        assert tables(database) == {"alembic_version"}
        database.upgrade()


def test_a_failed_migration_leaves_no_table(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    from alembic.operations import Operations

    def fail(*_: object, **__: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(Operations, "create_index", fail)
    with pytest.raises(DatabaseUnavailable):
        database.upgrade()
    monkeypatch.undo()
    again = Database(str(database._url.render_as_string(hide_password=False)))
    # The first attempt left no table behind.
    assert tables(again) == TABLES
    again.close()


def test_concurrent_processes_create_the_tables_once(database_url: str) -> None:
    script = (
        "import sys; from services.persistence.database import Database; from services.api_keys.keys import create_key;"
        "create_key(Database(sys.argv[1]), name=sys.argv[2])"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", script, database_url, f"key-{n}"], cwd=ROOT, stderr=subprocess.PIPE)
        for n in range(4)
    ]
    errors = [process.communicate(timeout=120)[1].decode() for process in started]
    assert [process.returncode for process in started] == [0] * 4, errors
    database = Database(database_url)
    assert len(list_keys(database)) == 4
    database.close()


def test_tables_of_a_newer_version_are_used_unchanged(database: Database, database_url: str) -> None:
    create_key(database, name="shop")
    with database.session() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    older = Database(database_url)
    assert [key.name for key in list_keys(older)] == ["shop"]
    older.close()


def test_a_dead_idle_connection_is_replaced(postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    url = postgres.new_database()
    used, other = Database(url), Database(url)
    monkeypatch.setattr("services.persistence.engine.IDLE_SECONDS", 0)
    with used.session() as session:
        idle = session.execute(text("SELECT pg_backend_pid()")).scalar()
    with other.session() as session:
        assert session.execute(text("SELECT pg_terminate_backend(:pid, 5000)"), {"pid": idle}).scalar()
    used.ping()
    used.close()
    other.close()


def test_usage_of_concurrent_processes_adds_up(database: Database) -> None:
    slots = [Slot("a" * 12, date(2026, 2, day), "/remove-bg") for day in range(1, 6)]
    one = Counts(requests=1, images=1, charged=1, megapixels=0.25, bytes_in=7)

    def add(number: int) -> None:
        write_usage(database, dict.fromkeys(slots if number % 2 else reversed(slots), one))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(20)))
    assert set(usage_of(database, ["a" * 12], date(2026, 1, 1)).values()) == {Counts(20, 20, 20, 0, 5.0, 140)}
    assert charged_since(database, "a" * 12, date(2026, 2, 5)) == 20


def test_two_administrators_change_a_key_at_the_same_time_and_neither_loses(database_url: str) -> None:
    first, second = Database(database_url), Database(database_url)
    _, key = create_key(first, name="shared")
    both, rounds = Barrier(2), 40

    def change(database: Database, name: Literal["rate_limit", "monthly_quota"]) -> None:
        for number in range(1, rounds + 1):
            both.wait(30)
            limits: Limits = {"rate_limit": f"{number}/hour"} if name == "rate_limit" else {"monthly_quota": number}
            assert set_limits(database, key.id, limits)
            both.wait(30)
            found = stored(database, key.id)
            assert (found.rate_limit, found.monthly_quota) == (f"{number}/hour", number)

    with ThreadPoolExecutor(2) as pool:
        done = [pool.submit(change, first, "rate_limit"), pool.submit(change, second, "monthly_quota")]
        for one in done:
            one.result()
    first.close()
    second.close()


def test_one_of_two_administrators_revokes_a_key(database: Database) -> None:
    for number in range(10):
        name = create_key(database, name=f"k{number}")[1].name

        def revoked(_: int, name: str = name) -> bool:
            return revoke_key(database, name) is not None

        with ThreadPoolExecutor(4) as pool:
            assert sum(pool.map(revoked, range(4))) == 1
