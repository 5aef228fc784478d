"""A receiver of webhooks."""

import hmac
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from services.jobs.pending import PendingWork
from services.jobs.store import JobStore
from services.jobs.webhooks.delivery import Webhooks
from services.jobs.webhooks.signatures import OLD_SIGNATURE
from tests.support.jobs import FACTS, claim_item, insert_job

SECRET = "a secret of some length"


class Receiver:
    """A loopback server that answers webhooks with these statuses in turn; the last one repeats."""

    def __init__(self, statuses: Sequence[int] = (204,)) -> None:
        self.requests: list[Delivery] = []
        left = list(statuses)
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.requests.append(Delivery(self.path, dict(self.headers.items()), body))
                self.send_response(left.pop(0) if len(left) > 1 else left[0])
                self.end_headers()

            def log_message(self, *_: Any) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


def attempt_due(store: JobStore, webhooks: Webhooks) -> None:
    """Make one attempt for each webhook that is due now, one after the other."""
    pending, seen = PendingWork(store.database), set()
    while (job := pending.due_webhook()) and job.id not in seen:
        seen.add(job.id)
        webhooks.attempt(job)


class SilentReceiver:
    """A loopback server that takes connections and never answers."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.host = f"127.0.0.1:{self._socket.getsockname()[1]}"
        self.url = f"http://{self.host}/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def ended(store: JobStore, url: str | None, caller: str = "ann") -> str:
    """Insert a job that has just ended; return its id."""
    job_id = insert_job(store, callback_url=url, caller=caller)
    assert store.finish(claim_item(store, job_id), "k", FACTS)
    assert store.close(job_id)
    return job_id


@dataclass(frozen=True)
class Delivery:
    """A request that the receiver got."""

    path: str
    headers: dict[str, str]
    body: bytes

    def is_signed(self, secret: str) -> bool:
        """Verify the signature of version 0.1 and its time, as its receivers do."""
        parts = dict(part.split("=", 1) for part in self.headers[OLD_SIGNATURE].split(","))
        expected = hmac.new(secret.encode(), parts["t"].encode() + b"." + self.body, "sha256").hexdigest()
        return hmac.compare_digest(parts["v1"], expected) and abs(time.time() - int(parts["t"])) < 60
