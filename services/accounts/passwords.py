"""Checks, hashes, verifies and replaces passwords, with Argon2id.

A hash takes 64 MiB and some tens of milliseconds, so a process makes only a few at a time. Where there is no password
to compare with, a hash of nobody's is verified: the answer takes as long as for a wrong password.
"""

import contextlib
import secrets
import threading
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy.orm import Session

from services.accounts.errors import BadPassword
from services.accounts.users import User, end_sessions
from services.errors import Busy

MIN_CHARS: Final = 10
MAX_BYTES: Final = 256
PLACES: Final = 2
WAIT_SECONDS: Final = 5.0


def check_password(password: str, email: str) -> None:
    """Raise `BadPassword` for one that is too short, too long, or the address."""
    normal = _normal(password)
    if len(normal) < MIN_CHARS:
        raise BadPassword(f"it has {len(normal)} characters; allowed: {MIN_CHARS} or more")
    if len(normal.encode()) > MAX_BYTES:
        raise BadPassword(f"it has {len(normal.encode())} bytes; allowed: {MAX_BYTES}")
    if normal.strip().lower() in (email.lower(), email.lower().partition("@")[0]):
        raise BadPassword("it is the address of the account")


def replace_password(session: Session, user: User, hashed: str) -> None:
    """Set the hash of another password, and end all sessions. The address counts as confirmed."""
    user.confirmed_at = user.confirmed_at or datetime.now(UTC)
    user.password_hash = hashed
    session.flush()
    end_sessions(session, user.id)
    session.refresh(user)


class Passwords:
    """The hasher of one process; `hasher` sets the cost."""

    def __init__(self, hasher: PasswordHasher | None = None, wait_seconds: float = WAIT_SECONDS) -> None:
        self._hasher = hasher or PasswordHasher()
        self._wait_seconds = wait_seconds
        self._places = threading.BoundedSemaphore(PLACES)
        # Verified where there is no user, or one without a password.
        self._nobodys = self._hasher.hash(secrets.token_hex(16))

    def hash(self, password: str) -> str:
        """Return the hash to store. Raises `Busy`."""
        with self._place():
            return self._hasher.hash(_normal(password))

    def matches(self, password: str, stored: str | None) -> bool:
        """Return whether this is the password; with no stored hash False, after the same time. Raises `Busy`."""
        # Longer ones can't be our passwords, and their length would show in the time.
        cut = _normal(password).encode(errors="surrogatepass")[: MAX_BYTES + 1]
        with self._place():
            try:
                return self._hasher.verify(stored or self._nobodys, cut) and stored is not None
            except (VerificationError, InvalidHashError):
                return False

    @contextlib.contextmanager
    def _place(self) -> Iterator[None]:
        if not self._places.acquire(timeout=self._wait_seconds):
            raise Busy("too many passwords are being checked")
        try:
            yield
        finally:
            self._places.release()


def _normal(password: str) -> str:
    """Return the same text for the same keys on every keyboard (NIST SP 800-63B, 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
