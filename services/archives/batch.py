"""Processes many images one after the other; each becomes a result, or an entry in the report of failures."""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

import orjson
import structlog

from services.archives.filenames import DistinctNames
from services.capacity.deadline import Deadline
from services.errors import Busy, ClientGone, ServiceError
from services.imaging.pipeline import Result

REPORT: Final = "errors.json"
MAX_SHOWN_CHARS: Final = 255
# How often a batch re-checks whether a full queue has room.
POLL_SECONDS: Final = 0.25
log = structlog.get_logger("batch")
Item = tuple[str, bytes | ServiceError]
"""An image's name as its sender gave it, and its bytes, or the error that refused it."""


@dataclass
class Batch:
    """The results of `items`, which `remove` makes one at a time while they are consumed.

    `done` and `failed` count the outcomes; `gone` is set when the caller has disconnected. `deadline` makes each
    image's own deadline, or raises an error that ends the batch for all images that have not begun.
    """

    items: Iterable[Item]
    remove: Callable[[bytes, Deadline], Result]
    deadline: Callable[[], Deadline]
    on_error: Callable[[ServiceError], None] = lambda _error: None
    done: int = 0
    gone: bool = False
    failed: list[ServiceError] = field(default_factory=list)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Yield the name and bytes of each result; then, if any failed, the report: a list of {name, code, error}.

        Names are `<name>.<extension>`, safe and distinct. Ends early, without a report, when the caller is gone.
        """
        names, report = DistinctNames(), []
        for name, found in self.items:
            try:
                result = self._result(found)
            except ClientGone:
                self.gone = True
                return
            except ServiceError as exc:
                self.failed.append(exc)
                self.on_error(exc)
                report.append({"name": name[:MAX_SHOWN_CHARS], "code": exc.code, "error": str(exc)})
                continue
            self.done += 1
            yield names.of(name, result.format.extension), result.data
            # Free it before the next one is made.
            del result
        if report:
            yield REPORT, orjson.dumps(report, option=orjson.OPT_INDENT_2)

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
        deadline = self.deadline()
        while True:
            try:
                return self.remove(data, deadline)
            except Busy:
                if (deadline.remaining() or 0.0) < POLL_SECONDS:
                    raise
                deadline.check()
                time.sleep(POLL_SECONDS)
