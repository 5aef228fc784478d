"""Processes many images in their order, some at a time; each becomes a result, or an entry of the report."""

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from contextvars import copy_context
from dataclasses import dataclass, field, replace
from typing import Final

import orjson
import structlog

from services.archives.filenames import DistinctNames
from services.capacity.deadline import Deadline
from services.errors import Busy, ClientGone, ServiceError
from services.imaging.pipeline import Result

REPORT: Final = "errors.json"
MAX_SHOWN_CHARS: Final = 255
# How often a batch re-checks whether a full queue has a free place.
POLL_SECONDS: Final = 0.25
log = structlog.get_logger("batch")
Item = tuple[str, bytes | ServiceError]
"""An image's name as its sender gave it, and its bytes, or the error that refused it."""


Work = tuple[str, Future[Result]]
"""An image's name, and its result, which a thread makes."""


@dataclass
class Batch:
    """The results of `items`, which `remove` makes while they are consumed, at most `at_a_time` at a time.

    `done` and `failed` count the outcomes; `gone` is set when the caller has disconnected. `deadline` makes each
    image's own deadline, or raises an error that ends the batch for all images that have not begun. It and `remove`
    are called on threads of the batch; `on_result` and `on_error` on the consumer's, in the order of the images.
    """

    items: Iterable[Item]
    remove: Callable[[bytes, Deadline], Result]
    deadline: Callable[[], Deadline]
    on_result: Callable[[Result], None] = lambda _result: None
    on_error: Callable[[ServiceError], None] = lambda _error: None
    at_a_time: int = 1
    done: int = 0
    gone: bool = False
    failed: list[ServiceError] = field(default_factory=list)
    _ended: bool = False

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and bytes of each result; then, if any failed, the report: a list of {name, code, error}.

        Names are `<name>.<extension>`, safe and distinct. Ends early, without a report, when the caller is gone.
        """
        names, report = DistinctNames(), []
        with closing(self._in_order()) as images:
            for name, future in images:
                try:
                    result = future.result()
                except ClientGone:
                    self.gone = True
                    return
                except ServiceError as exc:
                    self.failed.append(exc)
                    self.on_error(exc)
                    report.append({"name": name[:MAX_SHOWN_CHARS], "code": exc.code, "error": str(exc)})
                    continue
                self.done += 1
                self.on_result(result)
                yield names.of(name, result.format.extension), result.data
                # Free it before the next one is made.
                del result, future
        if report:
            yield REPORT, orjson.dumps(report, option=orjson.OPT_INDENT_2)

    def _in_order(self) -> Generator[Work, None, None]:
        """Yield the images in their order. Besides the one that is consumed, `at_a_time` - 1 are read, in progress or
        done.

        An image is read at its turn, by the consumer. When the consumer ends early, the images in progress end at their
        next step, and are waited for.
        """
        items, ahead = iter(self.items), deque[Work]()
        with ThreadPoolExecutor(self.at_a_time, "batch") as threads:
            try:
                while True:
                    while len(ahead) < self.at_a_time and (item := next(items, None)):
                        name, found = item
                        # The log's lines keep the request's id.
                        ahead.append((name, threads.submit(copy_context().run, self._result, found)))
                        del item, found
                    if not ahead:
                        return
                    yield ahead.popleft()
            finally:
                self._ended = True
                threads.shutdown(wait=False, cancel_futures=True)

    def _result(self, found: bytes | ServiceError) -> Result:
        if isinstance(found, ServiceError):
            raise found
        try:
            return self._remove_when_free(found)
        except ServiceError:
            raise
        except MemoryError as exc:
            raise Busy("the server is out of memory for now") from exc
        except Exception as exc:
            # A bug: it fails this image, not the others.
            log.exception("unexpected error")
            raise ServiceError from exc

    def _remove_when_free(self, data: bytes) -> Result:
        """Return the result. While the queue is full, wait for as long as one image may take."""
        deadline = self._own_deadline()
        while True:
            try:
                return self.remove(data, deadline)
            except Busy:
                if (deadline.remaining() or 0.0) < POLL_SECONDS:
                    raise
                deadline.check()
                time.sleep(POLL_SECONDS)

    def _own_deadline(self) -> Deadline:
        """Return an image's deadline, which also ends with the batch."""
        deadline = self.deadline()
        return replace(deadline, gone=lambda: self._ended or deadline.gone())
