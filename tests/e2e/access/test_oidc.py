"""Signing in at a provider, over HTTP, as browsers do."""

from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests

from routes.accounts.oidc import STATE_COOKIE
from routes.http.auth import SESSION_COOKIE
from services.persistence.database import Database
from tests.support.accounts import Browser, make_user
from tests.support.answers import assert_error
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.servers.oidc import CLIENT_ID, CLIENT_SECRET, OidcProvider
from tests.support.waiting import free_port

AUTH: Final = "/api/v1/auth"


@pytest.fixture(scope="module")
def provider() -> Iterator[OidcProvider]:
    with OidcProvider() as running:
        yield running


@pytest.fixture(scope="module")
def server(provider: OidcProvider, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    port, url = free_port(), f"sqlite:///{tmp_path_factory.mktemp('oidc')}/a.db"
    database = Database(url)
    make_user(database, "ann@example.com")
    database.close()
    settings: dict[str, Any] = {
        "OIDC_ISSUER": provider.issuer,
        "OIDC_CLIENT_ID": CLIENT_ID,
        "OIDC_CLIENT_SECRET": CLIENT_SECRET,
    }
    settings |= {"ACCOUNTS": "oidc", "DATABASE_URL": url, "PUBLIC_URL": f"http://127.0.0.1:{port}"}
    with QuickGunicorn(port=port, **settings) as running:
        yield running


def sent_away(browser: Browser, next_path: str = "") -> requests.Response:
    answer = browser.call("GET", f"{AUTH}/oidc/login", params={"next": next_path}, allow_redirects=False)
    assert answer.status_code == 303, answer.text
    return answer


def come_back(browser: Browser, back: str) -> requests.Response:
    parts = urlsplit(back)
    return browser.call("GET", f"{parts.path}?{parts.query}", allow_redirects=False)


def test_person_signs_in_and_goes_on(server: Gunicorn, provider: OidcProvider) -> None:
    browser = Browser(server.url)
    away = sent_away(browser, "/#/library")
    for part in ("HttpOnly", "SameSite=Lax", "Path=/api/v1/auth/oidc", "Max-Age=600"):
        assert part in away.headers["Set-Cookie"]
    back = provider.sign_in(away.headers["Location"])
    done = come_back(browser, back)
    assert (done.status_code, done.headers["Location"]) == (303, "/#/library")
    assert "SameSite=Strict" in done.headers["Set-Cookie"]
    me = browser.call("GET", "/api/v1/account").json()
    assert (me["email"], me["has_password"]) == ("ann@example.com", False)
    assert not any(cookie.name.startswith(STATE_COOKIE) for cookie in browser.session.cookies)
    # The same answer again is refused.
    assert_error(come_back(browser, back), 401, "provider_refused")
    log = server.log()
    assert back.partition("code=")[2].partition("&")[0] not in log
    assert browser.session.cookies[SESSION_COOKIE] not in log


def test_stranger_gets_no_account_where_registration_is_closed(server: Gunicorn, provider: OidcProvider) -> None:
    browser = Browser(server.url)
    back = provider.sign_in(sent_away(browser).headers["Location"], sub="9", email="eve@example.com")
    assert_error(come_back(browser, back), 403, "registration_closed")
    assert SESSION_COOKIE not in browser.session.cookies


def test_browser_is_shown_on_the_page_what_went_wrong(server: Gunicorn, provider: OidcProvider) -> None:
    browser = Browser(server.url)
    browser.session.headers["Accept"] = "text/html,*/*;q=0.8"
    back = provider.sign_in(sent_away(browser).headers["Location"], sub="9", email="eve@example.com")
    done = come_back(browser, back)
    assert (done.status_code, done.headers["Location"]) == (303, "/account#error=registration_closed")
    assert SESSION_COOKIE not in browser.session.cookies


def test_two_tabs_sign_in_at_the_same_time(server: Gunicorn, provider: OidcProvider) -> None:
    browser = Browser(server.url)
    first, second = (sent_away(browser, path).headers["Location"] for path in ("/#1", "/#2"))
    # A link that somebody else has written ends neither.
    assert_error(come_back(browser, "/api/v1/auth/oidc/callback?code=x&state=%0aSet-Cookie"), 401, "provider_refused")
    for away, path in ((second, "/#2"), (first, "/#1")):
        assert come_back(browser, provider.sign_in(away)).headers["Location"] == path


def test_another_browser_can_not_finish(server: Gunicorn, provider: OidcProvider) -> None:
    """A page can't sign its visitor in as somebody else by a link."""
    back = provider.sign_in(sent_away(Browser(server.url)).headers["Location"])
    assert_error(come_back(Browser(server.url), back), 401, "provider_refused")


@pytest.mark.parametrize("path", ["https://evil.example", "//evil.example", "/\\evil.example"])
def test_sign_in_leads_nowhere_else(server: Gunicorn, provider: OidcProvider, path: str) -> None:
    browser = Browser(server.url)
    done = come_back(browser, provider.sign_in(sent_away(browser, path).headers["Location"]))
    assert done.headers["Location"] == "/account"


def test_there_are_no_passwords(server: Gunicorn) -> None:
    for path in ("login", "register", "forgot", "reset", "confirm"):
        assert_error(Browser(server.url).call("POST", f"{AUTH}/{path}", {}), 404, "not_found")
