"""Many images, one after the other: each becomes a result of its own, or a line in the report of what failed."""

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
LOOK_SECONDS: Final = 0.25
log = structlog.get_logger("batch")
Item = tuple[str, bytes | ServiceError]
"""An image's name as its sender knows it, and its bytes, or why there are none."""


@dataclass
class Batch:
    """The results of `items`, made one at a time by `remove` while they are taken; `done` and `failed` say what
    became of them, `gone` whether the caller has left.

    `deadline` gives each image its own deadline, or raises what ends the batch for all images that have not begun.
    """

    items: Iterable[Item]
    remove: Callable[[bytes, Deadline], Result]
    deadline: Callable[[], Deadline]
    on_error: Callable[[ServiceError], None] = lambda _error: None
    done: int = 0
    gone: bool = False
    failed: list[ServiceError] = field(default_factory=list)

    def files(self) -> Iterator[tuple[str, bytes]]:
        """Name and bytes of each result; then, where something failed, of the report: a list of {name, code, error}.

        Names are `<name>.<ending>`, made harmless and distinct. Ends early, without a report, when the caller has gone.
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
            del result  # while the next one is made
        if report:
            yield REPORT, orjson.dumps(report, option=orjson.OPT_INDENT_2)

    def _result(self, found: bytes | ServiceError) -> Result:
        if isinstance(found, ServiceError):
            raise found
        try:
            return self._when_there_is_room(found)
        except ServiceError:
            raise
        except MemoryError as exc:
            raise Busy("the server is out of memory for now") from exc
        except Exception as exc:  # a bug: the other images are none the worse for it
            log.exception("unexpected error")
            raise ServiceError from exc

    def _when_there_is_room(self, data: bytes) -> Result:
        """The result; where the queue is full the batch waits for as long as one image may take."""
        deadline = self.deadline()
        while True:
            try:
                return self.remove(data, deadline)
            except Busy:
                if (deadline.remaining() or 0.0) < LOOK_SECONDS:
                    raise
                deadline.check()
                time.sleep(LOOK_SECONDS)
