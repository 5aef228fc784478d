"""Finds out who calls, by an API key or as a signed-in user, and checks that the request is allowed to them."""

import contextlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from flask import Response, request

from routes.http.callers import is_encrypted
from routes.http.context import service, state
from services.accounts.errors import NotSignedIn
from services.api_keys.caller import Caller
from services.api_keys.keys import ADMIN
from services.errors import BadKey, DatabaseUnavailable, Forbidden, MissingKey

# For routes that any valid key opens, whatever its scopes are.
ANY: Final = "any"
# For routes that need a signed-in user: no API key opens them.
USER: Final = "user"
# Cookies are not bound to a port: the name says whose it is. See `session_cookie`.
SESSION_COOKIE: Final = "bgremove_session"
View = Callable[..., Response]


def needs_key(scope: str) -> Callable[[View], View]:
    """Return a decorator for views that identifies the caller first. See `identify`."""

    def wrap(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Response:
            state().caller = identify(scope)
            return view(*args, **kwargs)

        return checked

    return wrap


def current_caller() -> Caller | None:
    """Return the identified caller of this request, on routes that look for one."""
    return state().caller


def identify(scope: str) -> Caller | None:
    """Return who calls. Raises `MissingKey`, `BadKey`, `Forbidden` (another scope), `NotSignedIn`,
    `DatabaseUnavailable`.

    A key or a token in a header takes precedence over a session's cookie. Where none is required
    (`AUTH_REQUIRED=false`, except for `admin`, `any` and `user`) it only changes whose jobs and which quota count.
    """
    if not (service().settings.auth_required or scope in (ADMIN, ANY, USER)):
        caller = optional_caller()
        _note_use(caller)
        if caller is None and _is_our_token(_sent_key()):
            raise BadKey("the token has expired, or its sessions were ended")
        return caller
    caller = _user() if scope == USER else _proven()
    _note_use(caller)
    if scope not in (ANY, USER, *caller.scopes):
        raise Forbidden(
            f"the {'key' if caller.key_id else 'user'} may do: {', '.join(caller.scopes)}; this needs: {scope}",
            "Ask the operator for a key of this scope",
        )
    return caller


def optional_caller() -> Caller | None:
    """Return who calls; None without a key or session, and for one that is not valid.

    Clients of other services always send a key, so an unknown one is treated as absent, and so is any key while the
    database is lost or does not exist yet. A session or token of ours is never treated as absent: its user would get
    somebody else's quota and jobs. Raises `DatabaseUnavailable` for those.
    """
    text, keys = _sent_key(), service().keys
    if keys.database.exists():
        with contextlib.suppress(DatabaseUnavailable):
            key = keys.find(text)
            if key and not key.problem():
                return Caller.of_key(key)
    return _signed_in(text)


def caller_if_known() -> Caller | None:
    """Return who calls; None too while the database is lost. For answers that everybody gets."""
    with contextlib.suppress(DatabaseUnavailable):
        return optional_caller()
    return None


def session_cookie() -> str:
    """Return the name of the session's cookie.

    Over https it begins with `__Host-`: browsers take it from this host alone, so another host of the domain can't sign
    somebody in as another user.
    """
    return f"__Host-{SESSION_COOKIE}" if is_encrypted() else SESSION_COOKIE


def caller_if_sent() -> Caller | None:
    """Return who calls, None where no key was sent. Raises `BadKey` where keys are required and this one is not valid,
    and `DatabaseUnavailable`."""
    return _proven() if service().settings.auth_required and _sent_key() else optional_caller()


def _proven() -> Caller:
    """Return who calls. Raises `MissingKey`, `BadKey`, `DatabaseUnavailable`."""
    text = _sent_key()
    key = service().keys.find(text)
    if key is None:
        if user := _signed_in(text):
            return user
        if text:
            raise BadKey("this server does not know it")
        raise MissingKey("the request has neither X-Api-Key nor Authorization: Bearer")
    if problem := key.problem():
        raise BadKey(f"it is {problem}")
    return Caller.of_key(key)


def _user() -> Caller:
    """Return the signed-in user who calls. Raises `NotSignedIn`, `DatabaseUnavailable`."""
    user = _signed_in(_sent_key())
    if user is None:
        raise NotSignedIn
    return user


def _note_use(caller: Caller | None) -> None:
    if caller and caller.key_id:
        service().keys.note_use(caller.key_id)


def _signed_in(token: str) -> Caller | None:
    """Return the user of the token that was sent, or without one of the session's cookie. Raises
    `DatabaseUnavailable`."""
    accounts = service().accounts
    if accounts is None:
        return None
    if token:
        return accounts.sessions.caller("access", token)
    return accounts.sessions.caller("session", request.cookies.get(session_cookie(), ""))


def _is_our_token(text: str) -> bool:
    """Return whether it is an access token that we have signed, expired or not.

    Its holder takes the request for theirs, so it is not treated as absent.
    """
    accounts = service().accounts
    return accounts is not None and text != "" and accounts.sessions.is_ours(text)


def _sent_key() -> str:
    """Return the key as it was sent; `X-Api-Key` wins over a token that may be meant for a proxy."""
    given = request.headers.get("X-Api-Key", "").strip()
    if given:
        return given
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
