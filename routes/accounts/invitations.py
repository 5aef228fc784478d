"""Invites people, and lets those who come make their account."""

from collections.abc import Mapping
from typing import Annotated, Self

from flask import Response, request
from pydantic import Field

from routes.accounts.bodies import Asked, Email, Password, PersonName, Token, read_small
from routes.accounts.cookies import accounts, signed_in
from routes.http.answers import Body
from routes.http.auth import current_caller
from routes.http.context import service
from routes.http.jobs.job_answers import answer
from routes.http.jobs.job_views import Moment
from routes.http.limits import attempt
from routes.http.names import names
from services.accounts.invitations import Invitation
from services.accounts.invited_users import open_invitations, withdraw_invitation
from services.accounts.messages import LANGUAGES, Language
from services.accounts.users import Role, role_of


class NewInvitation(Asked):
    """Somebody to invite."""

    email: Email
    role: Annotated[Role, Field(description="user or admin")] = "user"
    language: Annotated[Language | None, Field(description="of the email: en, de, or null for that of the request")] = (
        None
    )


class Acceptance(Asked):
    """The account of somebody who is invited."""

    token: Token
    password: Password
    name: PersonName = ""


class InvitationView(Body):
    """An invitation that was not used."""

    id: str
    email: str
    role: Role
    invited_by: Annotated[str | None, Field(description="A user's or a key's id; null: the command line.")]
    invited_by_name: Annotated[str | None, Field(description="The user's address, or the key's name.")]
    created_at: Moment
    expires_at: Moment

    @classmethod
    def of(cls, record: Invitation, named: Mapping[str, str], **more: str | None) -> Self:
        """Describe an invitation; `named` has the names of those who invite, by their ids."""
        return cls(
            id=record.id,
            email=record.email,
            role=role_of(record.role),
            invited_by=record.invited_by,
            invited_by_name=named.get(record.invited_by or ""),
            created_at=record.created_at,
            expires_at=record.expires_at,
            **more,
        )


class NewInvitationView(InvitationView):
    """An invitation that was just made."""

    link: Annotated[str | None, Field(description="To pass on; it is shown only once. null: it was sent by email.")]


class InvitationsView(Body):
    """Open invitations, oldest first."""

    invitations: list[InvitationView]


def list_invitations() -> Response:
    """List the invitations that can be used."""
    found = open_invitations(accounts().database)
    named = names(one.invited_by for one in found)
    return answer(InvitationsView(invitations=[InvitationView.of(one, named) for one in found]))


def invite_somebody() -> Response:
    """Send somebody a link to make an account; without email the answer has the link."""
    asked, caller = read_small(NewInvitation), current_caller()
    # The route needs an administrator.
    assert caller
    inviter, language = caller.user_id or caller.id, asked.language or mail_language()
    with attempt("mail", asked.email, is_free_if_right=False):
        record, token = accounts().invite(asked.email, role=asked.role, invited_by=inviter, language=language)
    page = f"{service().settings.public_base}/account"
    at_provider = accounts().provider is not None
    link = (page if at_provider else f"{page}#invite={token}") if token else None
    return answer(NewInvitationView.of(record, {inviter: caller.name}, link=link), 201)


def withdraw(invitation_id: str) -> Response:
    """Withdraw an invitation: its link stops working."""
    withdraw_invitation(accounts().database, invitation_id)
    return Response(status=204)


def accept() -> Response:
    """Create the invited person's account, and sign in."""
    asked = read_small(Acceptance)
    return signed_in(accounts().accept(asked.token, asked.password, asked.name))


def mail_language() -> Language:
    """Return the language in which the caller reads; the page names its own in `Accept-Language`."""
    best = request.accept_languages.best_match(LANGUAGES)
    return next((language for language in LANGUAGES if language == best), "en")
