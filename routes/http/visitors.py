"""Recognises a browser without an API key by a signed cookie, so that lists show its own jobs and nobody else's.

The cookie proves nothing but that two requests come from the same browser. Other sites can't use it: browsers don't
send it with their pages' requests (`SameSite=Strict`), and a request that changes something must come from our page.
"""

import hmac
import re
import secrets
from typing import Final
from urllib.parse import urlsplit

from flask import Flask, Response, request

from routes.http.auth import session_cookie
from routes.http.callers import host_name, is_cross_site, is_encrypted
from routes.http.context import service
from services.errors import CrossSiteRequest, shown

# Cookies are not bound to a port: the name says whose it is.
COOKIE: Final = "bgremove_visitor"
KEPT_SECONDS: Final = 365 * 86400
PURPOSE: Final = b"cookies of visitors"
FORM: Final = re.compile(r"([0-9a-f]{32})\.([0-9a-f]{64})")
SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
ACCOUNT_PATHS: Final = ("/api/v1/auth/", "/api/v1/account")
# Values of `Sec-Fetch-Site` for requests of our own page, and of the person at the browser.
OWN_PAGE: Final = frozenset({"same-origin", "none"})


def visitor() -> str | None:
    """Return the id in the request's cookie; None without one, or where the cookie is not one that we have signed."""
    found = FORM.fullmatch(request.cookies.get(COOKIE, ""))
    if found is None:
        return None
    name, signature = found.groups()
    return name if hmac.compare_digest(signature, _signature(name)) else None


def with_visitor(response: Response) -> Response:
    """Give a browser without a cookie one, where there are jobs that it may own without an API key."""
    settings = service().settings
    if not settings.jobs_enabled or settings.auth_required or is_cross_site() or visitor():
        return response
    name = secrets.token_hex(16)
    response.set_cookie(
        COOKIE,
        f"{name}.{_signature(name)}",
        max_age=KEPT_SECONDS,
        secure=is_encrypted(),
        httponly=True,
        samesite="Strict",
    )
    # No proxy may give it to another browser.
    response.headers["Cache-Control"] = "private, no-cache"
    return response


def guard_cookies(app: Flask) -> None:
    """Refuse requests to `app` that would change something for a visitor or a user, and come from another page."""

    @app.before_request
    def refuse_other_pages() -> None:
        if request.method not in SAFE_METHODS and (visitor() or _is_of_an_account()):
            require_own_page()


def require_own_page() -> None:
    """Raise `CrossSiteRequest` for a request that a page of another origin sent."""
    site = request.headers.get("Sec-Fetch-Site", "").strip().lower()
    origin = request.headers.get("Origin", "").strip()
    if site and site not in OWN_PAGE:
        raise CrossSiteRequest(f"Sec-Fetch-Site is {shown(site)}; allowed: same-origin, none")
    # Over plain HTTP browsers send Origin alone. Programs send neither, and no page can make them.
    if not site and origin and not _is_own(origin):
        raise CrossSiteRequest(f"the Origin is {shown(origin)}; allowed: this server's own")


def _is_of_an_account() -> bool:
    """Return whether the request has a user's session, or may begin one: a page could sign its visitor in as itself."""
    if service().accounts is None:
        return False
    return session_cookie() in request.cookies or request.path.startswith(ACCOUNT_PATHS)


def _is_own(origin: str) -> bool:
    """Return whether this is the origin of our own page."""
    settings = service().settings
    try:
        sent, public = urlsplit(origin.lower()), urlsplit(settings.public_url.lower())
    # Not a URL, such as `http://[`.
    except ValueError:
        return False
    if public.netloc and (sent.scheme, sent.netloc) == (public.scheme, public.netloc):
        return True
    host = request.headers.get("Host", "").strip().lower()
    # A proxy may leave the port out of Host.
    return sent.netloc == host or (settings.trusted_proxies > 0 and sent.hostname == host == host_name())


def _signature(name: str) -> str:
    key = hmac.digest(service().settings.secret_key.encode(), PURPOSE, "sha256")
    return hmac.digest(key, name.encode(), "sha256").hex()
