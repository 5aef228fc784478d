"""Writes what a process has counted on a thread of its own, so that no request waits for it."""

import threading
from collections.abc import Callable


class BackgroundWriter:
    """Calls `write` soon after the first `wake`, and at most every `seconds` from then on.

    `write` returns False where nothing could be written: it is called again. The thread starts with the first `wake`.
    """

    def __init__(self, write: Callable[[], bool], seconds: float, name: str) -> None:
        self._write, self._seconds, self._name = write, seconds, name
        self._lock = threading.Lock()
        self._woken, self._closing = threading.Event(), threading.Event()
        self._thread: threading.Thread | None = None

    def wake(self) -> None:
        """Say that there is something to write."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
                self._thread.start()
        self._woken.set()

    def close(self) -> None:
        """Write what is left and end the thread."""
        self._closing.set()
        self._woken.set()
        if self._thread:
            self._thread.join(5)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._woken.wait()
            self._woken.clear()
            if not self._write():
                self._woken.set()
            self._closing.wait(self._seconds)
        self._write()
