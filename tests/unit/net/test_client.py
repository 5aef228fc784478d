"""One HTTP request to a named host: which addresses it may reach, what it sends, and what it makes of the response."""

import contextlib
from collections.abc import Iterator

import pytest

from services.capacity.deadline import Deadline
from services.net.client import NOT_PUBLIC, UNREACHABLE, Answer, Outbound
from services.net.errors import ForbiddenSource, SourceFailed
from services.net.stream import Budget
from services.net.urls import parse_url
from tests.support.servers.sources import Network, Source, answer, source
from tests.support.waiting import free_port

PUBLIC, OTHER = "93.184.216.34", "1.1.1.1"
URL = "http://good.example/hook?a=b"


def outbound(network: Network, *hosts: str) -> Outbound:
    return Outbound(ports=(80, 443), hosts=hosts, resolve=network.resolve, connect=network.connect)


@contextlib.contextmanager
def good(response: bytes) -> Iterator[tuple[Source, Network]]:
    """A source known as good.example, at a public address."""
    with source(response) as running:
        yield running, Network({"good.example": [[PUBLIC]]}, {PUBLIC: running.port})


def request(client: Outbound, url: str = URL, method: str = "GET", body: bytes = b"") -> tuple[Answer, bytes]:
    """The response's head and its whole body."""
    budget = Budget(5.0, 100_000, Deadline())
    with client.request(method, parse_url(url), budget, [("X-Own", "1")], body) as found:
        return found, b"".join(found.body)


def test_post_sends_its_body_and_headers_once() -> None:
    with good(answer(b"thanks", Set_Cookie="a")) as (server, network):
        found, body = request(outbound(network), method="POST", body=b'{"id": 1}')
        assert (found.status, found.all("set-cookie"), body) == (200, ["a"], b"thanks")
        (head,) = server.requests
        assert head.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
        assert b"\r\nContent-Length: 9\r\n" in head
        assert b"\r\nX-Own: 1\r\n" in head
        assert b"\r\nVia: 1.1 background-remover\r\n" in head


def test_private_address_is_reached_only_for_an_opened_host() -> None:
    with source(answer(b"inside")) as running:
        network = Network({"good.example": [["10.0.0.1"]]}, {"10.0.0.1": running.port})
        with pytest.raises(ForbiddenSource, match=NOT_PUBLIC):
            request(outbound(network))
        assert network.connected == []
        assert request(outbound(network, "good.example"))[1] == b"inside"


def test_closed_port_is_refused_before_a_lookup() -> None:
    network = Network({"good.example": [[PUBLIC]]}, {})
    with pytest.raises(ForbiddenSource, match="not one of 80, 443"):
        request(outbound(network), "http://good.example:6379/")
    assert network.looked_up == []


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://[::1]/", "http://printer/", "http://a.internal/", "http://1.1.1.1:22/"]
)
def test_target_that_its_url_shows_to_be_closed_is_refused_without_a_lookup(url: str) -> None:
    network = Network({}, {})
    with pytest.raises(ForbiddenSource):
        outbound(network).refuse_closed(parse_url(url))
    assert network.looked_up == []


def test_public_and_opened_hosts_are_not_refused_before_their_lookup() -> None:
    network = Network({}, {})
    for url in ("https://good.example/", "http://1.1.1.1/"):
        outbound(network).refuse_closed(parse_url(url))
    for host, url in (("10.0.0.1", "http://10.0.0.1/"), ("printer:9000", "http://printer:9000/")):
        outbound(network, host).refuse_closed(parse_url(url))
    assert network.looked_up == []


def test_next_address_is_tried_after_a_refused_connection() -> None:
    with good(answer(b"second")) as (server, _):
        network = Network({"good.example": [[OTHER, PUBLIC]]}, {OTHER: free_port(), PUBLIC: server.port})
        assert request(outbound(network))[1] == b"second"
        assert network.connected == [(OTHER, 80), (PUBLIC, 80)]


def test_unreachable_host_fails() -> None:
    network = Network({"good.example": [[PUBLIC]]}, {PUBLIC: free_port()})
    with pytest.raises(SourceFailed, match=UNREACHABLE):
        request(outbound(network))


def test_response_that_is_not_http_fails() -> None:
    with good(b"SSH-2.0-OpenSSH\r\n\r\n") as (_, network), pytest.raises(SourceFailed, match="not HTTP"):
        request(outbound(network))
