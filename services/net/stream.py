"""Sockets that never wait longer than an exchange may take: one clock, one byte count, regular checks of the client."""

import select
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from typing import Final, TypeVar

from services.capacity.deadline import Deadline
from services.net.addresses import Address
from services.net.errors import SourceFailed, SourceTimeout

# How often a waiter re-checks the clock and its client.
POLL_SECONDS: Final = 0.25
MAX_HEAD_BYTES: Final = 64 * 1024
READ_BYTES: Final = 64 * 1024

T = TypeVar("T")


def connect(address: Address, port: int) -> socket.socket:
    """Return a socket that has begun to connect without blocking. Raises `OSError`."""
    sock = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.connect((str(address), port))
    except BlockingIOError:
        pass  # it is under way
    except OSError:
        sock.close()
        raise
    return sock


class Budget:
    """The seconds and bytes of one exchange, redirects included."""

    def __init__(self, seconds: float, max_bytes: int, deadline: Deadline) -> None:
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        # Bytes on the wire beyond the body: heads and chunk lines.
        self._bytes_left = 2 * max_bytes + MAX_HEAD_BYTES
        self._deadline = deadline

    def next_check(self) -> float:
        """Return the seconds until the next check. Raises `SourceTimeout`, `DeadlineExceeded`, `ClientGone`."""
        self._deadline.check()
        left = self._ends - time.monotonic()
        if left <= 0:
            raise SourceTimeout(f"it was not done after {self._seconds:g} s")
        return min(left, POLL_SECONDS, self._deadline.remaining() or POLL_SECONDS)

    def wait(self, sock: socket.socket, event: int, until: float = float("inf")) -> bool:
        """Wait until the socket is ready and return True; return False when `until` (monotonic time) comes first."""
        poll = select.poll()
        poll.register(sock, event)
        while (left := min(self.next_check(), until - time.monotonic())) > 0:
            if poll.poll(left * 1000):
                return True
        return False

    def spend(self, count: int) -> None:
        """Count bytes that arrived. Raises `SourceFailed` when they are too many."""
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise SourceFailed("its answer does not end")


class Stream:
    """A connected socket, plain or TLS, whose every step waits within the budget."""

    def __init__(self, sock: socket.socket, budget: Budget) -> None:
        self._sock = sock
        self._budget = budget

    def start_tls(self, context: ssl.SSLContext, host: str) -> None:
        """Encrypt from here on; the certificate must be the host's. Raises `OSError`."""
        tls = context.wrap_socket(self._sock, server_hostname=host, do_handshake_on_connect=False)
        self._sock = tls
        self._retry(tls.do_handshake, select.POLLIN)

    def read(self) -> bytes:
        """Return the next bytes; none at the end. Raises `OSError`."""
        data = self._retry(partial(self._sock.recv, READ_BYTES), select.POLLIN)
        self._budget.spend(len(data))
        return data

    def write(self, data: bytes) -> None:
        """Send all bytes. Raises `OSError`."""
        sent = 0
        while sent < len(data):
            rest = data[sent : sent + READ_BYTES]
            sent += self._retry(partial(self._sock.send, rest), select.POLLOUT)

    def close(self) -> None:
        self._sock.close()

    def _retry(self, step: Callable[[], T], event: int) -> T:
        while True:
            self._budget.next_check()
            try:
                return step()
            except BlockingIOError:
                self._budget.wait(self._sock, event)
            except ssl.SSLWantReadError:
                self._budget.wait(self._sock, select.POLLIN)
            except ssl.SSLWantWriteError:
                self._budget.wait(self._sock, select.POLLOUT)
