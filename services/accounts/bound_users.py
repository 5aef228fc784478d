"""Finds or makes the user of a person whom a provider has identified."""

from datetime import UTC, datetime

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.accounts import invitations
from services.accounts.errors import ProviderRefused, RegistrationClosed, SignInFailed
from services.accounts.oidc import Person
from services.accounts.users import (
    MAX_NAME_CHARS,
    Registration,
    User,
    end_sessions,
    locked,
    new_user,
    normal_email,
    normal_name,
    role_of,
)
from services.persistence.database import Database

log = structlog.get_logger("accounts")


def user_of(database: Database, person: Person, *, registration: Registration) -> User:
    """Return the person's user: the one bound to the provider's subject, or the one with the verified address, which is
    bound now, or a new one where registration is open or the address is invited.

    Raises `SignInFailed` (disabled), `ProviderRefused`, `RegistrationClosed`, `DatabaseUnavailable`.
    """
    with database.session() as session:
        found = session.scalar(select(User).where(User.issuer == person.issuer, User.subject == person.subject))
    user = found or _by_email(database, person, registration=registration)
    if user.disabled_at:
        raise SignInFailed
    log.info("signed in", user=user.id)
    return user


def _by_email(database: Database, person: Person, *, registration: Registration) -> User:
    email = _email(person)
    with database.session() as session:
        user_id = session.scalar(select(User.id).where(User.email == email))
    if user_id:
        return _bound(database, user_id, person)
    try:
        with database.session() as session:
            user = _added(session, email, person, registration=registration)
    # Two first sign-ins of one person at the same time: one of them made the user.
    except IntegrityError:
        with database.session() as session:
            known = session.scalar(select(User).where(User.issuer == person.issuer, User.subject == person.subject))
        if known is None:
            raise ProviderRefused("the account with this address was made a moment ago") from None
        return known
    log.info("registered", user=user.id)
    return user


def _added(session: Session, email: str, person: Person, *, registration: Registration) -> User:
    invitation = invitations.use_of(session, email) if registration != "closed" else None
    if not (invitation or registration == "open"):
        raise RegistrationClosed
    role = role_of(invitation.role) if invitation else "user"
    user = new_user(email, _name(person.name), role=role, confirmed=True)
    user.issuer, user.subject = person.issuer, person.subject
    session.add(user)
    return user


def _bound(database: Database, user_id: str, person: Person) -> User:
    """Bind a user to the provider's subject. Raises `ProviderRefused` where they are bound to another one."""
    with database.session() as session:
        user = locked(session, user_id)
        # Another first sign-in of this person was a moment faster.
        if user and (user.issuer, user.subject) == (person.issuer, person.subject):
            return user
        if user is None or user.subject is not None:
            raise ProviderRefused("the account with this address belongs to another person at the provider")
        if user.disabled_at:
            raise SignInFailed
        user.issuer, user.subject = person.issuer, person.subject
        # A password may be that of somebody who only claimed the address, and so may sessions be.
        user.password_hash, user.confirmed_at = None, user.confirmed_at or datetime.now(UTC)
        session.flush()
        end_sessions(session, user_id)
        session.refresh(user)
    log.info("bound to the provider", user=user.id)
    return user


def _email(person: Person) -> str:
    try:
        return normal_email(person.email)
    except ValueError:
        raise ProviderRefused("the provider gave no verified email address") from None


def _name(text: str) -> str:
    try:
        return normal_name(text[:MAX_NAME_CHARS])
    except ValueError:
        return ""
