"""Finds or makes the user of a person whom a provider has identified."""

from datetime import UTC, datetime

import structlog
from sqlalchemy import select

from services.accounts.errors import ProviderRefused, RegistrationClosed, SignInFailed
from services.accounts.oidc import Person
from services.accounts.users import MAX_NAME_CHARS, User, end_sessions, locked, new_user, normal_email, normal_name
from services.persistence.database import Database

log = structlog.get_logger("accounts")


def user_of(database: Database, person: Person, *, registration: bool) -> User:
    """Return the person's user: the one bound to the provider's subject, or the one with the verified address, which is
    bound now, or with `registration` a new one.

    Raises `SignInFailed` (disabled), `ProviderRefused`, `RegistrationClosed`, `DatabaseUnavailable`.
    """
    with database.session() as session:
        found = session.scalar(select(User).where(User.issuer == person.issuer, User.subject == person.subject))
    user = found or _by_email(database, person, registration=registration)
    if user.disabled_at:
        raise SignInFailed
    log.info("signed in", user=user.id)
    return user


def _by_email(database: Database, person: Person, *, registration: bool) -> User:
    email = _email(person)
    with database.session() as session:
        user_id = session.scalar(select(User.id).where(User.email == email))
    if user_id:
        return _bound(database, user_id, person)
    if not registration:
        raise RegistrationClosed
    user = new_user(email, _name(person.name), confirmed=True)
    user.issuer, user.subject = person.issuer, person.subject
    with database.session() as session:
        session.add(user)
    log.info("registered", user=user.id)
    return user


def _bound(database: Database, user_id: str, person: Person) -> User:
    """Bind a user to the provider's subject. Raises `ProviderRefused` where they are bound to another one."""
    with database.session() as session:
        user = locked(session, user_id)
        if user is None or user.subject is not None:
            raise ProviderRefused("the account of this address belongs to another person at the provider")
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
        raise ProviderRefused("the provider names no mail address that it has verified") from None


def _name(text: str) -> str:
    try:
        return normal_name(text[:MAX_NAME_CHARS])
    except ValueError:
        return ""
