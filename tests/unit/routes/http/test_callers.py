"""Where a request comes from."""

from types import SimpleNamespace

import pytest
from flask import Flask

from routes.http.callers import client_address, is_cross_site, is_forwarded, is_from_this_machine, proven_address
from routes.http.context import EXTENSION


@pytest.fixture
def app() -> Flask:
    """An application behind one trusted proxy."""
    made = Flask(__name__)
    made.extensions[EXTENSION] = SimpleNamespace(settings=SimpleNamespace(trusted_proxies=1))
    return made


@pytest.mark.parametrize(
    ("hops", "forwarded", "address"),
    [
        (0, "198.51.100.1", "192.0.2.9"),
        (1, "198.51.100.1", "198.51.100.1"),
        (1, "203.0.113.7, 198.51.100.1", "198.51.100.1"),
        (2, "203.0.113.7, 198.51.100.1", "203.0.113.7"),
        (2, "198.51.100.1", "192.0.2.9"),
        (1, "unknown", "192.0.2.9"),
        (1, "", "192.0.2.9"),
    ],
)
def test_address_is_that_of_the_last_trusted_hop(app: Flask, hops: int, forwarded: str, address: str) -> None:
    app.extensions[EXTENSION].settings.trusted_proxies = hops
    headers = {"X-Forwarded-For": forwarded} if forwarded else {}
    with app.test_request_context("/", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.9"}):
        assert client_address() == address


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, False),
        ({"Sec-Fetch-Site": "same-origin"}, False),
        ({"Sec-Fetch-Site": "same-site"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": " Cross-Site "}, True),
        ({"Origin": "http://localhost:5001"}, False),
        # Another port of one host is the same site.
        ({"Origin": "http://localhost:3000"}, False),
        ({"Origin": "http://localhost.evil.example"}, True),
        ({"Origin": "https://evil.example"}, True),
        ({"Origin": "null"}, True),
        ({"Origin": ""}, True),
        ({"Origin": "http://["}, True),
    ],
    ids=str,
)
def test_browser_says_that_another_site_sent_a_request(app: Flask, headers: dict[str, str], expected: bool) -> None:
    with app.test_request_context("/", headers={"Host": "localhost:5001", **headers}):
        assert is_cross_site() is expected


@pytest.mark.parametrize(
    ("peer", "host", "expected"),
    [
        ("127.0.0.1", "127.0.0.1:5001", True),
        ("127.0.0.1", "localhost:5001", True),
        ("127.0.0.1", "app.localhost", True),
        ("::1", "[::1]:5001", True),
        ("::ffff:127.0.0.1", "localhost", True),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "localhost.evil.example", False),
        ("127.0.0.1", "192.0.2.1", False),
        ("192.0.2.9", "localhost", False),
        # A unix socket, and no peer.
        ("unix:", "localhost", False),
        ("", "localhost", False),
    ],
)
def test_owner_calls_over_loopback_under_a_name_of_this_machine(
    app: Flask, peer: str, host: str, expected: bool
) -> None:
    with app.test_request_context("/", headers={"Host": host}, environ_base={"REMOTE_ADDR": peer}):
        assert is_from_this_machine() is expected


def test_forwarding_header_shows_a_proxy(app: Flask) -> None:
    for name in ("X-Forwarded-For", "forwarded", "X-REAL-IP", "Via"):
        with app.test_request_context("/", headers={name: ""}, environ_base={"REMOTE_ADDR": "127.0.0.1"}):
            assert is_forwarded()
            assert not is_from_this_machine()


@pytest.mark.parametrize(
    ("hops", "headers", "address"),
    [
        (0, {}, "192.0.2.9"),
        (0, {"X-Forwarded-For": "198.51.100.1"}, None),
        (0, {"Forwarded": "for=198.51.100.1"}, None),
        (1, {}, "192.0.2.9"),
        (1, {"X-Forwarded-For": "198.51.100.1"}, "198.51.100.1"),
        (1, {"X-Forwarded-For": ""}, None),
        (1, {"X-Forwarded-For": "evil"}, None),
        (1, {"X-Forwarded-For": "fe80::1%eth0"}, None),
        (1, {"X-Forwarded-For": "5.5.5.5,"}, None),
        (1, {"X-Real-IP": "198.51.100.1"}, None),
        (2, {"X-Forwarded-For": "198.51.100.1"}, None),
    ],
    ids=str,
)
def test_unreadable_forwarding_headers_prove_no_address(
    app: Flask, hops: int, headers: dict[str, str], address: str | None
) -> None:
    app.extensions[EXTENSION].settings.trusted_proxies = hops
    with app.test_request_context("/", headers=headers, environ_base={"REMOTE_ADDR": "192.0.2.9"}):
        assert proven_address() == address
