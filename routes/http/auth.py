"""Whose key a request carries, and whether it may do what it asks for."""

import contextlib
from collections.abc import Callable
from functools import wraps
from typing import Any

from flask import Response, request

from routes.http.context import service, state
from services.api_keys.keys import ADMIN, ApiKey
from services.errors import BadKey, DatabaseUnavailable, Forbidden, MissingKey

View = Callable[..., Response]


def needs_key(scope: str) -> Callable[[View], View]:
    """A view that sees to its caller's key first. See `identify`."""

    def wrap(view: View) -> View:
        @wraps(view)
        def checked(*args: Any, **kwargs: Any) -> Response:
            state().key = identify(scope)
            return view(*args, **kwargs)

        return checked

    return wrap


def caller_key() -> ApiKey | None:
    """The valid key that this request came with, on routes that look for one."""
    return state().key


def identify(scope: str) -> ApiKey | None:
    """The caller's key. Raises `MissingKey`, `BadKey`, `Forbidden` (another scope), `DatabaseUnavailable`.

    Where none is required (`AUTH_REQUIRED=false`, except for `admin`) a key changes what quotas count by, and nothing
    else: clients of other services always send one, so an unknown key is as good as none, and so is any key while the
    database is lost or was never made.
    """
    text = _sent_key()
    keys = service().keys
    if not (service().settings.auth_required or scope == ADMIN):
        key = None
        if text and keys.database.exists():
            with contextlib.suppress(DatabaseUnavailable):
                key = keys.find(text)
        if key is None or key.problem():
            return None
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
    if scope not in key.scopes:
        raise Forbidden(
            f"the key may do: {', '.join(key.scopes)}; this needs: {scope}", "Ask the operator for a key of this scope"
        )
    return key


def _sent_key() -> str:
    """The key as it came; `X-Api-Key` wins over a token that may be meant for a proxy in front."""
    given = request.headers.get("X-Api-Key", "").strip()
    if given:
        return given
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
