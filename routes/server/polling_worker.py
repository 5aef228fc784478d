"""Gunicorn's thread worker, except that a connection has no thread while it waits for its caller.

A connection waits in the poller until its request's first bytes are there; only then it gets a thread. Gunicorn's own
worker gives every connection a thread, which reads headers and the rest of refused bodies.
"""

import contextlib
import selectors
import socket
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from errno import EAGAIN, ECONNABORTED, EWOULDBLOCK
from functools import partial
from typing import Any, Final

import gunicorn.util
import structlog
from gunicorn.workers.gthread import ThreadWorker

from routes.server.client_socket import ClientSocket
from routes.server.connection import MAX_HEADER_BYTES, Connection, WatchedReader

READ_BYTES: Final = 64 * 1024
# Before a connection is closed, late bytes are discarded: a reset would keep many clients from the response.
# Above the body of the largest image as base64, so that a slightly larger one is answered; this holds no thread.
LINGER_SECONDS: Final = 2.0
LINGER_BYTES: Final = 32 * 1024 * 1024
# Health checks wait for no other request.
HEALTH_THREADS: Final = 2


class PollingWorker(ThreadWorker):  # type: ignore[misc]
    """A thread worker that reads the first bytes of requests, and discards late ones, in its main loop."""

    # A request's whole body, beyond which its connection reads no more.
    body_seconds: float
    # Callers share a proxy's address, so shares by address are for servers without one.
    is_behind_proxy: bool

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # In the order of their arrival: without a thread, ready for one, in one (and until when their body may take),
        # and closing (and until when).
        self.waiting: dict[Connection, None] = {}
        self.ready: dict[Connection, None] = {}
        self.busy: dict[Connection, float] = {}
        self.lingering: dict[Connection, float] = {}
        self.share = max(1, self.cfg.threads // 4)

    def init_process(self) -> None:
        self.health_pool = ThreadPoolExecutor(HEALTH_THREADS, thread_name_prefix="health")
        super().init_process()

    def accept(self, listener: socket.socket) -> None:
        try:
            accepted, client = listener.accept()
        except OSError as exc:
            if exc.errno not in (EAGAIN, ECONNABORTED, EWOULDBLOCK):
                raise
            return
        self.nr_conns += 1
        self.await_request(Connection(self.cfg, ClientSocket(accepted), client, listener.getsockname()))

    # --- before a thread ---------------------------------------------------------------------------------------------

    def await_request(self, conn: Connection, received: bytes = b"") -> None:
        """Wait for the next request's first bytes, of which some may be there."""
        conn.expect_request(self.body_seconds)
        if received and conn.add(received):
            self.dispatch(conn)
            return
        self.waiting[conn] = None
        self.watch(conn, self.on_request_bytes)

    def on_request_bytes(self, conn: Connection, _: object) -> None:
        # Closed by an event of the same round.
        if conn not in self.waiting:
            return
        data = self.receive(conn)
        if data is None:
            return
        # A caller that has stopped sending in the middle of a body gets an answer.
        if conn.add(data) if data else conn.has_header:
            self.stop_waiting(conn)
            self.dispatch(conn)
        elif not data:
            self.drop(conn)
        elif conn.has_long_header:
            self.stop_waiting(conn)
            self.refuse_header(conn)

    def stop_waiting(self, conn: Connection) -> None:
        del self.waiting[conn]
        self.poller.unregister(conn.sock)

    def refuse_header(self, conn: Connection) -> None:
        """Answer a header that is too long for the main loop."""
        conn.note_path()
        details = f"the header is longer than {MAX_HEADER_BYTES} bytes"
        with contextlib.suppress(OSError):
            gunicorn.util.write_error(conn.sock, 431, "Request Header Fields Too Large", details)
        self.linger(conn)

    def on_client_socket_readable(self, conn: Connection, client: socket.socket) -> None:
        if conn in self.keepalived_conns:
            self.poller.unregister(client)
            self.keepalived_conns.remove(conn)
            self.await_request(conn)

    def dispatch(self, conn: Connection) -> None:
        """Give a request to a thread, or queue it."""
        conn.hand_over()
        if conn.is_health:
            self.start(conn, self.health_pool)
            return
        self.ready[conn] = None
        self.start_ready()

    def start_ready(self) -> None:
        """Start queued requests while there are threads."""
        while conn := self.next_ready():
            del self.ready[conn]
            self.start(conn, self.tpool)

    def next_ready(self) -> Connection | None:
        """Return the queued request of the peer with the fewest threads, of which bodies have only a share."""
        running = [conn for conn in self.busy if not conn.is_health]
        if not self.ready or len(running) >= self.cfg.threads:
            return None
        threads = Counter(conn.peer for conn in running)
        reading = Counter(conn.peer for conn in running if not conn.whole)
        may_start = (
            conn for conn in self.ready if conn.whole or not self.has_share(conn) or reading[conn.peer] < self.share
        )
        return min(may_start, key=lambda conn: threads[conn.peer], default=None)

    def has_share(self, conn: Connection) -> bool:
        """Return whether the connection's peer is one caller: not a proxy, and not a unix socket."""
        return bool(conn.peer) and not self.is_behind_proxy

    # --- in a thread -------------------------------------------------------------------------------------------------

    def start(self, conn: Connection, pool: ThreadPoolExecutor) -> None:
        self.busy[conn] = time.monotonic() + self.body_seconds
        future = pool.submit(self.handle, conn)
        future.add_done_callback(partial(self.method_queue.defer, self.finish_request, conn))

    def handle(self, conn: Connection) -> Any:
        # Of the thread's last request: a line about one that can't be parsed would have its id.
        structlog.contextvars.clear_contextvars()
        return super().handle(conn)

    def handle_request(self, req: Any, conn: Connection) -> Any:
        """Answer a request; one whose body was not read whole ends its connection."""
        should_close: Callable[[], bool] = req.should_close
        reader = WatchedReader(req.body.reader, conn, is_expected=req._expected_100_continue)

        def closes() -> bool:
            if not reader.whole:
                req.force_close()
            return should_close()

        req.should_close = closes
        req.body.reader = conn.reader = reader
        # Gunicorn would send 100 Continue although the body may be refused.
        req._expected_100_continue = False
        return super().handle_request(req, conn)

    # --- after a thread ----------------------------------------------------------------------------------------------

    def finish_request(self, conn: Connection, fs: "Future[Any]") -> None:
        self.busy.pop(conn, None)
        if fs.cancelled() or fs.exception() or not fs.result():
            self.linger(conn)
        elif received := conn.parser.unreader.take_buffered():
            self.await_request(conn, received)
        else:
            super().finish_request(conn, fs)
        self.start_ready()

    def linger(self, conn: Connection) -> None:
        """Close a connection, and discard late bytes of its caller, without a thread."""
        self.lingering[conn] = time.monotonic() + LINGER_SECONDS
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            self.watch(conn, self.on_late_bytes)
        except (OSError, ValueError):
            self.drop(conn)

    def on_late_bytes(self, conn: Connection, _: object) -> None:
        if conn not in self.lingering:
            return
        data = self.receive(conn)
        if data is None:
            return
        conn.drained += len(data)
        if not data or conn.drained > LINGER_BYTES:
            self.drop(conn)

    def receive(self, conn: Connection) -> bytes | None:
        """Return the bytes that have arrived: empty where the caller has ended, None where nothing is there."""
        try:
            return conn.sock.recv(READ_BYTES, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def watch(self, conn: Connection, on_bytes: Callable[[Connection, object], None]) -> None:
        """Call `on_bytes` whenever the connection is readable."""
        conn.sock.setblocking(False)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(on_bytes, conn))

    def drop(self, conn: Connection) -> None:
        """Close a connection that no thread has."""
        for connections in (self.waiting, self.ready, self.lingering):
            connections.pop(conn, None)
        with contextlib.suppress(OSError, KeyError, ValueError):
            self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()
