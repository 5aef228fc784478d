"""The worker class of the service: it ends connections that hold others up, and stops without losing a request."""

import contextlib
import socket
import time
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Any, Final

from config import Settings
from routes.http.context import EXTENSION
from routes.server.connection import SILENCE_SECONDS, Connection
from routes.server.polling_worker import PollingWorker
from services.capacity.resources import process_bytes

# While requests wait for a thread: the silence that ends one, and the time in which a caller should take a response;
# beyond it, a peer keeps no more than its share of threads.
PRESSED_SECONDS: Final = 5.0
SENDING_SECONDS: Final = 2.0
# Younger connections are not closed to make room for others.
NEW_SECONDS: Final = 1.0
# Bytes a second: a slower upload counts as idle.
UPLOAD_BYTES: Final = 1024
CHECK_SECONDS: Final = 0.25
# A worker is not replaced for its memory before this age, and looks at it this often.
MIN_AGE_SECONDS: Final = 60.0
MEMORY_SECONDS: Final = 5.0


class WebWorker(PollingWorker):
    """A worker with clocks for the header, a silent body, and a response that is not read.

    On SIGTERM it accepts the connections that already wait, then closes its listeners.
    """

    alive: bool
    # Those of the master's start, or of its last reload.
    settings: Settings | None = None
    # Above it the worker ends, and the master starts another; 0: never.
    max_memory_bytes = 0

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._next_check = 0.0
        self._next_memory_check = time.monotonic() + MIN_AGE_SECONDS

    def service(self) -> Any:
        """Return the app's parts; None before there is an app."""
        return getattr(getattr(self, "wsgi", None), "extensions", {}).get(EXTENSION)

    def accept(self, listener: socket.socket) -> None:
        super().accept(listener)
        self.make_room(time.monotonic())

    def make_room(self, now: float) -> None:
        """Close a connection where the worker has as many as it may: it would accept nobody."""
        if self.alive and self.nr_conns >= self.worker_connections and (conn := self.least_useful(now)):
            with contextlib.suppress(ValueError):
                self.keepalived_conns.remove(conn)
            self.drop(conn)

    def least_useful(self, now: float) -> Connection | None:
        """Return a connection that is closing; else one of the peer that has half of all connections: an idle one, its
        last queued request, or the slowest; else any idle one, or the slowest."""
        if self.lingering:
            return next(iter(self.lingering))
        held = Counter(conn.peer for conn in (*self.waiting, *self.ready, *self.busy) if self.has_share(conn))
        greedy = {peer for peer, count in held.items() if count > self.worker_connections // 2}
        waiting = [conn for conn in self.waiting if conn.peer in greedy]
        kept = [conn for conn in self.keepalived_conns if conn.peer in greedy]
        queued = [conn for conn in self.ready if conn.peer in greedy]
        old = [conn for conn in self.waiting if now - conn.since > NEW_SECONDS]
        return (
            idle(waiting, kept, now)
            or next(reversed(queued), None)
            or slowest(waiting, now)
            or idle(old, self.keepalived_conns, now)
            or slowest(old or self.waiting, now)
        )

    def murder_keepalived(self, force: bool = False) -> None:
        """End connections whose time is over; called at least every second."""
        now = time.monotonic()
        if now >= self._next_check:
            self._next_check = now + CHECK_SECONDS
            for conn in [conn for conn in self.waiting if now > conn.deadline]:
                self.drop(conn)
            for conn in [conn for conn, end in self.lingering.items() if now > end]:
                self.drop(conn)
            is_pressed = bool(self.ready) and len(self.busy) >= self.cfg.threads
            self.end_slow(now, PRESSED_SECONDS if is_pressed else SILENCE_SECONDS)
            self.make_room(now)
            if is_pressed:
                self.free_threads(now)
            self.end_if_too_large(now)
        super().murder_keepalived(force)

    def end_if_too_large(self, now: float) -> None:
        """Stop, as after MAX_REQUESTS, where the process holds more memory than it may."""
        if not self.max_memory_bytes or now < self._next_memory_check or not self.alive:
            return
        self._next_memory_check = now + MEMORY_SECONDS
        if (held := process_bytes()) > self.max_memory_bytes:
            self.log.info("Worker holds %d MB, more than WEB_MAX_MEMORY_MB: another one replaces it", held >> 20)
            self.alive = False

    def end_slow(self, now: float, silence: float) -> None:
        """End bodies that are silent for longer, or still not whole, and responses that nobody reads."""
        deadlines = self.service().response_deadlines if self.service() else {}
        for conn, end in list(self.busy.items()):
            until = deadlines.get(conn.sock, 0.0)
            if now <= until:
                continue
            # A long answer that is still not read whole ends both ways.
            if conn.sock.silence(now) > silence or (now > end and not conn.sock.sends):
                self.shut(conn, socket.SHUT_RDWR if until or conn.sock.sends else socket.SHUT_RD)

    def free_threads(self, now: float) -> None:
        """End responses that peers read slowly beyond their share of threads, longest first."""
        sending = [conn for conn in self.busy if self.has_share(conn) and conn.sock.sending_for(now) > SENDING_SECONDS]
        kept: Counter[str] = Counter()
        for conn in sorted(sending, key=lambda conn: conn.sock.sending_for(now)):
            kept[conn.peer] += 1
            if kept[conn.peer] > self.share:
                self.shut(conn, socket.SHUT_RDWR)

    def shut(self, conn: Connection, how: int) -> None:
        """End the wait of a connection's thread, which then closes it."""
        with contextlib.suppress(OSError):
            conn.sock.shutdown(how)

    def handle_exit(self, sig: int, frame: object) -> None:
        if self.service():
            self.service().draining.set()
        super().handle_exit(sig, frame)

    def set_accept_enabled(self, enabled: bool) -> None:
        super().set_accept_enabled(enabled)
        if enabled or self.alive:
            return
        # Not only on SIGTERM: also after MAX_REQUESTS, or for its memory.
        if self.service():
            self.service().draining.set()
        for listener in self.sockets:
            listener.setblocking(False)
            before = -1
            while before != self.nr_conns:  # accept() counts up until nothing waits
                before = self.nr_conns
                self.accept(listener)
            # From here on callers are refused at once, not accepted and then reset.
            listener.close()

    def _cap_keepalive(self, deadline: float) -> None:
        super()._cap_keepalive(deadline)
        for conn in self.waiting:
            if not conn.received:
                conn.deadline = min(conn.deadline, deadline)


def idle(waiting: Collection[Connection], kept: Iterable[Connection], now: float) -> Connection | None:
    """Return the slowest connection that is no longer new and sends no upload; else the one kept alive longest."""
    silent = [conn for conn in waiting if not conn.has_header or conn.rate(now) < UPLOAD_BYTES]
    return slowest([conn for conn in silent if now - conn.since > NEW_SECONDS], now) or next(iter(kept), None)


def slowest(connections: Collection[Connection], now: float) -> Connection | None:
    """Return the slowest connection of the peer that has the most of them."""
    held = Counter(conn.peer for conn in connections)
    return max(connections, key=lambda conn: (held[conn.peer], -conn.rate(now)), default=None)
