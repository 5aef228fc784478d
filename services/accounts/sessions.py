"""Begins sessions of users and says whose a session is.

A session is a signed token with the user's id and epoch. Nothing is stored for a browser's: raising the epoch ends all
of them, in each process within `FRESH_SECONDS`. A program's sign-in is stored, and ends alone, too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import structlog

from services.accounts import sign_ins
from services.accounts.errors import BadToken, TokenReused
from services.accounts.sign_ins import SignIn
from services.accounts.signed import Purpose, SignedTokens
from services.accounts.users import User, find_by_sign_in, find_user, locked
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
log = structlog.get_logger("accounts")


@dataclass(frozen=True)
class Tokens:
    """What a program signs its requests with: `access` for `ACCESS_SECONDS`, and `refresh` for the next pair."""

    access: str
    refresh: str


class Sessions:
    """The sessions of one process. Opens nothing before one is used."""

    def __init__(self, database: Database, signed: SignedTokens, clock: Callable[[], float] = time.monotonic) -> None:
        self._database, self._signed, self._clock = database, signed, clock
        self._known: LruCache[User] = LruCache(MAX_KNOWN)

    def cookie(self, user: User) -> str:
        """Return the value of a new session's cookie."""
        return self._signed.sign("session", {"sub": user.id, "epoch": user.epoch}, SESSION_SECONDS)

    def tokens(self, user: User) -> Tokens:
        """Begin a sign-in of a program, and return its tokens.

        Raises `DatabaseUnavailable`, and `BadToken` where the user's sessions were ended since `user` was read: an old
        password that was checked a moment too early would otherwise go on.
        """
        with self._database.session() as session:
            now = locked(session, user.id)
            if now is None or now.epoch != user.epoch or now.disabled_at:
                raise BadToken
            return self._tokens(user, sign_ins.begin(session, user.id))

    def refreshed(self, text: str) -> Tokens:
        """Return the next tokens of a refresh token's sign-in.

        Raises `DatabaseUnavailable`, `BadToken`, and `TokenReused` where the sign-in is ended, since there is a copy
        of the token. A repeated request gets the same tokens again: see `REPEATABLE_FOR`.
        """
        claims = self._signed.read("refresh", text)
        if claims is None:
            raise BadToken
        number, sign_in_id = claims["number"], claims["sign_in"]
        with self._database.session() as session:
            sign_in = sign_ins.exchange(session, sign_in_id, number)
            user = session.get(User, sign_in.user_id) if sign_in else None
            if reused := sign_in is not None and sign_in.is_reuse(number):
                sign_ins.end(session, sign_in_id)
        if reused:
            self._known.drop(sign_in_id)
            log.warning("refresh token used again", user=claims["sub"], sign_in=sign_in_id)
            raise TokenReused
        # A number that is not counted yet: the database was restored from a backup.
        if sign_in is None or user is None or user.disabled_at or number >= sign_in.number:
            raise BadToken
        return self._tokens(user, sign_in)

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
        user = self._look_up(claims, epoch)
        return user if user and user.epoch == epoch and not user.disabled_at else None

    def forget(self, user_id: str) -> None:
        """Ask the database next time: this process has changed the user."""
        self._known.drop(user_id)

    def _tokens(self, user: User, sign_in: SignIn) -> Tokens:
        this = {"sub": user.id, "sign_in": sign_in.id}
        seconds = int(sign_ins.VALID_FOR.total_seconds())
        return Tokens(
            access=self._signed.sign("access", {**this, "epoch": user.epoch}, ACCESS_SECONDS),
            refresh=self._signed.sign("refresh", {**this, "number": sign_in.number}, seconds),
        )

    def _look_up(self, claims: dict[str, Any], epoch: int) -> User | None:
        asked, name = self._clock(), claims.get("sign_in", claims["sub"])
        known = self._known.get(name, asked - FRESH_SECONDS)
        # A session that another process began after a change is newer than what is known here.
        if known and known.epoch >= epoch:
            return known
        try:
            found = self._found(claims)
        except DatabaseUnavailable:
            stale = self._known.get(name, asked - STALE_SECONDS)
            if stale is None:
                raise
            return stale
        if found:
            self._known.set(name, found, asked)
        else:
            self._known.drop(name)
        return found

    def _found(self, claims: dict[str, Any]) -> User | None:
        # The user of a token had a database: an SQLite file that is gone is lost, and no new one is made.
        if not self._database.exists():
            raise DatabaseUnavailable("its file does not exist")
        if "sign_in" in claims:
            return find_by_sign_in(self._database, claims["sign_in"])
        return find_user(self._database, claims["sub"])
