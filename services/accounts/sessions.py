"""Begins sessions of users and says whose a session is.

A session is a signed token with the user's id and epoch. Nothing is stored for it: raising the epoch ends all of them,
in each process within `FRESH_SECONDS`.
"""

import time
from collections.abc import Callable
from typing import Final

from services.accounts.errors import BadToken
from services.accounts.one_time import issue, use
from services.accounts.signed import Purpose, SignedTokens
from services.accounts.users import User, find_user, locked
from services.api_keys.caller import Caller
from services.errors import DatabaseUnavailable
from services.persistence.database import Database
from services.persistence.ttl_cache import LruCache

SESSION_SECONDS: Final = 14 * 86400
ACCESS_SECONDS: Final = 15 * 60
# As for API keys: how long the database's answer is reused, and how long while the database is lost.
FRESH_SECONDS: Final = 0.8
STALE_SECONDS: Final = 300.0
MAX_KNOWN: Final = 10_000


class Sessions:
    """The sessions of one process. Opens nothing before one is used."""

    def __init__(self, database: Database, signed: SignedTokens, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._signed, self._clock = database, signed, clock
        self._known: LruCache[User] = LruCache(MAX_KNOWN)

    def cookie(self, user: User) -> str:
        """Return the value of a new session's cookie."""
        return self._signed.sign("session", _claims(user), SESSION_SECONDS)

    def access_token(self, user: User) -> str:
        """Return a token that identifies the user for `ACCESS_SECONDS`."""
        return self._signed.sign("access", _claims(user), ACCESS_SECONDS)

    def refresh_token(self, user: User) -> str:
        """Return a token for one more pair of tokens.

        Raises `DatabaseUnavailable`, and `BadToken` where the user's sessions were ended since `user` was read: an old
        password that was checked a moment too early would otherwise go on.
        """
        with self._database.session() as session:
            now = locked(session, user.id)
            if now is None or now.epoch != user.epoch or now.disabled_at:
                raise BadToken
            return issue(session, user.id, "refresh")

    def refreshed(self, text: str) -> User | None:
        """Return the user of a refresh token, which is used up. Raises `DatabaseUnavailable`."""
        with self._database.session() as session:
            user_id = use(session, text, "refresh")
            user = session.get(User, user_id) if user_id else None
        return user if user and not user.disabled_at else None

    def caller(self, purpose: Purpose, text: str) -> Caller | None:
        """Return the caller of a session's cookie or an access token. See `user`."""
        user = self.user(purpose, text) if text else None
        return Caller(id=user.id, name=user.email, scopes=user.scopes, user_id=user.id) if user else None

    def is_ours(self, text: str) -> bool:
        """Return whether it is an access token that this service has signed, whether it is valid or not."""
        return self._signed.read("access", text, expired=True) is not None

    def user(self, purpose: Purpose, text: str) -> User | None:
        """Return the user of a session's cookie or an access token; None where it is not valid any more.

        Raises `DatabaseUnavailable`.
        """
        claims = self._signed.read(purpose, text)
        if claims is None:
            return None
        epoch = claims["epoch"]
        user = self._look_up(claims["sub"], epoch)
        return user if user and user.epoch == epoch and not user.disabled_at else None

    def forget(self, user_id: str) -> None:
        """Ask the database next time: this process has changed the user."""
        self._known.drop(user_id)

    def _look_up(self, user_id: str, epoch: int) -> User | None:
        asked = self._clock()
        known = self._known.get(user_id, asked - FRESH_SECONDS)
        # A session that another process began after a change is newer than what is known here.
        if known and known.epoch >= epoch:
            return known
        try:
            found = self._found(user_id)
        except DatabaseUnavailable:
            stale = self._known.get(user_id, asked - STALE_SECONDS)
            if stale is None:
                raise
            return stale
        if found:
            self._known.set(user_id, found, asked)
        else:
            self._known.drop(user_id)
        return found

    def _found(self, user_id: str) -> User | None:
        # The user of a token had a database: an SQLite file that is gone is lost, and no new one is made.
        if not self._database.exists():
            raise DatabaseUnavailable("its file does not exist")
        return find_user(self._database, user_id)


def _claims(user: User) -> dict[str, object]:
    return {"sub": user.id, "epoch": user.epoch}
