"""Signs people in at the operator's provider."""

from urllib.parse import parse_qs, urlsplit

from flask import Response, request

from routes.accounts.cookies import accounts, with_session
from routes.http.callers import is_encrypted
from routes.http.observe import note_error
from services.accounts.oidc import STATE_SECONDS, Provider, safe_path
from services.errors import ServiceError

# Sent along when the provider sends the browser back, so it is `Lax`; and only there. Each sign-in has its own, so that
# two tabs can sign in at the same time.
STATE_COOKIE = "bgremove_sign_in_"
STATE_PATH = "/api/v1/auth/oidc"


def begin() -> Response:
    """Send the browser to the provider. `next` is the path to go on with."""
    url, state = _provider().begin(safe_path(request.args.get("next", "")))
    response = _redirect(url)
    response.set_cookie(
        _cookie_of(parse_qs(urlsplit(url).query)["state"][0]),
        state,
        max_age=STATE_SECONDS,
        path=STATE_PATH,
        secure=is_encrypted(),
        httponly=True,
        samesite="Lax",
    )
    return response


def finish() -> Response:
    """Take the provider's answer, begin a session, and go on; or show a browser what went wrong on the page."""
    cookie = _cookie_of(request.args.get("state", ""))
    try:
        person, path = _provider().finish(request.args, request.cookies.get(cookie, ""))
        response = with_session(_redirect(safe_path(path)), accounts().sign_in_person(person))
    except ServiceError as exc:
        # Programs send `*/*` at most.
        if "text/html" not in request.accept_mimetypes.values():
            raise
        note_error(exc)
        response = _redirect(f"/account#error={exc.code}")
    # Only a cookie that was sent: anybody can choose the state in the URL.
    if cookie in request.cookies:
        response.delete_cookie(cookie, path=STATE_PATH, secure=is_encrypted(), httponly=True, samesite="Lax")
    return response


def _cookie_of(state: str) -> str:
    return f"{STATE_COOKIE}{state[:12]}"


def _redirect(location: str) -> Response:
    response = Response(status=303, headers={"Location": location})
    response.autocorrect_location_header = False
    response.headers["Cache-Control"] = "no-store"
    return response


def _provider() -> Provider:
    found = accounts().provider
    # These routes are registered only with one.
    assert found
    return found
