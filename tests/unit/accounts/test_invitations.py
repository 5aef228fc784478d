"""The table of invitations: one for each address, once, for a limited time, and no more than there may be."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from services.accounts import invitations
from services.accounts.errors import TooManyInvitations
from services.accounts.invitations import MAX_OPEN, VALID_FOR, Invitation
from services.persistence.database import Database


def issue(database: Database, email: str = "a@x.y", ago: timedelta = timedelta()) -> str:
    with database.session() as session:
        return invitations.issue(session, email, "user", now=datetime.now(UTC) - ago)[0]


def listed(database: Database) -> list[str]:
    with database.session() as session:
        return [one.email for one in invitations.list_open(session)]


def used(database: Database, token: str) -> Invitation | None:
    with database.session() as session:
        return invitations.use(session, token)


def test_token_works_once_and_only_its_hash_is_stored(database: Database) -> None:
    token = issue(database)
    with database.session() as session:
        assert token not in repr(session.execute(text("SELECT * FROM invitations")).all())
        assert invitations.find(session, token)
        assert invitations.find(session, token + "x") is None
    found = used(database, token)
    assert found
    assert found.email == "a@x.y"
    assert used(database, token) is None


def test_invitation_expires(database: Database) -> None:
    token = issue(database, ago=VALID_FOR)
    assert listed(database) == []
    assert used(database, token) is None
    with database.session() as session:
        assert invitations.use_of(session, "a@x.y") is None


def test_newest_invitation_of_an_address_counts(database: Database) -> None:
    first, second = issue(database), issue(database)
    assert listed(database) == ["a@x.y"]
    assert used(database, first) is None
    assert used(database, second)


def test_number_of_open_invitations_is_bounded(database: Database) -> None:
    with database.session() as session:
        for number in range(MAX_OPEN):
            invitations.issue(session, f"{number}@x.y", "user")
    with pytest.raises(TooManyInvitations):
        issue(database)
    # Another one for an invited address takes the place of the first.
    issue(database, "0@x.y")
    with database.session() as session:
        assert [one.email for one in invitations.withdraw(session, Invitation.email == "1@x.y")] == ["1@x.y"]
    issue(database)
