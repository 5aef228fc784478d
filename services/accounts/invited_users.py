"""Invites people, and makes the users of those who come."""

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from services.accounts import invitations
from services.accounts.errors import BadToken, InvitationNotFound, UserExists
from services.accounts.invitations import Invitation
from services.accounts.users import Role, User, new_user, normal_email, role_of
from services.persistence.database import Database

log = structlog.get_logger("accounts")


def invite(
    database: Database, email: str, *, role: Role = "user", invited_by: str | None = None
) -> tuple[str, Invitation]:
    """Invite an address; return the token of the link, which is not stored, and the record.

    Raises ValueError, `UserExists`, `TooManyInvitations`, `DatabaseUnavailable`.
    """
    email = normal_email(email)
    with database.session() as session:
        text, record = invitations.issue(session, email, role, invited_by)
        if session.scalar(select(User.id).where(User.email == email, User.confirmed_at.is_not(None))):
            raise UserExists
    log.info("invited", invitation=record.id, role=role, by=invited_by)
    return text, record


def invited_email(database: Database, text: str) -> str:
    """Return the address that a token was sent to. Raises `BadToken`, `DatabaseUnavailable`."""
    with database.session() as session:
        found = invitations.find(session, text)
    if found is None:
        raise BadToken
    return found.email


def add_invited(database: Database, text: str, *, name: str, password_hash: str) -> User:
    """Make the user of an invitation, which is used up. Raises `BadToken`, `DatabaseUnavailable`."""
    try:
        with database.session() as session:
            invitation = invitations.use(session, text)
            if invitation is None:
                raise BadToken
            # Somebody who only claimed the address may have registered it.
            unconfirmed = User.confirmed_at.is_(None) & User.disabled_at.is_(None)
            session.execute(delete(User).where(User.email == invitation.email, unconfirmed))
            user = new_user(invitation.email, name, role=role_of(invitation.role), confirmed=True)
            user.password_hash = password_hash
            session.add(user)
    # The address has an account meanwhile.
    except IntegrityError:
        raise BadToken from None
    log.info("registered", user=user.id, invitation=invitation.id)
    return user


def open_invitations(database: Database) -> list[Invitation]:
    """Return the invitations that can be used, oldest first."""
    with database.session() as session:
        return invitations.list_open(session)


def withdraw_invitation(database: Database, invitation_id: str) -> None:
    """Delete an invitation, whose link ends. Raises `InvitationNotFound`."""
    with database.session() as session:
        if not invitations.withdraw(session, Invitation.id == invitation_id):
            raise InvitationNotFound
    log.info("invitation withdrawn", invitation=invitation_id)
