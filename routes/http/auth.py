"""Finds the caller's API key, and checks that it allows the request."""

import contextlib
from collections.abc import Callable
from functools import wraps
from typing import Any, Final

from flask import Response, request

from routes.http.context import service, state
from services.api_keys.keys import ADMIN, ApiKey
from services.errors import BadKey, DatabaseUnavailable, Forbidden, MissingKey

# For routes that any valid key opens, whatever its scopes are.
ANY: Final = "any"
View = Callable[..., Response]


def needs_key(scope: str) -> Callable[[View], View]:
    """Return a decorator for views that checks the caller's key first. See `identify`."""

    def wrap(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Response:
            state().key = identify(scope)
            return view(*args, **kwargs)

        return checked

    return wrap


def caller_key() -> ApiKey | None:
    """Return the valid key of this request, on routes that look for one."""
    return state().key


def identify(scope: str) -> ApiKey | None:
    """Return the caller's key. Raises `MissingKey`, `BadKey`, `Forbidden` (another scope), `DatabaseUnavailable`.

    Where none is required (`AUTH_REQUIRED=false`, except for `admin` and `any`) a key only changes which quota counts.
    Clients of other services always send one, so an unknown key is treated as absent, and so is any key while the
    database is lost or does not exist yet.
    """
    text = _sent_key()
    keys = service().keys
    if not (service().settings.auth_required or scope in (ADMIN, ANY)):
        if key := optional_key():
            keys.note_use(key)
        return key
    if not text:
        raise MissingKey("the request has neither X-Api-Key nor Authorization: Bearer")
    key = keys.find(text)
    if key is None:
        raise BadKey("this server does not know it")
    if problem := key.problem():
        raise BadKey(f"it is {problem}")
    keys.note_use(key)
    if scope not in (ANY, *key.scopes):
        raise Forbidden(
            f"the key may do: {', '.join(key.scopes)}; this needs: {scope}", "Ask the operator for a key of this scope"
        )
    return key


def optional_key() -> ApiKey | None:
    """Return the caller's key; None without one, for one that is not valid, and while the database is lost."""
    text, keys = _sent_key(), service().keys
    key = None
    if text and keys.database.exists():
        with contextlib.suppress(DatabaseUnavailable):
            key = keys.find(text)
    return None if key is None or key.problem() else key


def _sent_key() -> str:
    """Return the key as it was sent; `X-Api-Key` wins over a token that may be meant for a proxy."""
    given = request.headers.get("X-Api-Key", "").strip()
    if given:
        return given
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
