"""Invited people: who may be invited, and whose account an invitation makes."""

import pytest

from services.accounts.errors import BadToken, InvitationNotFound, UserExists
from services.accounts.invited_users import add_invited, invite, invited_email, open_invitations, withdraw_invitation
from services.accounts.users import delete_user, disable_user, find_by_email, list_users, set_role
from services.persistence.database import Database
from tests.support.accounts import make_user


def test_invitation_makes_one_account_of_its_role(database: Database) -> None:
    token, record = invite(database, " Ann@X.y ", role="admin", invited_by="u1")
    assert (invited_email(database, token), record.invited_by) == ("ann@x.y", "u1")
    user = add_invited(database, token, name="Ann", password_hash="a hash")
    assert (user.email, user.role, user.name, user.password_hash) == ("ann@x.y", "admin", "Ann", "a hash")
    assert user.confirmed_at
    with pytest.raises(BadToken):
        add_invited(database, token, name="", password_hash="another")
    with pytest.raises(BadToken):
        invited_email(database, token)
    assert len(list_users(database)) == 1


def test_address_with_an_account_is_not_invited_and_keeps_its_password(database: Database) -> None:
    make_user(database, "a@x.y")
    with pytest.raises(UserExists):
        invite(database, "a@x.y")
    assert open_invitations(database) == []
    token, _ = invite(database, "b@x.y")
    make_user(database, "b@x.y")
    with pytest.raises(BadToken):
        add_invited(database, token, name="", password_hash="of a stranger")
    found = find_by_email(database, "b@x.y")
    assert found
    assert found.password_hash not in (None, "of a stranger")


def test_registration_that_nobody_confirmed_does_not_stand_in_the_way(database: Database) -> None:
    make_user(database, "a@x.y", confirmed=False)
    token, _ = invite(database, "a@x.y")
    assert add_invited(database, token, name="", password_hash="a hash").confirmed_at
    assert len(list_users(database)) == 1


def test_withdrawn_invitation_ends(database: Database) -> None:
    token, record = invite(database, "a@x.y")
    withdraw_invitation(database, record.id)
    with pytest.raises(BadToken):
        add_invited(database, token, name="", password_hash="a hash")
    with pytest.raises(InvitationNotFound):
        withdraw_invitation(database, record.id)


@pytest.mark.parametrize("end", ["disabled", "demoted", "deleted"])
def test_invitations_of_an_administrator_end_with_the_right_to_invite(database: Database, end: str) -> None:
    make_user(database, "chief@x.y", role="admin")
    other = make_user(database, "other@x.y", role="admin")
    invite(database, "a@x.y", role="admin", invited_by=other.id)
    _, kept = invite(database, "b@x.y", invited_by="a key's id")
    if end == "disabled":
        disable_user(database, other.id)
    elif end == "demoted":
        set_role(database, other.id, "user")
    else:
        delete_user(database, other.id)
    assert [one.id for one in open_invitations(database)] == [kept.id]


def test_without_an_address_there_is_no_invitation(database: Database) -> None:
    with pytest.raises(ValueError, match="not an email address"):
        invite(database, "nobody")
