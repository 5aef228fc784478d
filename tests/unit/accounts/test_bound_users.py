"""Users of a provider: bound by a verified address once, then by the subject alone."""

import pytest

from services.accounts.bound_users import user_of
from services.accounts.errors import ProviderRefused, RegistrationClosed, SignInFailed
from services.accounts.oidc import Person
from services.accounts.users import disable_user, list_users
from services.persistence.database import Database
from tests.support.accounts import make_user

ISSUER = "https://id.example"
ANN = Person(ISSUER, "7", "Ann@x.y", "Ann Lee")


def test_new_person_gets_an_account_only_where_registration_is_open(database: Database) -> None:
    with pytest.raises(RegistrationClosed):
        user_of(database, ANN, registration=False)
    user = user_of(database, ANN, registration=True)
    assert (user.email, user.name, user.password_hash) == ("ann@x.y", "Ann Lee", None)
    # Known by the subject from then on, whatever the address is.
    again = user_of(database, Person(ISSUER, "7", "", ""), registration=False)
    assert again.id == user.id
    assert len(list_users(database)) == 1


def test_account_of_the_verified_address_is_bound_and_its_password_ends(database: Database) -> None:
    made = make_user(database, "ann@x.y", role="admin")
    user = user_of(database, ANN, registration=False)
    assert (user.id, user.subject, user.password_hash, user.epoch) == (made.id, "7", None, 1)
    with pytest.raises(ProviderRefused, match="another person"):
        user_of(database, Person(ISSUER, "8", "ann@x.y", ""), registration=True)


def test_person_without_a_verified_address_is_refused(database: Database) -> None:
    make_user(database, "ann@x.y")
    for email in ("", "no address"):
        with pytest.raises(ProviderRefused, match="verified"):
            user_of(database, Person(ISSUER, "7", email, ""), registration=True)


def test_disabled_person_is_refused(database: Database) -> None:
    user = user_of(database, ANN, registration=True)
    disable_user(database, user.id)
    with pytest.raises(SignInFailed):
        user_of(database, ANN, registration=True)


def test_name_that_can_not_be_shown_is_left_out(database: Database) -> None:
    assert user_of(database, Person(ISSUER, "7", "a@x.y", "a\x00b"), registration=True).name == ""
