"""Make users and their sessions for tests."""

from dataclasses import dataclass, field
from typing import Any, Final

import requests
from argon2 import PasswordHasher

from routes.http.auth import SESSION_COOKIE
from services.accounts.accounts import Accounts
from services.accounts.passwords import Passwords
from services.accounts.sessions import Sessions
from services.accounts.signed import SignedTokens
from services.accounts.users import Registration, Role, User, add_user, new_user
from services.persistence.database import Database
from tests.support.answers import REQUEST_ID
from tests.support.gunicorn import SECRET_KEY

PASSWORD: Final = "correct horse battery"
# The service verifies a hash with the cost stored in it.
QUICK: Final = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)


def make_user(database: Database, email: str, *, role: Role = "user", confirmed: bool = True) -> User:
    """Add a user with `PASSWORD`."""
    user = new_user(email, email.partition("@")[0], role=role, confirmed=confirmed)
    user.password_hash = QUICK.hash(PASSWORD)
    assert add_user(database, user)
    return user


def session_headers(database: Database, user: User) -> dict[str, str]:
    """Return the headers of a browser in which the user is signed in."""
    cookie = Sessions(database, SignedTokens(SECRET_KEY)).cookie(user)
    return {"Cookie": f"{SESSION_COOKIE}={cookie}"}


def make_accounts(database: Database, *, registration: Registration = "closed") -> Accounts:
    """Return accounts without email, whose passwords cost little."""
    sessions = Sessions(database, SignedTokens(SECRET_KEY))
    return Accounts(database, sessions, Passwords(QUICK), registration=registration)


@dataclass
class Browser:
    """A client with cookies."""

    url: str
    session: requests.Session = field(default_factory=requests.Session)

    def call(self, method: str, path: str, body: Any = None, **more: Any) -> requests.Response:
        headers = {"X-Request-ID": REQUEST_ID, **more.pop("headers", {})}
        return self.session.request(method, self.url + path, json=body, headers=headers, timeout=30, **more)

    def sign_in(self, email: str, password: str = PASSWORD) -> requests.Response:
        return self.call("POST", "/api/v1/auth/login", {"email": email, "password": password})
