"""Sources that fail, send without end, or never answer: none can hold a fetch up."""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from services.capacity.deadline import Deadline
from services.errors import Busy, DeadlineExceeded, ServiceError
from services.net.client import MAX_LOOKUPS
from services.net.errors import SourceFailed, SourceTimeout
from tests.support.servers.sources import (
    BODY,
    MAX_BYTES,
    PUBLIC,
    URL,
    Behaviour,
    Network,
    answer,
    fetcher,
    good,
    refusal,
)
from tests.support.waiting import poll


def reset(connection: socket.socket, _head: bytes) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def endless(head: bytes, piece: bytes) -> Behaviour:
    """Sends the head once, and the piece for as long as somebody listens."""

    def behave(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(head)
        many = piece * (1 + 50_000 // len(piece))
        while True:
            connection.sendall(many)

    return behave


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
FAILING: dict[str, Behaviour | bytes] = {
    "says nothing and closes": b"",
    "closes mid-head": b"HTTP/1.1 200 OK\r\nContent-",
    "closes mid-body": answer(b"x" * 10, Content_Length="11"),
    "closes mid-chunk": CHUNKED + b"a\r\nxxx",
    "closes without a last chunk": CHUNKED + b"3\r\nxxx\r\n",
    "resets": reset,
    "is not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "is HTTP/0.9": b"<html>",
    "is HTTP/2": b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80",
    "headers for ever": endless(b"HTTP/1.1 200 OK\r\n", b"X-Header: value\r\n"),
    "one header for ever": endless(b"HTTP/1.1 200 OK\r\nX-Header: ", b"x"),
    "10 000 headers": b"HTTP/1.1 200 OK\r\n" + b"X-Header: value\r\n" * 10_000 + b"\r\n",
    "a status line for ever": endless(b"HTTP/1.1 200 ", b"O"),
    "100 Continue for ever": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "trailers for ever": endless(CHUNKED + b"0\r\n", b"X-Trailer: value\r\n"),
    "chunk extensions for ever": endless(CHUNKED + b"1;", b"x"),
    "small chunks in large lines": endless(CHUNKED, b"1;" + b"x" * 1000 + b"\r\na\r\n"),
    "a chunk of endless size": endless(CHUNKED, b"f"),
    "a bad chunk size": CHUNKED + b"-1\r\nxxx\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\nabc",
    "a length of many digits": b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\nabc",
    "gzip": answer(BODY, Content_Encoding="gzip"),
    "br, br, br": answer(BODY, Content_Encoding="br,br,br"),
    "a second encoding": answer(BODY, Content_Encoding="identity\r\nContent-Encoding: zstd"),
    "gzip as transfer coding": answer(BODY, Transfer_Encoding="gzip"),
    "switching protocols": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "a part": answer(BODY, "206 Partial Content"),
    "not found": answer(BODY, "404 Not Found"),
    "an error": answer(BODY, "500 Oops"),
    "no bytes": answer(b""),
}


@pytest.mark.parametrize("name", FAILING)
def test_failing_source_raises_source_failed(name: str) -> None:
    start = time.monotonic()
    with good(FAILING[name]) as (_, network):
        error = refusal(network, URL)
        assert (error.code, error.status) == ("source_failed", 502)
        assert time.monotonic() - start < 10
        assert len(network.connected) == 1


@pytest.mark.parametrize("name", [name for name in FAILING if "for ever" in name])
def test_head_and_framing_are_bounded_at_any_image_limit(name: str) -> None:
    with good(FAILING[name]) as (_, network):
        assert isinstance(refusal(network, URL, max_bytes=10**12), SourceFailed)


def test_chunks_of_one_byte_end_long_before_the_limit() -> None:
    with good(endless(CHUNKED, b"1\r\nx\r\n" * 1000)) as (_, network):
        error = refusal(network, URL, max_bytes=16 << 20)
        assert isinstance(error, SourceFailed)
        assert "framing" in error.details


ENDLESS = {
    "a body without a length": b"HTTP/1.1 200 OK\r\n\r\n",
    "a length beyond all measure": answer(Content_Length="9" * 19),
    "a length a byte too large": answer(Content_Length=str(MAX_BYTES + 1)),
}


@pytest.mark.parametrize("name", [*ENDLESS, "chunks"])
def test_a_body_that_is_too_large_is_not_read_to_its_end(name: str) -> None:
    behaviour = endless(CHUNKED, b"10\r\n" + b"x" * 16 + b"\r\n") if name == "chunks" else endless(ENDLESS[name], b"x")
    with good(behaviour) as (_, network):
        error = refusal(network, URL)
        assert (error.code, error.status) == ("upload_too_large", 413)
        assert str(MAX_BYTES) in error.details


def dribbling(head: bytes, piece: bytes = b"x") -> Behaviour:
    """Sends the head, and then a piece now and then, so that no single wait is long."""

    def behave(connection: socket.socket, _head: bytes) -> None:
        connection.sendall(head)
        tick = threading.Event()
        while not tick.wait(0.05):
            connection.sendall(piece)

    return behave


SLOW: dict[str, Behaviour] = {
    "silent": dribbling(b"", b""),
    "a status line": dribbling(b"HTTP/1.1 2"),
    "headers": dribbling(b"HTTP/1.1 200 OK\r\n", b"X: y\r\n"),
    "continues": dribbling(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body": dribbling(answer(Content_Length="1000")),
    "chunks": dribbling(CHUNKED, b"1\r\nx\r\n"),
    "a chunk's size": dribbling(CHUNKED, b"0"),
    "silent after the head": dribbling(answer(Content_Length="1000"), b""),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SLOW)
def test_a_source_that_dribbles_is_left_when_its_time_is_over(name: str) -> None:
    with good(SLOW[name]) as (_, network):
        start = time.monotonic()
        error = refusal(network, URL, seconds=0.5)
        assert (error.code, error.status) == ("source_timeout", 504)
        assert 0.5 <= time.monotonic() - start < 10  # by itself it takes for ever


def test_redirects_share_one_clock() -> None:
    def behave(connection: socket.socket, _head: bytes) -> None:
        threading.Event().wait(0.25)
        connection.sendall(answer(status="302 Found", Location="/again"))

    with good(behave) as (_, network):
        assert isinstance(refusal(network, URL, seconds=0.6), SourceTimeout)
        assert 2 <= len(network.connected) <= 3


def test_a_handshake_that_never_ends_is_left_too() -> None:
    def behave(connection: socket.socket, _head: bytes) -> None:
        connection.recv(1)

    with good(behave) as (_, network):
        assert isinstance(refusal(network, "https://good.example/", seconds=0.5), SourceTimeout)


@pytest.fixture
def unaccepting() -> Iterator[int]:
    """The port of a server whose queue is full: connections to it never come about."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port: int = listener.getsockname()[1]
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                waiting = stack.enter_context(socket.socket())
                waiting.setblocking(False)
                waiting.connect_ex(("127.0.0.1", port))
            yield port


def test_a_server_that_never_accepts_is_left(unaccepting: int) -> None:
    network = Network({"good.example": [[PUBLIC]]}, {PUBLIC: unaccepting})
    assert isinstance(refusal(network, URL, seconds=0.5), SourceTimeout)


def test_a_port_that_is_closed_is_the_source_s_failure() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        network = Network({"good.example": [[PUBLIC]]}, {PUBLIC: closed.getsockname()[1]})
        error = refusal(network, URL)
        assert isinstance(error, SourceFailed)
        assert PUBLIC not in str(error)


@pytest.mark.slow
def test_silent_name_server_delays_no_caller_beyond_the_fetch() -> None:
    over = threading.Event()
    network = Network({}, {})

    def never(_host: str, _port: int) -> list[str]:
        over.wait(30)
        return [PUBLIC]

    network.resolve = never  # type: ignore[method-assign, assignment]
    one = fetcher(network, seconds=0.3)
    try:
        with pytest.raises(SourceTimeout):
            one.fetch(URL, Deadline())
        many = fetcher(network, seconds=0.1)
        found = []
        for _ in range(MAX_LOOKUPS + 1):
            with pytest.raises(ServiceError) as refused:
                many.fetch(URL, Deadline())
            found.append(type(refused.value))
        assert found == [SourceTimeout] * MAX_LOOKUPS + [Busy]
        assert network.connected == []
    finally:
        over.set()
    poll(lambda: not [t for t in threading.enumerate() if t.name == "lookup"], 5, "the look-ups' end")


def test_the_request_s_deadline_counts_as_well() -> None:
    with good(SLOW["silent"]) as (_, network), pytest.raises(DeadlineExceeded):
        fetcher(network).fetch(URL, Deadline(0.3))
