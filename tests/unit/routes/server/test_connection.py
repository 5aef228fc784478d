import io
import socket
from collections.abc import Iterator

import pytest
from gunicorn.config import Config

from routes.server.client_socket import ClientSocket
from routes.server.connection import FIRST_BYTES, MAX_HEADER_BYTES, Connection, WatchedReader, peer_of

POST = b"POST /remove-background HTTP/1.1\r\nHost: x\r\n"


@pytest.fixture
def conn() -> Iterator[Connection]:
    ours, theirs = socket.socketpair()
    with theirs:
        made = Connection(Config(), ClientSocket(ours), ("192.0.2.1", 1), ("127.0.0.1", 80))
        made.expect_request(60)
        yield made
        made.close()


@pytest.mark.parametrize(
    ("request_bytes", "whole"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (POST + b"Content-Length: 5\r\n\r\n12345", True),
        (POST + b"content-length:5 \r\n\r\n12345GET / HT", True),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n", False),
        (POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n", False),
        (POST + b"Expect: 100-continue\r\nContent-Length: 5\r\n\r\n12345", True),
        # Gunicorn refuses these.
        (POST + b"Content-Length: five\r\n\r\n", True),
        (b"GET / HTTP/1.1\n\n", False),
        (b"GET /" + b"a" * 5000, False),
    ],
)
def test_request_is_ready_when_its_last_byte_is_there(conn: Connection, request_bytes: bytes, whole: bool) -> None:
    ready = [conn.add(request_bytes[at : at + 1]) for at in range(len(request_bytes))]
    assert ready.index(True) >= 0
    conn.expect_request(60)
    assert conn.add(request_bytes)
    assert conn.whole is whole


def test_request_waits_for_the_end_of_its_header_and_of_a_small_body(conn: Connection) -> None:
    head = POST + b"Content-Length: 3\r\n\r\n"
    assert [conn.add(bytes([byte])) for byte in head + b"abc"] == [False] * (len(head) + 2) + [True]


def test_a_large_body_is_ready_after_its_first_bytes(conn: Connection) -> None:
    assert not conn.add(POST + b"Content-Length: 1000000\r\n\r\n" + bytes(FIRST_BYTES - 1))
    assert conn.add(b"\0")
    assert not conn.whole


@pytest.mark.parametrize(
    ("start", "path"),
    [
        (b"GET /v1.0/removebg?size=auto HTTP/1.1\r\nX: ", "/v1.0/removebg"),
        (b"GET /models HTTP/1.1\n", "/models"),
        (b"GET /" + b"a" * 5000, ""),
        (b"nonsense\n", ""),
    ],
)
def test_a_request_that_cannot_be_parsed_has_a_path(conn: Connection, start: bytes, path: str) -> None:
    conn.add(start)
    conn.hand_over()
    assert conn.sock.path == path


def test_an_endless_header_is_noticed(conn: Connection) -> None:
    assert not conn.add(b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * (MAX_HEADER_BYTES // 6))
    assert conn.has_long_header


def test_the_clock_of_a_header_does_not_start_again_at_each_byte(conn: Connection) -> None:
    deadline = conn.deadline
    conn.add(b"GET ")
    assert conn.deadline == deadline
    conn.add(b"/ HTTP/1.1\r\nContent-Length: 10\r\n\r\n")
    assert conn.deadline > deadline


@pytest.mark.parametrize(
    ("line", "is_health"),
    [
        ("GET /health/live", True),
        ("HEAD /health", True),
        ("GET /api/v1/health?x=1", True),
        ("GET /healthy", False),
        ("POST /health", False),
        ("GET /models", False),
    ],
)
def test_health_checks_are_known_by_their_path(conn: Connection, line: str, is_health: bool) -> None:
    assert conn.add(f"{line} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    assert conn.is_health is is_health


def test_a_health_check_with_a_body_gets_no_separate_thread(conn: Connection) -> None:
    assert conn.add(b"GET /health HTTP/1.1\r\nContent-Length: 2\r\n\r\nab")
    assert not conn.is_health


def test_100_continue_is_sent_when_the_body_is_read(conn: Connection) -> None:
    conn.add(POST + b"Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    ours, caller = socket.socketpair()
    conn.close()
    conn.sock = ClientSocket(ours)
    with caller:
        reader = conn.reader = WatchedReader(io.BytesIO(b"body"), conn, is_expected=True)
        with pytest.raises(BlockingIOError):
            caller.recv(100, socket.MSG_DONTWAIT)
        assert reader.read(4) == b"body"
        assert caller.recv(100) == b"HTTP/1.1 100 Continue\r\n\r\n"
        assert not conn.whole
        assert reader.read(4) == b""
        assert conn.whole


@pytest.mark.parametrize(
    ("client", "peer"),
    [
        (("192.0.2.1", 4000), "192.0.2.1"),
        (("::ffff:192.0.2.1", 4000, 0, 0), "192.0.2.1"),
        (("2001:db8:1:2:3:4:5:6", 4000, 0, 0), "2001:db8:1:2::/64"),
        (("fe80::1%eth0", 4000, 0, 2), "fe80::/64"),
        ("", ""),
        (b"", ""),
    ],
)
def test_peer_is_an_address_or_the_network_of_an_ipv6_caller(client: object, peer: str) -> None:
    assert peer_of(client) == peer
