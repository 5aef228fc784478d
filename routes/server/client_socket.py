"""A caller's socket that knows how long its thread has waited for the caller."""

import fcntl
import socket
import termios
import time
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

# Bytes that a blocked send hands to the kernel in one call.
SLICE_BYTES: Final = 64 * 1024


class ClientSocket(socket.socket):
    """A socket for one thread at a time; `silence` and `sending_for` may be called from another."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        # Of the request; "" where it is not known.
        self.path = ""
        self.sends = False
        self._waits_since = 0.0
        self._queued = -1
        self._moved_at = 0.0

    def recv(self, size: int, flags: int = 0, /) -> bytes:
        if flags:
            return super().recv(size, flags)
        self._waits_since = time.monotonic()
        try:
            return super().recv(size)
        finally:
            self._waits_since = 0.0

    def sendall(self, data: "ReadableBuffer", flags: int = 0, /) -> None:
        left = memoryview(data).cast("B")
        self.sends, self._waits_since = True, time.monotonic()
        try:
            while left:
                try:
                    sent = super().send(left, flags | socket.MSG_DONTWAIT)
                except BlockingIOError:
                    sent = super().send(left[:SLICE_BYTES], flags)
                    self._moved_at = time.monotonic()
                left = left[sent:]
        finally:
            self.sends, self._waits_since = False, 0.0

    def silence(self, now: float) -> float:
        """Return for how many seconds the caller has neither sent nor taken a byte that the thread waits for."""
        since = self._waits_since
        if not since:
            return 0.0
        if self.sends:
            queued = self._unread_bytes()
            # A blocked send returns only when much of the kernel's buffer is free: its level shows a slow reader.
            if queued != self._queued:
                self._queued, self._moved_at = queued, now
            since = max(since, self._moved_at)
        return now - since

    def sending_for(self, now: float) -> float:
        """Return for how many seconds the thread has been sending its current piece; 0 if it sends nothing."""
        since = self._waits_since
        return now - since if self.sends and since else 0.0

    def _unread_bytes(self) -> int:
        """Return how many sent bytes the caller's system has not confirmed; 0 where the system does not say."""
        answer: Any = bytes(4)
        try:
            return int.from_bytes(fcntl.ioctl(self.fileno(), termios.TIOCOUTQ, answer), "little")
        except (OSError, ValueError):
            return 0
