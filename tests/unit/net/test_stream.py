"""Sockets within a budget of seconds and bytes."""

import ipaddress
import select
import socket
import time
from collections.abc import Iterator

import pytest

from services.capacity.deadline import Deadline
from services.errors import ClientGone, DeadlineExceeded
from services.net.errors import SourceFailed, SourceTimeout
from services.net.stream import MAX_HEAD_BYTES, POLL_SECONDS, Budget, Stream, connect

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    """Two connected sockets, the first of which does not block."""
    near, far = socket.socketpair()
    near.setblocking(False)
    with near, far:
        yield near, far


def budget(seconds: float = 5.0, max_bytes: int = 1000, deadline: Deadline | None = None) -> Budget:
    return Budget(seconds, max_bytes, deadline or Deadline())


def test_next_check_is_never_later_than_the_end() -> None:
    assert budget(60).next_check() == POLL_SECONDS
    assert 0 < budget(0.1).next_check() <= 0.1
    ending = Deadline(100.0, started=time.monotonic() - 99.9)
    assert 0 < budget(60, deadline=ending).next_check() <= 0.1


def test_spent_time_expired_deadline_and_closed_connection_raise() -> None:
    with pytest.raises(SourceTimeout, match="not done after 0 s"):
        budget(0).next_check()
    with pytest.raises(DeadlineExceeded):
        budget(deadline=Deadline(1.0, started=time.monotonic() - 2)).next_check()
    with pytest.raises(ClientGone):
        budget(deadline=Deadline(gone=lambda: True)).next_check()


def test_bytes_beyond_the_budget_are_refused() -> None:
    spent = budget(max_bytes=1000)
    spent.spend(2000 + MAX_HEAD_BYTES)
    with pytest.raises(SourceFailed, match="does not end"):
        spent.spend(1)


def test_wait_returns_whether_the_socket_became_ready(pair: Pair) -> None:
    near, far = pair
    assert budget().wait(near, select.POLLIN, time.monotonic() + 0.01) is False
    far.sendall(b"x")
    assert budget().wait(near, select.POLLIN) is True


def test_stream_reads_writes_and_ends(pair: Pair) -> None:
    near, far = pair
    stream = Stream(near, budget())
    stream.write(b"question")
    assert far.recv(100) == b"question"
    far.sendall(b"answer")
    far.shutdown(socket.SHUT_WR)
    assert (stream.read(), stream.read()) == (b"answer", b"")


def test_connect_returns_before_the_connection_is_made() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with connect(ipaddress.IPv4Address("127.0.0.1"), port) as sock:
            assert sock.getblocking() is False
            assert budget().wait(sock, select.POLLOUT)
            assert sock.getpeername() == ("127.0.0.1", port)
