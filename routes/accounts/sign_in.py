"""Signs people in and out, makes accounts, and replaces forgotten passwords."""

from flask import Response, request

from routes.accounts.bodies import (
    AcceptedRequest,
    Confirmation,
    Credentials,
    Forgotten,
    NewPassword,
    Refresh,
    Registration,
    read_small,
)
from routes.accounts.cookies import accounts, signed_in, with_tokens, without_session
from routes.accounts.invitations import mail_language
from routes.http.auth import optional_caller
from routes.http.jobs.job_answers import answer
from routes.http.limits import attempt


def register() -> Response:
    """Make an account. The answer is the same where the address has one."""
    asked = read_small(Registration)
    with attempt("mail", asked.email, is_free_if_right=False):
        accounts().register(asked.email, asked.password, asked.name, mail_language())
    return _accepted()


def confirm() -> Response:
    """Confirm an email address with the token that was sent there, and sign in."""
    asked = read_small(Confirmation)
    with attempt("confirm", asked.token):
        user = accounts().confirm(asked.token, asked.password)
    return signed_in(user)


def sign_in() -> Response:
    """Sign in with address and password."""
    asked = read_small(Credentials)
    with attempt("sign-in", asked.email):
        user = accounts().sign_in(asked.email, asked.password)
    return with_tokens(accounts().sessions.tokens(user)) if asked.tokens else signed_in(user)


def refresh() -> Response:
    """Return a new pair of tokens for a refresh token, which is used up."""
    return with_tokens(accounts().sessions.refreshed(read_small(Refresh).refresh_token))


def sign_out() -> Response:
    """End this browser's session; with `everywhere=true` all sessions and tokens of the user."""
    caller = optional_caller() if request.args.get("everywhere") == "true" else None
    if caller and caller.user_id and caller.key_id is None:
        accounts().sign_out_everywhere(caller.user_id)
    return without_session(Response(status=204))


def forgot() -> Response:
    """Send a link for a new password. The answer is the same where the address has no account."""
    asked = read_small(Forgotten)
    with attempt("mail", asked.email, is_free_if_right=False):
        accounts().forgot(asked.email, mail_language())
    return _accepted()


def reset() -> Response:
    """Set a new password with the token that was sent, end all sessions, and sign in."""
    asked = read_small(NewPassword)
    return signed_in(accounts().reset(asked.token, asked.new_password))


def _accepted() -> Response:
    return answer(AcceptedRequest(status="accepted", mail=accounts().post is not None), 202)
