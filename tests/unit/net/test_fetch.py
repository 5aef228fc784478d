"""Fetching a caller's URL: nothing but the public internet is ever connected to, and no source can hold us up.

Names are answered from a table and every connection is recorded; hostile servers are real ones, on loopback.
"""

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import structlog

from services.capacity.deadline import Deadline
from services.errors import Busy, ClientGone, ServiceError, UploadTooLarge
from services.net import stream
from services.net.client import NOT_PUBLIC, Outbound
from services.net.errors import ForbiddenSource, SourceFailed
from services.net.urls import parse_url
from tests.support.servers.sources import (
    BODY,
    MAX_BYTES,
    PUBLIC,
    URL,
    Authority,
    Behaviour,
    Network,
    answer,
    fetcher,
    good,
    refusal,
    source,
)
from tests.support.waiting import poll

OTHER = "1.1.1.1"
HOMOGRAPH = "http://m\u0456nio:9000/"  # a Cyrillic letter


# --- what is fetched ---


def test_a_public_url_is_fetched_from_the_address_that_was_checked() -> None:
    with good(answer(BODY)) as (server, network):
        fetched = fetcher(network).fetch(f"{URL}?signature=a%2Fb#part", Deadline())
        assert (fetched.data, fetched.name) == (BODY, "photo.jpg")
        assert (network.looked_up, network.connected) == (["good.example"], [(PUBLIC, 80)])
        (request,) = server.requests
        head, *lines = request.decode().rstrip().split("\r\n")
        assert head == "GET /a/photo.jpg?signature=a%2Fb HTTP/1.1"
        assert sorted(lines) == [
            "Accept-Encoding: identity",
            "Accept: image/*, */*;q=0.5",
            "Connection: close",
            "Host: good.example",
            "User-Agent: background-remover",
            "Via: 1.1 background-remover",
        ]


@pytest.mark.parametrize(
    "wire",
    [
        answer(BODY, Content_Type="text/html"),
        answer(BODY, Content_Encoding="identity"),
        b"HTTP/1.1 200 OK\r\n\r\n" + BODY,
        b"HTTP/1.0 200 OK\r\n\r\n" + BODY,
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\n\x89PNG\r\n%x\r\n%s\r\n0\r\nT: v\r\n\r\n"
        % (len(BODY) - 4, BODY[4:]),
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + answer(BODY),
        answer(BODY) + b"more than was announced",
        answer(BODY, Set_Cookie="a=b"),
    ],
    ids=["html", "identity", "until the end", "1.0", "chunked", "hints", "content-length smaller", "cookie"],
)
def test_an_answer_of_any_lawful_form_is_taken(wire: bytes) -> None:
    with good(wire) as (_, network):
        assert fetcher(network).fetch(URL, Deadline()).data == BODY


def test_the_largest_image_is_taken_and_a_byte_more_is_not() -> None:
    for body, ok in ((bytes(MAX_BYTES), True), (bytes(MAX_BYTES + 1), False)):
        for wire in (answer(body), b"HTTP/1.1 200 OK\r\n\r\n" + body):
            with good(wire) as (_, network):
                if ok:
                    assert len(fetcher(network).fetch(URL, Deadline()).data) == MAX_BYTES
                else:
                    assert isinstance(refusal(network, URL), UploadTooLarge)


def test_an_address_that_takes_no_connection_gives_way_to_the_next() -> None:
    with good(answer(BODY)) as (server, network):
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            network.ways = {OTHER: closed.getsockname()[1], PUBLIC: server.port}
            network.names = {"good.example": [[OTHER, PUBLIC]]}
            assert fetcher(network).fetch(URL, Deadline()).data == BODY
        assert network.connected == [(OTHER, 80), (PUBLIC, 80)]


# --- what is never connected to ---


def literal(address: str) -> str:
    return f"http://[{address}]/" if ":" in address else f"http://{address}/"


_NO_HOSTS = (
    "http://localhost/ http://localhost./ http://a.localhost/ http://redis/ http://minio/ http://app/ "
    "http://printer.local/ http://metadata.google.internal/ http://nas.home.arpa/"
)
NO_HOSTS = _NO_HOSTS.split()
NO_PORTS = [f"http://good.example:{port}/" for port in (22, 25, 6379, 8080)]
# What the addresses are hidden in is refused as no URL: tests/unit/net/test_urls.py.
NO_URLS = ["http://2130706433/", "http://0x7f.1/", "file:///etc/passwd", "gopher://good.example/", "data:,x"]
# `test_addresses.py` has them all; here one of each kind has to stop a fetch.
SOME_CLOSED = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:127.0.0.1"]
CLOSED_URLS = [*map(literal, SOME_CLOSED), *NO_HOSTS[:3], *NO_PORTS[:1], *NO_URLS]


@pytest.mark.parametrize("url", CLOSED_URLS)
def test_non_public_url_is_neither_resolved_nor_connected_to(url: str) -> None:
    network = Network({"good.example": [[PUBLIC]]}, {})
    error = refusal(network, url)
    assert (error.code, error.status) == (("bad_url", 400) if url in NO_URLS else ("forbidden_source", 403))
    assert (network.looked_up, network.connected) == ([], [])


@pytest.mark.parametrize("address", SOME_CLOSED)
def test_a_name_that_leads_to_a_closed_address_is_not_connected_to(address: str) -> None:
    for answers in ([address], [PUBLIC, address], [address, PUBLIC], [PUBLIC, "2606:4700::1", address]):
        network = Network({"good.example": [answers]}, {})
        error = refusal(network, URL)
        assert (error.code, error.details) == ("forbidden_source", NOT_PUBLIC)
        assert (network.looked_up, network.connected) == (["good.example"], [])


def test_unknown_name_gets_the_same_error_as_a_private_one() -> None:
    inside = refusal(Network({"good.example": [["10.0.0.1"]]}, {}), URL)
    nowhere = refusal(Network({}, {}), URL)
    unqualified = refusal(Network({}, {}), "http://redis/")
    assert inside.args == nowhere.args == unqualified.args
    assert (inside.status, inside.code) == (nowhere.status, nowhere.code)


def test_name_is_resolved_only_once_per_connection() -> None:
    with good(answer(BODY)) as (_, network):
        network.names = {"good.example": [[PUBLIC], ["127.0.0.1"]]}
        assert fetcher(network).fetch(URL, Deadline()).data == BODY
        assert (network.looked_up, network.connected) == (["good.example"], [(PUBLIC, 80)])


def test_redirect_to_the_same_name_is_resolved_and_checked_again() -> None:
    with good(answer(status="302 Found", Location="/b")) as (_, network):
        network.names = {"good.example": [[PUBLIC], ["127.0.0.1"]]}
        assert refusal(network, URL).code == "forbidden_source"
        assert network.connected == [(PUBLIC, 80)]


@pytest.mark.parametrize("url", CLOSED_URLS)
@pytest.mark.parametrize("status", ["301 Moved Permanently", "307 Temporary Redirect"])
def test_redirect_to_a_closed_address_is_not_followed(url: str, status: str) -> None:
    with good(answer(status=status, Location=url)) as (_, network):
        error = refusal(network, URL)
        assert error.code == ("source_failed" if url in NO_URLS else "forbidden_source")
        assert network.connected == [(PUBLIC, 80)]


def test_the_environment_s_proxy_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with source(answer(b"from the proxy")) as proxy, good(answer(BODY)) as (_, network):
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        assert fetcher(network).fetch(URL, Deadline()).data == BODY
        assert proxy.requests == []


def test_fetching_that_is_turned_off_does_nothing() -> None:
    network = Network({"good.example": [[PUBLIC]]}, {})
    error = refusal(network, URL, enabled=False)
    assert isinstance(error, ForbiddenSource)
    assert "turned off" in error.details
    assert (network.looked_up, network.connected) == ([], [])


def test_hosts_that_the_operator_opened_are_fetched_from_wherever_they_lead() -> None:
    with source(answer(BODY)) as inner:
        network = Network({"minio": [["10.0.0.5"]]}, {"10.0.0.5": inner.port, "::1": inner.port})
        hosts = ("minio:9000", "MINIO", "[::1]:9000")
        for url in ("http://minio:9000/b/k", "http://minio/b/k", "http://[::1]:9000/k"):
            assert fetcher(network, hosts=hosts).fetch(url, Deadline()).data == BODY
        tried = len(network.connected)
        for url in (
            "http://minio:9001/",
            "http://[::1]/",
            "http://10.0.0.5:9000/",
            "http://minio.example:9000/",
            HOMOGRAPH,
        ):
            assert refusal(network, url, hosts=hosts).code == "forbidden_source"
        assert len(network.connected) == tried == 3


def test_anything_but_a_get_goes_through_the_same_door() -> None:
    with good(answer(b"", "204 No Content")) as (server, network):
        outbound = Outbound(ports=(80,), resolve=network.resolve, connect=network.connect)
        budget = stream.Budget(5, MAX_BYTES, Deadline())
        big = bytes(3_000_000)
        with outbound.request("POST", parse_url(URL), budget, [("X-Sign", "1")], b"{}") as answered:
            assert answered.status == 204
        assert server.requests[0].endswith(b"Content-Length: 2\r\nX-Sign: 1\r\n\r\n{}")
        with (
            pytest.raises(ForbiddenSource),
            outbound.request("POST", parse_url("http://127.0.0.1/"), budget, [], big),
        ):
            pass
    assert network.connected == [(PUBLIC, 80)]


# --- redirects ---


def redirecting(*locations: str) -> Behaviour:
    """Leads through the locations, one a request, and then answers."""
    left = iter(locations)

    def behave(connection: socket.socket, _head: bytes) -> None:
        location = next(left, None)
        connection.sendall(answer(BODY) if location is None else answer(b"x" * 99, "302 Found", Location=location))

    return behave


def test_five_redirects_are_followed_and_no_sixth() -> None:
    for count, ok in ((5, True), (6, False)):
        with good(redirecting(*(f"/{n}?s=1" for n in range(count)))) as (server, network):
            if ok:
                fetched = fetcher(network).fetch(URL, Deadline())
                assert (fetched.data, fetched.name) == (BODY, "photo.jpg")
            else:
                assert isinstance(refusal(network, URL), SourceFailed)
            assert len(server.requests) == len(network.connected) == 6


def test_a_redirect_carries_nothing_of_the_first_request_to_another_host() -> None:
    with source(answer(BODY)) as other, good(redirecting("//other.example/x")) as (_, network):
        network.names["other.example"] = [[OTHER]]
        network.ways[OTHER] = other.port
        assert fetcher(network).fetch(f"{URL}?secret=1", Deadline()).data == BODY
        assert b"good.example" not in other.requests[0]
        assert b"secret" not in other.requests[0]


@pytest.mark.parametrize(
    "wire",
    [
        answer(status="302 Found"),
        answer(status="302 Found", Location=""),
        answer(status="302 Found", Location="https://"),
        answer(status="302 Found", Location="http://user@good.example/"),
        answer(status="302 Found", Location="/a b"),
        answer(status="302 Found", Location="\\\\good.example\\x"),
        answer(status="302 Found", Location="//[::1"),
        answer(status="300 Multiple Choices", Location="/b"),
        answer(status="304 Not Modified"),
        answer(status="305 Use Proxy", Location="http://good.example/"),
    ],
)
def test_a_redirect_that_leads_nowhere_is_the_source_s_failure(wire: bytes) -> None:
    with good(wire) as (_, network):
        assert isinstance(refusal(network, URL), SourceFailed)
        assert len(network.connected) == 1


def test_the_body_of_a_redirect_is_not_read() -> None:
    bomb = answer(status="302 Found", Location="/b", Content_Length="3000000000", Content_Encoding="gzip")

    def behave(connection: socket.socket, head: bytes) -> None:
        connection.sendall(answer(BODY) if b"GET /b" in head else bomb)
        for _ in range(0 if b"GET /b" in head else 1000):
            connection.sendall(bytes(100_000))

    with good(behave) as (_, network):
        assert fetcher(network).fetch(URL, Deadline()).data == BODY


# --- TLS ---


def test_tls_is_verified_against_the_name_that_was_asked_for(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    asked: list[str] = []
    context = authority.server("good.example")
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with good(answer(BODY), context) as (_, network):
        fetched = fetcher(network, tls=authority.client).fetch(URL.replace("http", "https"), Deadline())
        assert fetched.data == BODY
        assert asked == ["good.example"]
        assert network.connected == [(PUBLIC, 443)]


def test_only_authorities_of_the_system_count_by_default(tmp_path: Path) -> None:
    with good(answer(BODY), Authority(tmp_path).server("good.example")) as (server, network):
        assert "certificate" in refusal(network, "https://good.example/").details
        assert server.requests == []


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["wrong name", "expired", "not yet valid", "unknown authority", "no TLS"])
def test_a_certificate_that_is_not_right_ends_the_fetch_before_anything_is_sent(fault: str, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    contexts: dict[str, Callable[[], ssl.SSLContext | None]] = {
        "wrong name": lambda: authority.server("evil.example"),
        "expired": lambda: authority.server("good.example", (-2, -1)),
        "not yet valid": lambda: authority.server("good.example", (1, 2)),
        "unknown authority": lambda: Authority(tmp_path).server("good.example"),
        "no TLS": lambda: None,
    }
    context = contexts[fault]()
    with good(answer(BODY), context) as (server, network):
        error = refusal(network, "https://good.example/?secret=1", tls=authority.client, seconds=2)
        assert error.code in ("source_failed", "source_timeout")
        assert not any(b"secret" in request for request in server.requests)


def test_a_redirect_from_https_to_http_is_not_followed(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with good(answer(status="302 Found", Location=URL), authority.server("good.example")) as (_, network):
        error = refusal(network, "https://good.example/", tls=authority.client)
        assert "https to http" in error.details
        assert network.connected == [(PUBLIC, 443)]


# --- places, and callers ---


def test_a_caller_that_goes_ends_its_fetch() -> None:
    gone = threading.Event()

    def behave(connection: socket.socket, _head: bytes) -> None:
        gone.set()
        connection.recv(1)

    with good(behave) as (_, network):
        start = time.monotonic()
        with pytest.raises(ClientGone):
            fetcher(network).fetch(URL, Deadline(60, gone.is_set))
        assert time.monotonic() - start < 20


def test_simultaneous_fetches_are_bounded_and_free_their_places() -> None:
    go = threading.Event()

    def behave(connection: socket.socket, _head: bytes) -> None:
        go.wait(10)
        connection.sendall(answer(BODY))

    outcomes: list[str] = []
    with good(behave) as (server, network), ThreadPoolExecutor(100) as pool:
        bounded = fetcher(network, places=3, on_outcome=outcomes.append)

        def ask(_: int) -> bytes | type[ServiceError]:
            try:
                return bounded.fetch(URL, Deadline()).data
            except ServiceError as exc:
                return type(exc)

        answers = pool.map(ask, range(100))
        poll(lambda: outcomes.count("busy") == 97, 30, "97 refusals")
        assert len(server.requests) <= 3
        go.set()
        found = list(answers)
        assert (found.count(BODY), found.count(Busy)) == (3, 97)
        assert ask(0) == BODY
    assert sorted(set(outcomes)) == ["busy", "ok"]


@pytest.mark.parametrize(
    ("make", "code"),
    [
        (lambda: answer(BODY), "ok"),
        (lambda: answer(BODY, "404 Not Found"), "source_failed"),
        (lambda: answer(status="302 Found", Location="http://10.0.0.1/?token=hidden"), "forbidden_source"),
    ],
)
def test_the_log_has_host_and_outcome_and_nothing_of_the_url(make: Callable[[], bytes], code: str) -> None:
    outcomes: list[str] = []
    with good(make()) as (_, network), structlog.testing.capture_logs() as lines, contextlib.suppress(ServiceError):
        fetcher(network, on_outcome=outcomes.append).fetch(f"{URL}?token=hidden", Deadline())
    (line,) = lines
    assert (line["host"], line["outcome"]) == ("good.example", code)
    assert "hidden" not in str(line)
    assert "photo" not in str(line)
    assert outcomes == [code]
