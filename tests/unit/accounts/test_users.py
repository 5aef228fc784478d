"""The table of users: addresses, roles, the last administrator, and what ends with a user."""

from datetime import UTC, datetime, timedelta

import pytest

from services.accounts.errors import LastAdministrator
from services.accounts.one_time import issue, use
from services.accounts.users import (
    add_user,
    change_user,
    delete_user,
    disable_user,
    drop_unconfirmed,
    find_by_email,
    find_by_subject,
    find_user,
    list_users,
    new_user,
    normal_email,
    normal_name,
    role_of,
    set_role,
)
from services.api_keys.keys import find_key, new_key
from services.api_keys.usage import Counts, Slot, today, usage_of_all, write_usage
from services.persistence.database import Database


@pytest.mark.parametrize(
    ("text", "email"),
    [(" Ann@Example.COM ", "ann@example.com"), ("a+b@box", "a+b@box"), ("x@bücher.example", "x@xn--bcher-kva.example")],
)
def test_address_is_stored_in_one_form(text: str, email: str) -> None:
    assert normal_email(text) == email


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ann",
        "@x.y",
        "a@",
        "a b@x.y",
        "a@x.y\nBcc: b@x.y",
        "ä@x.y",
        f"{'a' * 250}@x.yz",
        "a@x..y",
        "<a@x.y>",
        "=?utf-8?q?b=40evil.example?=@x.y",
        "mi\u212ae@x.y",
        "\u0130@x.y",
    ],
)
def test_text_that_is_not_an_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not an email address"):
        normal_email(text)


def test_name_has_single_spaces_and_nothing_invisible() -> None:
    assert normal_name("  Ann \n Lee ") == "Ann Lee"
    # Persian joins the two parts of this name without a space.
    assert normal_name("علی\u200cرضا") == "علی\u200cرضا"
    for bad in ("x" * 101, "a\x00b", "a\u202eb"):
        with pytest.raises(ValueError, match="100 characters"):
            normal_name(bad)


def test_address_has_one_account(database: Database) -> None:
    first = new_user("a@x.y")
    assert add_user(database, first)
    assert not add_user(database, new_user("A@X.Y"))
    assert [user.id for user in list_users(database)] == [first.id]
    # It can't be an API key's id, which may be in the same column.
    assert first.id[0] == "u"
    assert len(first.id) == 12


def test_user_is_found_by_id_address_and_subject(database: Database) -> None:
    user = new_user("a@x.y")
    user.issuer, user.subject = "https://id.example", "7"
    add_user(database, user)
    found = [find_user(database, user.id), find_by_email(database, "a@x.y")]
    found.append(find_by_subject(database, "https://id.example", "7"))
    assert [one.id if one else None for one in found] == [user.id] * 3
    assert find_by_subject(database, "https://other.example", "7") is None
    changed = change_user(database, user.id, name="Ann")
    assert changed
    assert (changed.name, changed.epoch) == ("Ann", 0)


def test_disabled_user_loses_sessions_and_keys_and_gets_the_keys_back(database: Database) -> None:
    user = new_user("a@x.y", confirmed=True)
    add_user(database, user)
    _, key = new_key(name="web", user_id=user.id)
    with database.session() as session:
        session.add(key)
        token = issue(session, user.id, "reset")
    disable_user(database, user.id)
    stored, ended = find_key(database, key.id), find_user(database, user.id)
    assert stored
    assert ended
    assert (stored.problem(), ended.epoch) == ("disabled", 1)
    with database.session() as session:
        assert use(session, token, "reset") is None
    disable_user(database, user.id, disabled=False)
    stored = find_key(database, key.id)
    assert stored
    assert stored.problem() == ""


def test_only_administrator_stays_one(database: Database) -> None:
    chief, other = new_user("a@x.y", role="admin"), new_user("b@x.y", role="admin")
    for user in (chief, other):
        add_user(database, user)
    set_role(database, other.id, "user")
    with pytest.raises(LastAdministrator):
        set_role(database, chief.id, "user")
    with pytest.raises(LastAdministrator):
        disable_user(database, chief.id)
    with pytest.raises(LastAdministrator):
        delete_user(database, chief.id)
    assert chief.scopes == ("remove", "jobs", "admin")
    found = find_user(database, other.id)
    assert found
    assert found.scopes == ("remove", "jobs")
    with pytest.raises(ValueError, match="user, admin"):
        role_of("root")


def test_deleted_user_leaves_no_keys_tokens_and_usage(database: Database) -> None:
    user, other = new_user("a@x.y"), new_user("b@x.y")
    for one in (user, other):
        add_user(database, one)
        write_usage(database, {Slot(one.id, today(), "/matte"): Counts(images=1)})
    # A process wrote it a moment after an earlier deletion.
    write_usage(database, {Slot("u0123456789a", today(), "/matte"): Counts(images=1)})
    _, key = new_key(name="web", user_id=user.id)
    with database.session() as session:
        session.add(key)
    delete_user(database, user.id)
    assert find_key(database, key.id) is None
    assert {slot.caller for slot in usage_of_all(database, today())} == {other.id}


def test_accounts_that_were_never_confirmed_go(database: Database) -> None:
    users = {name: new_user(f"{name}@x.y") for name in ("again", "old", "fresh", "off")}
    users["old"].created_at = datetime.now(UTC) - timedelta(days=3)
    users["off"].disabled_at = datetime.now(UTC)
    users["ann"] = new_user("ann@x.y", confirmed=True)
    for user in users.values():
        add_user(database, user)
    for email in ("again@x.y", "ann@x.y", "off@x.y"):
        drop_unconfirmed(database, email)
    assert {user.email for user in list_users(database)} == {"fresh@x.y", "off@x.y", "ann@x.y"}
