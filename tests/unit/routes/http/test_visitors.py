"""The cookie of a browser without a key: what is one, where it is set, and whose requests may carry it."""

from types import SimpleNamespace

import pytest
from flask import Flask, Response

from routes.http.context import EXTENSION
from routes.http.visitors import COOKIE, guard_cookies, visitor, with_visitor
from services.errors import CrossSiteRequest


def make_app(**settings: object) -> Flask:
    made = Flask(__name__)
    given = {"secret_key": "a secret of this test", "jobs_enabled": True, "auth_required": False}
    given |= {"trusted_proxies": 0, "public_url": "", **settings}
    made.extensions[EXTENSION] = SimpleNamespace(settings=SimpleNamespace(**given), accounts=None)
    guard_cookies(made)
    made.register_error_handler(CrossSiteRequest, lambda error: (error.details, 403))

    @made.route("/", methods=["GET", "POST", "PUT", "DELETE"])
    def index() -> str:
        return visitor() or "nobody"

    return made


def cookie_of(app: Flask, url: str = "http://box:5001/", **headers: str) -> str:
    """Return the header that sets a cookie, "" without one."""
    with app.test_request_context(base_url=url, headers=headers):
        return with_visitor(Response("")).headers.get("Set-Cookie", "")


def value_of(app: Flask) -> str:
    return cookie_of(app).partition("=")[2].partition(";")[0]


def ask(app: Flask, cookie: str, method: str = "GET", **headers: str) -> tuple[int, str]:
    sent = {"Host": "box:5001", "Cookie": f"{COOKIE}={cookie}", **headers}
    answer = app.test_client(use_cookies=False).open("/", method=method, headers=sent)
    return answer.status_code, answer.get_data(as_text=True)


def test_cookie_is_for_this_site_and_no_script() -> None:
    app = make_app()
    sent = cookie_of(app)
    assert {part.strip() for part in sent.split(";")[1:]} == {
        "HttpOnly",
        "SameSite=Strict",
        "Path=/",
        "Max-Age=31536000",
        next(part.strip() for part in sent.split(";") if "Expires" in part),
    }
    assert "Secure" in cookie_of(app, "https://box/")
    behind = make_app(trusted_proxies=1)
    assert "Secure" in cookie_of(behind, **{"X-Forwarded-Proto": "https"})
    assert "Secure" not in cookie_of(app, **{"X-Forwarded-Proto": "https"})
    # A further proxy inside says http, or adds to the header; a caller claims what it likes.
    public = make_app(trusted_proxies=2, public_url="https://box:5001")
    assert "Secure" in cookie_of(public, **{"X-Forwarded-Proto": "http"})
    assert "Secure" not in cookie_of(public, "http://other/", **{"X-Forwarded-Proto": "http"})
    two = make_app(trusted_proxies=2)
    assert "Secure" in cookie_of(two, **{"X-Forwarded-Proto": "https, http"})
    assert "Secure" not in cookie_of(two, **{"X-Forwarded-Proto": "https, http, http"})


def test_browser_keeps_its_cookie_and_another_gets_another() -> None:
    app = make_app()
    first, second = value_of(app), value_of(app)
    assert first != second
    assert cookie_of(app, Cookie=f"{COOKIE}={first}") == ""
    assert ask(app, first) == (200, first.partition(".")[0])


def test_answer_that_sets_a_cookie_is_for_one_browser() -> None:
    app = make_app()
    with app.test_request_context():
        assert with_visitor(Response("")).headers["Cache-Control"] == "private, no-cache"


@pytest.mark.parametrize("settings", [{"jobs_enabled": False}, {"auth_required": True}])
def test_no_cookie_is_set_where_it_would_be_of_no_use(settings: dict[str, bool]) -> None:
    assert cookie_of(make_app(**settings)) == ""


def test_no_cookie_is_set_for_another_site() -> None:
    assert cookie_of(make_app(), **{"Sec-Fetch-Site": "cross-site"}) == ""


def test_tampered_cookie_is_none() -> None:
    app = make_app()
    good = value_of(app)
    name, signature = good.split(".")
    other = "0" * 32 if name[0] != "0" else "1" * 32
    for bad in ("", name, f"{other}.{signature}", f"{name}.{signature[:-1]}", f"{name}.{signature[::-1]}",
                f"{name}.{signature}.", good.upper(), f"{name}.{'0' * 64}", "é" * 97):  # fmt: skip
        assert ask(app, bad.encode().decode("latin-1")) == (200, "nobody"), bad
    assert ask(make_app(secret_key="another secret of it"), good) == (200, "nobody")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Sec-Fetch-Site": "same-origin"}, 200),
        ({"Sec-Fetch-Site": "none"}, 200),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Origin": "http://box:5001"}, 403),
        ({"Origin": "http://box:5001"}, 200),
        ({"Origin": "http://BOX:5001"}, 200),
        ({"Origin": "http://box:8000"}, 403),
        ({"Origin": "http://box"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://["}, 403),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_only_our_own_page_changes_something_with_the_cookie(headers: dict[str, str], status: int, method: str) -> None:
    app = make_app()
    cookie = value_of(app)
    assert ask(app, cookie, method, **headers)[0] == status
    assert ask(app, cookie, "GET", **headers)[0] == 200
    # Without the cookie, or with one of a page's own making, there is no name to act in.
    assert ask(app, "", method, **headers)[0] == 200
    assert ask(app, f"{'0' * 32}.{'0' * 64}", method, **headers)[0] == 200


def test_address_of_the_service_is_its_origin_too() -> None:
    app = make_app(public_url="https://photos.example/")
    cookie = value_of(app)
    assert ask(app, cookie, "POST", Origin="https://photos.example")[0] == 200
    assert ask(app, cookie, "POST", Origin="http://photos.example")[0] == 403
    assert ask(app, cookie, "POST", Origin="https://photos.example:8443")[0] == 403


def test_proxy_may_leave_the_port_out_of_the_host() -> None:
    app = make_app(trusted_proxies=1)
    cookie = value_of(app)
    assert ask(app, cookie, "POST", Host="box", Origin="http://box:8080")[0] == 200
    assert ask(app, cookie, "POST", Host="box", Origin="http://other:8080")[0] == 403
    assert ask(make_app(), cookie, "POST", Host="box", Origin="http://box:8080")[0] == 403
