"""Users of a provider: bound by a verified address once, then by the subject alone."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from services.accounts.bound_users import user_of
from services.accounts.errors import ProviderRefused, RegistrationClosed, SignInFailed
from services.accounts.invited_users import invite
from services.accounts.oidc import Person
from services.accounts.users import disable_user, list_users
from services.persistence.database import Database
from tests.support.accounts import make_user

ISSUER = "https://id.example"
ANN = Person(ISSUER, "7", "Ann@x.y", "Ann Lee")


def test_new_person_gets_an_account_only_where_registration_is_open(database: Database) -> None:
    with pytest.raises(RegistrationClosed):
        user_of(database, ANN, registration="closed")
    user = user_of(database, ANN, registration="open")
    assert (user.email, user.name, user.password_hash) == ("ann@x.y", "Ann Lee", None)
    # Known by the subject from then on, whatever the address is.
    again = user_of(database, Person(ISSUER, "7", "", ""), registration="closed")
    assert again.id == user.id
    assert len(list_users(database)) == 1


def test_account_of_the_verified_address_is_bound_and_its_password_ends(database: Database) -> None:
    made = make_user(database, "ann@x.y", role="admin")
    user = user_of(database, ANN, registration="closed")
    assert (user.id, user.subject, user.password_hash, user.epoch) == (made.id, "7", None, 1)
    with pytest.raises(ProviderRefused, match="another person"):
        user_of(database, Person(ISSUER, "8", "ann@x.y", ""), registration="open")


def test_person_without_a_verified_address_is_refused(database: Database) -> None:
    make_user(database, "ann@x.y")
    for email in ("", "no address"):
        with pytest.raises(ProviderRefused, match="verified"):
            user_of(database, Person(ISSUER, "7", email, ""), registration="open")


def test_disabled_person_is_refused(database: Database) -> None:
    user = user_of(database, ANN, registration="open")
    disable_user(database, user.id)
    with pytest.raises(SignInFailed):
        user_of(database, ANN, registration="open")


def test_name_that_can_not_be_shown_is_left_out(database: Database) -> None:
    assert user_of(database, Person(ISSUER, "7", "a@x.y", "a\x00b"), registration="open").name == ""


def test_invited_person_gets_an_account_of_the_role_once(database: Database) -> None:
    invite(database, "ann@x.y", role="admin")
    with pytest.raises(RegistrationClosed):
        user_of(database, ANN, registration="closed")
    assert user_of(database, ANN, registration="invited").role == "admin"
    with pytest.raises(RegistrationClosed):
        user_of(database, Person(ISSUER, "8", "other@x.y", ""), registration="invited")


def test_disabled_account_is_not_bound(database: Database) -> None:
    made = make_user(database, "ann@x.y")
    disable_user(database, made.id)
    with pytest.raises(SignInFailed):
        user_of(database, ANN, registration="open")
    assert [(user.subject, user.password_hash) for user in list_users(database)] == [(None, made.password_hash)]


def test_two_first_sign_ins_at_the_same_time_make_one_user(database: Database) -> None:
    for number in range(5):
        person = Person(ISSUER, f"{number}", f"{number}@x.y", "")

        def found(_: int, person: Person = person) -> str:
            return user_of(database, person, registration="open").id

        with ThreadPoolExecutor(3) as pool:
            assert len(set(pool.map(found, range(3)))) == 1
