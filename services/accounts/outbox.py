"""Runs what may send an email on its own thread, so that no answer's time shows whether there was one."""

import queue
import threading
from collections.abc import Callable
from typing import Final

import structlog

from services.errors import Busy

MOST: Final = 200
CLOSE_SECONDS: Final = 5.0
Work = Callable[[], None]
log = structlog.get_logger("accounts")


class Outbox:
    """Runs work in its order. The thread starts with the first."""

    def __init__(self, most: int = MOST) -> None:
        self._waiting: queue.Queue[Work | None] = queue.Queue(most)
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def add(self, work: Work) -> None:
        """Run this later. Raises `Busy` where too much waits."""
        try:
            self._waiting.put_nowait(work)
        except queue.Full:
            raise Busy("too many emails are waiting") from None
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="mail", daemon=True)
                self._thread.start()

    def close(self) -> None:
        """Run what waits, for `CLOSE_SECONDS` at most, and end the thread."""
        if self._thread:
            self._waiting.put(None)
            self._thread.join(CLOSE_SECONDS)

    def _run(self) -> None:
        while (work := self._waiting.get()) is not None:
            try:
                work()
            except Exception as exc:  # noqa: BLE001 - the next mail must go out, whatever failed
                # The text of a mail server's error may have the address.
                log.warning("mail not sent", kind=type(exc).__name__)
