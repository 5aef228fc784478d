"""The name under which a request calls the service."""

import socket
from types import SimpleNamespace

import pytest
from flask import Flask

from config import ConfigError, Settings, load_settings
from routes.http.context import EXTENSION
from routes.http.errors import handle_errors
from routes.http.hosts import check_host, host_name, is_address, is_own_name, own_names


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


def test_only_loopback_addresses_are_this_machine_alone() -> None:
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
def test_entry_that_is_no_host_name_stops_the_start(wrong: str) -> None:
    with pytest.raises(ConfigError, match=r"ALLOWED_HOSTS is .*host names, as remove\.example\.com"):
        load_settings(allowed_hosts=wrong)
