"""Runs the attempts of webhooks on threads of their own, so that no receiver delays anything else."""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

import structlog

from services.errors import ServiceError
from services.jobs.pending import PendingWork
from services.jobs.tables import Job
from services.jobs.webhooks.delivery import Webhooks
from services.net.errors import BadURL
from services.net.urls import parse_url

PLACES: Final = 8
# How long attempts may go on after a stop; then they are ended.
GRACE_SECONDS: Final = 3.0
log = structlog.get_logger("webhook")


class WebhookSender:
    """Makes the attempts that are due, a few at a time, the earliest first.

    Of each caller, and to each receiver, one at a time: a receiver that never answers holds one thread, and costs its
    own caller time, nobody else.
    """

    def __init__(self, webhooks: Webhooks, pending: PendingWork, poll_seconds: float, places: int = PLACES) -> None:
        self._webhooks, self._pending = webhooks, pending
        self._poll_seconds, self._places = poll_seconds, places
        self._pool = ThreadPoolExecutor(places, thread_name_prefix="webhook")
        self._running: dict[Future[None], tuple[str, str]] = {}
        self._free, self._stopping = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name="webhooks", daemon=True)

    def start(self) -> None:
        """Start the threads."""
        self._thread.start()

    def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Begin no further attempt, give those that run `grace_seconds`, then end them."""
        self._stopping.set()
        self._free.set()
        self._thread.join()
        wait(list(self._running), grace_seconds)
        self._webhooks.stop()
        self._pool.shutdown()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._begin_due()
            except ServiceError as exc:
                log.warning("webhooks not sent", code=exc.code, details=exc.details)
            except Exception:
                log.exception("webhooks failed")
            self._free.wait(self._poll_seconds)
            self._free.clear()

    def _begin_due(self) -> None:
        """Begin the attempts that are due, while there are places. Raises `DatabaseUnavailable`."""
        while not self._stopping.is_set():
            self._running = {future: key for future, key in self._running.items() if not future.done()}
            if len(self._running) >= self._places:
                return
            callers, origins = {c for c, _ in self._running.values()}, {o for _, o in self._running.values()}
            job = self._pending.due_webhook(callers, origins)
            if job is None:
                return
            future = self._pool.submit(self._attempt, job)
            self._running[future] = (job.caller, origin(job.callback_url or ""))
            future.add_done_callback(lambda _: self._free.set())

    def _attempt(self, job: Job) -> None:
        try:
            self._webhooks.attempt(job)
        except Exception as exc:
            log.warning("webhook not sent", job=job.id, exc_info=not isinstance(exc, ServiceError), reason=str(exc))
            # It may still be due: without a pause it would begin again immediately.
            self._stopping.wait(self._poll_seconds)


def origin(url: str) -> str:
    """Return scheme, host and port of a URL, with a slash at the end; the URL itself if it is not one."""
    try:
        target = parse_url(url)
    except BadURL:
        return url
    return f"{target.scheme}://{target.authority}/"
