"""Sessions whose runs end at a deadline."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from services.capacity.deadline import Deadline
from services.errors import ClientGone, DeadlineExceeded
from services.inference.openvino import OpenVinoSession

# How often a run's deadline and client are re-checked.
POLL_SECONDS: Final = 0.25


class TerminableSession:
    """A session whose runs end at a deadline, or when their client has gone.

    rembg passes no `RunOptions`, so they are added here. ONNX Runtime checks the `terminate` flag between
    nodes, `OpenVinoSession` is cancelled by it; the session stays usable.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._local = threading.local()

    @contextmanager
    def until(self, deadline: Deadline) -> Iterator[None]:
        """End the runs that this thread makes inside at the deadline."""
        deadline.check()
        self._local.deadline = deadline
        try:
            yield
        finally:
            self._local.deadline = None

    def run(self, outputs: Any, feed: Any) -> Any:
        deadline: Deadline | None = getattr(self._local, "deadline", None)
        if deadline is None or deadline.remaining() is None:
            return self._inner.run(outputs, feed)
        options, done = _run_options(self._inner), threading.Event()
        threading.Thread(target=_terminate, args=(options, deadline, done), name="terminate", daemon=True).start()
        try:
            return self._inner.run(outputs, feed, options)
        except Exception as exc:
            if deadline.remaining() == 0.0:
                raise DeadlineExceeded(f"stopped in the model after {deadline.seconds:g} s") from exc
            if options.terminate:
                raise ClientGone("stopped in the model") from exc
            raise
        finally:
            done.set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def _run_options(inner: Any) -> Any:
    if isinstance(inner, OpenVinoSession):
        return inner.run_options()
    import onnxruntime

    return onnxruntime.RunOptions()


def _terminate(options: Any, deadline: Deadline, done: threading.Event) -> None:
    """End the run when its time is up, or when its client has gone."""
    while deadline.remaining() != 0.0 and not deadline.gone():
        if done.wait(min(POLL_SECONDS, deadline.remaining() or 0.0)):
            return
    options.terminate = True
