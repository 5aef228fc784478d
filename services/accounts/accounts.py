"""What people do with their accounts: register, confirm, sign in, choose a new password.

Nothing here shows whether an address has an account, by an answer or by its time. So with email the work of a
registration and of a forgotten password is done in the outbox, and without it a registration always hashes.
"""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

import structlog
from sqlalchemy import update

from services.accounts import messages
from services.accounts.errors import BadToken, NotSignedIn, RegistrationClosed, SignInFailed
from services.accounts.invitations import Invitation
from services.accounts.invited_users import add_invited, invite, invited_email
from services.accounts.mail import Mailer
from services.accounts.messages import Language, Message
from services.accounts.one_time import holder, issue, use
from services.accounts.outbox import Outbox
from services.accounts.passwords import Passwords, check_password, replace_password
from services.accounts.sessions import Sessions
from services.accounts.users import (
    Registration,
    Role,
    User,
    add_user,
    drop_unconfirmed,
    emails_of,
    end_sessions,
    find_by_email,
    locked,
    new_user,
)
from services.persistence.database import Database

if TYPE_CHECKING:
    from services.accounts.oidc import Person, Provider

log = structlog.get_logger("accounts")


@dataclass(frozen=True)
class Post:
    """How emails reach people; `base` is what links begin with."""

    mailer: Mailer
    outbox: Outbox
    base: str

    def send(self, to: str, message: Message) -> None:
        """Send one email, on the outbox's thread."""
        self.mailer.send(to, message)


class Accounts:
    """The accounts of one process. Without `post` addresses are not confirmed, and the operator resets passwords."""

    def __init__(
        self,
        database: Database,
        sessions: Sessions,
        passwords: Passwords,
        *,
        post: Post | None = None,
        registration: Registration = "closed",
    ) -> None:
        self.database, self.sessions, self._passwords = database, sessions, passwords
        self.post, self.registration = post, registration
        # With ACCOUNTS=oidc.
        self.provider: Provider | None = None

    def register(self, email: str, password: str, name: str = "", language: Language = "en") -> None:
        """Create an account, unless the address has one: the answer is the same.

        Raises `RegistrationClosed`, `BadPassword`, ValueError, `Busy`, `DatabaseUnavailable`.
        """
        if self.registration != "open":
            raise RegistrationClosed
        user = new_user(email, name, confirmed=self.post is None)
        check_password(password, user.email)
        # If the database is down, no email would ever come.
        self.database.ping()
        if self.post is None:
            self._add(user, password)
        else:
            self.post.outbox.add(partial(self._register_by_mail, self.post, user, password, language))

    def invite(
        self, email: str, *, role: Role, invited_by: str | None, language: Language
    ) -> tuple[Invitation, str | None]:
        """Send somebody a link to make an account; return the invitation, and without email the token of the link.

        Raises `RegistrationClosed`, ValueError, `UserExists`, `TooManyInvitations`, `Busy`, `DatabaseUnavailable`.
        """
        if self.registration == "closed":
            raise RegistrationClosed
        text, invitation = invite(self.database, email, role=role, invited_by=invited_by)
        if self.post is None:
            return invitation, text
        message = messages.invite(language, self.post.base, text, at_provider=self.provider is not None)
        self.post.outbox.add(partial(self.post.send, invitation.email, message))
        return invitation, None

    def accept(self, token: str, password: str, name: str = "") -> User:
        """Make the account of an invitation, whose link proves the address. Raises `RegistrationClosed`, `BadToken`,
        `BadPassword`, ValueError, `Busy`, `DatabaseUnavailable`."""
        if self.registration == "closed":
            raise RegistrationClosed
        check_password(password, invited_email(self.database, token))
        return add_invited(self.database, token, name=name, password_hash=self._passwords.hash(password))

    def confirm(self, token: str, password: str) -> User:
        """Confirm the address that the token was sent to. Raises `BadToken`, `SignInFailed`, `Busy`.

        The password proves that it was the mail's reader who registered: somebody else may have, in the hope that this
        link makes their password one for an account with this address.
        """
        with self.database.session() as session:
            user_id = holder(session, token, "confirm")
            user = session.get(User, user_id) if user_id else None
        if user is None or user.disabled_at:
            raise BadToken
        if not self._passwords.matches(password, user.password_hash):
            raise SignInFailed
        with self.database.session() as session:
            # The registration may have been replaced meanwhile, by one with another password.
            if use(session, token, "confirm") is None:
                raise BadToken
            session.execute(update(User).where(User.id == user.id).values(confirmed_at=datetime.now(UTC)))
            found = session.get_one(User, user.id)
        log.info("address confirmed", user=found.id)
        return found

    def sign_in(self, email: str, password: str) -> User:
        """Return the user of this address and password. Raises `SignInFailed`, `Busy`, `DatabaseUnavailable`."""
        user = find_by_email(self.database, email)
        fits = self._passwords.matches(password, user.password_hash if user else None)
        if not (user and fits and user.confirmed_at and not user.disabled_at):
            log.info("sign-in failed", user=user.id if user else None)
            raise SignInFailed
        log.info("signed in", user=user.id)
        return user

    def sign_in_person(self, person: "Person") -> User:
        """Return the user of a person whom the provider has identified. See `user_of`."""
        from services.accounts.bound_users import user_of

        user = user_of(self.database, person, registration=self.registration)
        self.sessions.forget(user.id)
        return user

    def forgot(self, email: str, language: Language = "en") -> None:
        """Send a link for a new password, if the address has an account. Raises `Busy`, `DatabaseUnavailable`."""
        if self.post:
            self.database.ping()
            self.post.outbox.add(partial(self._send_reset, self.post, email, language))

    def reset(self, token: str, password: str) -> User:
        """Set the password of the token's user and end all sessions. Raises `BadToken`, `BadPassword`, `Busy`."""
        check_password(password, "")
        with self.database.session() as session:
            # Hashing is expensive, so a wrong token does not get this far.
            if holder(session, token, "reset") is None:
                raise BadToken
        hashed = self._passwords.hash(password)
        with self.database.session() as session:
            user_id = use(session, token, "reset")
            user = session.get(User, user_id) if user_id else None
            if user is None or user.disabled_at:
                raise BadToken
            # An error leaves the token valid.
            check_password(password, user.email)
            # Only the reader of email to this address has it.
            replace_password(session, user, hashed)
        self.sessions.forget(user.id)
        log.info("password reset", user=user.id)
        return user

    def change_password(self, user: User, old: str, new: str) -> User:
        """Set another password and end all sessions. Raises `SignInFailed`, `BadPassword`, `Busy`."""
        self.check_owner(user, old)
        check_password(new, user.email)
        return self.set_password(user.id, new)

    def set_password(self, user_id: str, password: str) -> User:
        """Set a password that was checked, and end all sessions. Raises `Busy`, `NotSignedIn` (deleted).

        The address counts as confirmed: one who may do this knows the user.
        """
        hashed = self._passwords.hash(password)
        with self.database.session() as session:
            found = locked(session, user_id)
            if found is None:
                raise NotSignedIn
            replace_password(session, found, hashed)
        self.sessions.forget(user_id)
        log.info("password changed", user=user_id)
        return found

    def check_owner(self, user: User, password: str) -> None:
        """Raise `SignInFailed` where it is not the password of a user who has one."""
        if user.password_hash and not self._passwords.matches(password, user.password_hash):
            raise SignInFailed

    def emails(self, user_ids: Collection[str]) -> dict[str, str]:
        """Return the addresses of users by their ids."""
        return emails_of(self.database, user_ids)

    def sign_out_everywhere(self, user_id: str) -> None:
        """End all sessions and tokens of a user."""
        with self.database.session() as session:
            end_sessions(session, user_id)
        self.sessions.forget(user_id)

    def close(self) -> None:
        """Send what waits. Called when the process ends, before the database is closed."""
        if self.post:
            self.post.outbox.close()

    def _add(self, user: User, password: str) -> bool:
        user.password_hash = self._passwords.hash(password)
        user_id = user.id
        added = add_user(self.database, user)
        log.info("registered" if added else "registration of a known address", user=user_id if added else None)
        return added

    def _register_by_mail(self, post: Post, user: User, password: str, language: Language) -> None:
        email, user_id = user.email, user.id
        # The latest registration counts, and its password.
        drop_unconfirmed(self.database, email)
        if self._add(user, password):
            with self.database.session() as session:
                token = issue(session, user_id, "confirm")
            post.send(email, messages.confirm(language, post.base, token))
            return
        found = find_by_email(self.database, email)
        if found and not found.disabled_at:
            post.send(email, messages.known(language, post.base))

    def _send_reset(self, post: Post, email: str, language: Language) -> None:
        user = find_by_email(self.database, email)
        if user is None or user.disabled_at:
            return
        with self.database.session() as session:
            token = issue(session, user.id, "reset")
        post.send(email, messages.reset(language, post.base, token))
