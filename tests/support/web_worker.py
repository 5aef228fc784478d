"""Run the worker class in a thread of the test, in front of a small WSGI application."""

import os
import selectors
import socket
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

from gunicorn.config import Config
from gunicorn.glogging import Logger

from routes.server import connection, web_worker
from routes.server.web_worker import WebWorker

# (module, name) of the clocks that end silent callers.
CLOCKS = ((connection, "HEADER_SECONDS"), (connection, "SILENCE_SECONDS"), (web_worker, "SILENCE_SECONDS"))
Application = Callable[[dict[str, Any], Callable[..., object]], Iterable[bytes]]


class RunningWorker(WebWorker):
    """A worker with eight threads on a free loopback port."""

    body_seconds = 30.0
    is_behind_proxy = False

    def __init__(self, application: Application, *, connections: int = 50, threads: int = 8) -> None:
        cfg = Config()
        for name, value in (("threads", threads), ("worker_connections", connections), ("sendfile", False)):
            cfg.set(name, value)
        listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = listener.getsockname()[1]
        super().__init__(1, os.getppid(), [listener], None, 30, cfg, Logger(cfg))
        self.wsgi = application

    def __enter__(self) -> Self:
        self.tpool, self.health_pool = self.get_thread_pool(), ThreadPoolExecutor(2)
        self.poller = selectors.DefaultSelector()
        self.method_queue.init()
        self._thread = threading.Thread(target=self.run)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.cfg.set("graceful_timeout", 1)
        self.handle_exit(15, None)
        self._thread.join(30)
        assert not self._thread.is_alive()
        self.tmp.close()

    def connect(self, sent: bytes = b"", address: str = "127.0.0.1") -> socket.socket:
        """Open a connection from a loopback address and send some bytes."""
        made = socket.create_connection(("127.0.0.1", self.port), 10, source_address=(address, 0))
        made.sendall(sent)
        return made


def is_closed(caller: socket.socket) -> bool:
    """Return whether the connection ends within ten seconds; arriving bytes are discarded."""
    try:
        while caller.recv(1 << 20):
            pass
    except ConnectionResetError:
        pass
    except TimeoutError:
        return False
    return True
