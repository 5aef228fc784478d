"""The name under which a request calls the service."""

import socket

import pytest
from flask import Flask

from routes.http.hosts import host_name, is_address, is_own_name, own_names


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
