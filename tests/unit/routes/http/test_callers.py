"""Where a request comes from, and which host name it uses."""

import socket
from types import SimpleNamespace

import pytest
from flask import Flask

from config import ConfigError, Settings, load_settings
from routes.http.callers import (
    check_host,
    client_address,
    host_name,
    is_address,
    is_cross_site,
    is_forwarded,
    is_from_this_machine,
    is_own_name,
    own_names,
    proven_address,
)
from routes.http.context import EXTENSION
from routes.http.errors import handle_errors


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


@pytest.mark.parametrize(
    ("sent", "name"),
    [
        ("Example.ORG:5001", "example.org"),
        ("example.org.", "example.org"),
        ("192.0.2.1:80", "192.0.2.1"),
        ("[2001:DB8::1]:80", "2001:db8::1"),
        ("[::1]", "::1"),
        ("", ""),
    ],
)
def test_host_name_has_neither_port_nor_case(sent: str, name: str) -> None:
    with Flask(__name__).test_request_context("/", headers={"Host": sent}):
        assert host_name() == name


def test_machine_is_called_by_its_name_and_in_the_local_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Box.lan.example")
    own_names.cache_clear()
    assert own_names() == {"localhost", "box.lan.example", "box", "box.local"}
    assert is_own_name("box.local")
    assert not is_own_name("box.evil.example")
    own_names.cache_clear()


def test_only_loopback_addresses_mean_this_machine() -> None:
    assert [is_own_name(name) for name in ("127.0.0.1", "127.9.9.9", "::1", "192.0.2.1")] == [True, True, True, False]
    assert [is_address(name) for name in ("192.0.2.1", "::1", "1.2.3", "localhost")] == [True, True, False, False]


def status(sent: str, **settings: object) -> int:
    app = Flask(__name__)
    made = Settings(_env_file=None, **settings)  # type: ignore[arg-type] # any field
    app.extensions[EXTENSION] = SimpleNamespace(settings=made)
    check_host(app, made)
    handle_errors(app)
    app.add_url_rule("/", view_func=lambda: "ok")
    answer = app.test_client().get("/", headers={"Host": sent})
    if answer.status_code == 421:
        body = answer.get_json()
        assert body["code"] == "host_not_allowed"
        assert "the Host header is " in body["details"]
        assert "ALLOWED_HOSTS" in body["solution"]
    return answer.status_code


@pytest.mark.parametrize("host", ["127.0.0.1:5001", "192.0.2.7", "[2001:db8::1]:5001", "LOCALHOST:80", "a.localhost."])
def test_address_and_localhost_are_answered(host: str) -> None:
    assert status(host) == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:5001", "127.0.0.1.evil.example", "localhost.evil", "1"])
def test_foreign_name_gets_421(host: str) -> None:
    assert status(host) == 421
    assert status(host, allowed_hosts="*") == 200


def test_named_hosts_are_answered() -> None:
    assert status("api.example:443", allowed_hosts="API.example:8443, other.example") == 200
    assert status("sub.api.example", allowed_hosts="api.example") == 421
    assert status("remove.example", public_url="https://remove.example:8443/") == 200
    assert status("box.lan", host="box.lan") == 200
    assert status(socket.gethostname()) == 200


def test_request_without_a_host_is_answered() -> None:
    assert status("") == 200


@pytest.mark.parametrize("wrong", ["https://api.example", "*.example", "a b", "api.example/x"])
def test_entry_that_is_not_a_host_name_stops_the_start(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"ALLOWED_HOSTS is .*host names such as remove\.example\.com"):
        load_settings(allowed_hosts=wrong)
