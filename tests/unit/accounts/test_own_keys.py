"""API keys of users: what they may do, how many there are, and whose they are."""

import pytest
from structlog.testing import capture_logs

from services.accounts.errors import NotSignedIn, TooManyKeys
from services.accounts.own_keys import MAX_KEYS, MAX_REVOKED, create_own_key, revoke_own_key
from services.accounts.users import add_user, disable_user, new_user
from services.api_keys.errors import KeyNameTaken
from services.api_keys.keys import create_key, find_key, list_keys, revoke_key
from services.persistence.database import Database


def made_user(database: Database, email: str) -> str:
    user = new_user(email, confirmed=True)
    user_id = user.id
    add_user(database, user)
    return user_id


def test_key_belongs_to_its_user(database: Database) -> None:
    ann, bob = made_user(database, "a@x.y"), made_user(database, "b@x.y")
    with capture_logs() as logs:
        text, key = create_own_key(database, ann, name="web", scopes=("remove",))
        assert revoke_own_key(database, bob, key.id) is None
        assert revoke_own_key(database, ann, key.id)
        assert revoke_own_key(database, ann, key.id) is None
    assert [(line["event"], line["user"]) for line in logs] == [("key created", ann), ("key revoked", ann)]
    assert text.rpartition("_")[2] not in str(logs)
    assert [len(list_keys(database, user)) for user in (ann, bob)] == [1, 0]


def test_names_are_each_users_own(database: Database) -> None:
    ann, bob = made_user(database, "a@x.y"), made_user(database, "b@x.y")
    _, first = create_own_key(database, ann, name="web", scopes=("remove",))
    create_own_key(database, bob, name="web", scopes=("remove",))
    with pytest.raises(KeyNameTaken):
        create_own_key(database, ann, name="web", scopes=("jobs",))
    # By its name the operator means the operator's.
    _, own = create_key(database, name="web")
    revoked = revoke_key(database, "web")
    assert revoked
    assert revoked.id == own.id
    assert revoke_key(database, "web") is None
    still = find_key(database, first.id)
    assert still
    assert still.problem() == ""
    assert revoke_key(database, first.id)


def test_key_may_not_administer(database: Database) -> None:
    with pytest.raises(ValueError, match="remove, jobs"):
        create_own_key(database, made_user(database, "a@x.y"), name="web", scopes=("remove", "admin"))


def test_number_of_keys_is_bounded(database: Database) -> None:
    ann = made_user(database, "a@x.y")
    for number in range(MAX_KEYS):
        create_own_key(database, ann, name=f"k{number}", scopes=("remove",))
    with pytest.raises(TooManyKeys):
        create_own_key(database, ann, name="more", scopes=("remove",))


def test_disabled_user_gets_no_key(database: Database) -> None:
    ann = made_user(database, "a@x.y")
    disable_user(database, ann)
    with pytest.raises(NotSignedIn):
        create_own_key(database, ann, name="web", scopes=("remove",))
    assert list_keys(database) == []


def test_number_of_revoked_keys_is_bounded_and_the_newest_stay(database: Database) -> None:
    ann, bob = made_user(database, "a@x.y"), made_user(database, "b@x.y")
    _, others = create_own_key(database, bob, name="web", scopes=("remove",))
    revoke_own_key(database, bob, others.id)
    for _ in range(MAX_REVOKED + 3):
        _, key = create_own_key(database, ann, name="web", scopes=("remove",))
        revoke_own_key(database, ann, key.id)
    _, live = create_own_key(database, ann, name="web", scopes=("remove",))
    found = list_keys(database, ann)
    assert len(found) == MAX_REVOKED + 1
    assert {key.id for key in found} >= {live.id, key.id}
    assert len(list_keys(database, bob)) == 1
