"""Sets and clears the cookie of a user's session, and answers with what begins one."""

from flask import Response

from routes.accounts.bodies import AccountView, TokensView
from routes.http.auth import session_cookie
from routes.http.callers import is_encrypted
from routes.http.context import service
from routes.http.jobs.job_answers import answer
from services.accounts.accounts import Accounts
from services.accounts.sessions import ACCESS_SECONDS, SESSION_SECONDS, Tokens
from services.accounts.users import User


def accounts() -> Accounts:
    """Return the accounts of this process."""
    found = service().accounts
    # These routes are registered only with accounts.
    assert found
    return found


def signed_in(user: User) -> Response:
    """Answer with the user, and begin a session that keeps nothing from an earlier one."""
    return with_session(answer(AccountView.of(user)), user)


def with_session(response: Response, user: User) -> Response:
    """Set the cookie of a new session. Pages of other sites never send it (`SameSite=Strict`)."""
    response.set_cookie(
        session_cookie(),
        accounts().sessions.cookie(user),
        max_age=SESSION_SECONDS,
        secure=is_encrypted(),
        httponly=True,
        samesite="Strict",
    )
    return response


def without_session(response: Response) -> Response:
    """Clear the session's cookie."""
    response.delete_cookie(session_cookie(), secure=is_encrypted(), httponly=True, samesite="Strict")
    return response


def with_tokens(tokens: Tokens) -> Response:
    """Answer with an access and a refresh token."""
    return answer(TokensView(access_token=tokens.access, expires_in=ACCESS_SECONDS, refresh_token=tokens.refresh))
