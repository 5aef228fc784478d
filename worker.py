"""The worker: takes item ids from the queue and does what their records say.

    python worker.py

Each child makes its model's session after the fork. A process beside them sweeps: `sweeper.py`.
"""

import atexit
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import celery.apps.worker
import cv2
import structlog
from celery.signals import (
    celeryd_init,
    setup_logging,
    worker_init,
    worker_process_init,
    worker_ready,
    worker_shutting_down,
)

import bootstrap
from services.capacity.resources import tame_allocator
from services.errors import ServiceError
from services.jobs.queue import TASK, make_celery, reconnect_if_lost, request_class

SWEEPER = Path(__file__).with_name("sweeper.py")
LOOK_SECONDS = 2.0
settings = bootstrap.load_settings()
log = structlog.get_logger("worker")
app = make_celery(
    settings.broker_url,
    worker_concurrency=settings.worker_concurrency,
    worker_max_memory_per_child=settings.worker_max_memory_mb * 1024 or None,
    # Kills the child; the soft one is the pipeline's own deadline.
    task_time_limit=settings.job_timeout_seconds,
    worker_pool="prefork",
)
state: dict[str, Any] = {}
ack_lost = threading.Event()


@app.task(name=TASK, Request=request_class(ack_lost))  # type: ignore[untyped-decorator]
def work(item_id: str) -> None:
    """One delivery of an item's id."""
    try:
        state["worker"].run(item_id)
    # The record is as it was: the sweep sends another message.
    except ServiceError as exc:
        log.warning("not begun", item=item_id, code=exc.code, details=exc.details)


@celeryd_init.connect(weak=False)  # type: ignore[untyped-decorator]
def speak_in_lines(instance: Any, **_: Any) -> None:
    """No banner, and what Celery would print or warn of as lines of our log, from the first one on."""
    instance.quiet = True
    celery.apps.worker.safe_say = lambda text, *_: log.info(text.removeprefix("worker: "))
    configure_logging()


@setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
def configure_logging(**_: Any) -> None:
    """Our log lines, and Celery's among them."""
    bootstrap.configure_logging(settings)


@worker_init.connect(weak=False)  # type: ignore[untyped-decorator]
def share(**_: Any) -> None:
    """Import what children share, before there are any."""
    from services.inference.runtime import import_rembg

    import_rembg()


@worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
def begin(**_: Any) -> None:
    """Things of this child alone: its allocator, its model (loading from now on), its connections."""
    tame_allocator()
    cv2.setNumThreads(1)
    configure_logging()
    state["worker"] = bootstrap.make_job_worker(settings)


@worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
def start_sweeping(sender: Any, **_: Any) -> None:
    """A process that sweeps as long as this one is there: a thread here would be forked with the next child. And a look
    at the queue's connection."""

    def keep() -> None:
        reconnect_if_lost(ack_lost)
        if "sweeper" not in state or state["sweeper"].poll() is not None:
            state["sweeper"] = subprocess.Popen([sys.executable, str(SWEEPER)])  # noqa: S603 - ourselves

    state["main"] = os.getpid()
    keep()
    sender.timer.call_repeatedly(LOOK_SECONDS, keep)
    atexit.register(stop_sweeping)


@worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
def stop_sweeping(**_: Any) -> None:
    """The children finish what they are at; others sweep."""
    sweeper: subprocess.Popen[bytes] | None = state.get("sweeper")
    if sweeper and sweeper.poll() is None and os.getpid() == state["main"]:
        sweeper.terminate()


def main(words: list[str]) -> None:
    """`python worker.py` works and sweeps; more words are Celery's options."""
    # Workers need not know of each other: the records do.
    app.worker_main(["worker", "--without-gossip", "--without-mingle", "--without-heartbeat", *words])


if __name__ == "__main__":
    main(sys.argv[1:])
