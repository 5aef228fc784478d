"""Run the worker: a Celery application whose task processes one item of a job.

    python worker.py

Celery forks a pool of child processes; each child loads its own model after the fork. The main process also runs
`sweeper.py` as a subprocess.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import celery.apps.worker
import cv2
import structlog
from celery.exceptions import CPendingDeprecationWarning, SecurityWarning
from celery.signals import (
    celeryd_init,
    setup_logging,
    worker_init,
    worker_process_init,
    worker_process_shutdown,
    worker_ready,
    worker_shutting_down,
)

from bootstrap.jobs import make_job_worker, make_presence
from bootstrap.observability import configure_logging, start_tracing
from bootstrap.settings import load_settings, require_engine
from services.capacity.resources import tame_allocator
from services.errors import ServiceError
from services.jobs.queue import TASK, Acknowledgements, consumer_class, make_celery, pool_class, request_class
from services.observability import tracing

if TYPE_CHECKING:
    from services.jobs.process import Worker
    from services.jobs.workers.presence import Presence

SWEEPER = Path(__file__).with_name("sweeper.py")
# How often the main process checks that the sweeper runs and that the broker still has our connection.
POLL_SECONDS = 2.0
# More than its webhooks take to end.
SWEEPER_STOP_SECONDS = 8.0
settings = load_settings()
log = structlog.get_logger("worker")
app = make_celery(
    settings.broker_url,
    worker_concurrency=settings.worker_concurrency,
    worker_max_memory_per_child=settings.worker_max_memory_mb * 1024 or None,
    # At this limit the child is killed. The soft limit is the deadline that the pipeline checks.
    task_time_limit=settings.job_timeout_seconds,
    worker_max_tasks_per_child=settings.worker_max_tasks or None,
    worker_pool=pool_class(),
    worker_consumer=consumer_class(),
)


@dataclass
class ProcessState:
    """The long-lived parts of one process: a child has the worker and says that it is there; the main process has the
    sweeper and its own pid.
    """

    worker: Worker | None = None
    presence: Presence | None = None
    sweeper: subprocess.Popen[bytes] | None = None
    main_pid: int | None = None


state = ProcessState()
acknowledgements = Acknowledgements()


@app.task(name=TASK, Request=request_class(acknowledgements))  # type: ignore[untyped-decorator]
def work(item_id: str) -> None:
    """Process the item with this id, for one delivered message."""
    if state.worker is None or state.presence is None:
        raise RuntimeError("init_worker_process has not run in this process")
    try:
        with state.presence.working(item_id):
            state.worker.run(item_id)
    # The record is unchanged: the sweeper sends the message again.
    except ServiceError as exc:
        log.warning("item not started", item=item_id, code=exc.code, details=exc.details)


@celeryd_init.connect(weak=False)  # type: ignore[untyped-decorator]
def configure_celery_logging(instance: Any, **_: Any) -> None:
    """Suppress Celery's banner and route its own messages through our log, from the first line on."""
    instance.quiet = True
    celery.apps.worker.safe_say = lambda text, *_: log.info(text.removeprefix("worker: "))
    configure_process_logging()
    # It is about pickled messages, which we refuse (`accept_content`).
    warnings.filterwarnings("ignore", category=SecurityWarning)


@setup_logging.connect(weak=False)  # type: ignore[untyped-decorator]
def configure_process_logging(**_: Any) -> None:
    """Configure the logging of this process. Because this handler exists, Celery does not install its own."""
    configure_logging(settings)


@worker_init.connect(weak=False)  # type: ignore[untyped-decorator]
def preload_modules(**_: Any) -> None:
    """Import the large modules before the fork, so that children share their memory."""
    from services.inference.runtime import import_rembg

    require_engine(settings)
    import_rembg()


@worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
def init_worker_process(**_: Any) -> None:
    """Set up a child process: allocator, OpenCV, logging, connections. Its model starts to load in the background."""
    tame_allocator()
    cv2.setNumThreads(1)
    configure_process_logging()
    start_tracing(settings, "worker")
    state.worker = make_job_worker(settings)
    state.presence = make_presence(settings)
    state.presence.start()


@worker_process_shutdown.connect(weak=False)  # type: ignore[untyped-decorator]
def end_worker_process(**_: Any) -> None:
    """Take this child off the list of workers, and send what it has traced and not sent yet."""
    if state.presence:
        state.presence.stop()
    tracing.stop()


@worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
def start_sweeper(sender: Any, **_: Any) -> None:
    """Start the sweeper and keep it running while this process lives.

    It is a process and not a thread because threads do not survive the fork of the next child.
    """

    def check() -> None:
        acknowledgements.check()
        if state.sweeper is None or state.sweeper.poll() is not None:
            # S603: the command is our own interpreter, file and pid.
            state.sweeper = subprocess.Popen([sys.executable, str(SWEEPER), str(os.getpid())])  # noqa: S603

    # At each lost connection, about a default of Celery 6 that our setting has chosen already. Celery's own set-up of
    # logging, which is done by now, would show it.
    warnings.filterwarnings("ignore", category=CPendingDeprecationWarning)
    state.main_pid = os.getpid()
    check()
    sender.timer.call_repeatedly(POLL_SECONDS, check)
    atexit.register(end_sweeper)


@worker_shutting_down.connect(weak=False)  # type: ignore[untyped-decorator]
def stop_sweeper(**_: Any) -> None:
    """Stop the sweeper; the children finish their current items, and sweepers of other hosts go on."""
    sweeper = state.sweeper
    # A forked child inherits `state`, and must not stop its parent's sweeper.
    if sweeper and sweeper.poll() is None and os.getpid() == state.main_pid:
        sweeper.terminate()


def end_sweeper() -> None:
    """Stop the sweeper and wait until its webhooks have ended, so that it does not outlive this process."""
    stop_sweeper()
    if state.sweeper and os.getpid() == state.main_pid:
        try:
            state.sweeper.wait(SWEEPER_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            state.sweeper.kill()


def main(words: list[str]) -> None:
    """Start the worker; `words` are further options of Celery's worker command."""
    # Workers coordinate through the job records, so they need no messages to each other.
    app.worker_main(["worker", "--without-gossip", "--without-mingle", "--without-heartbeat", *words])


if __name__ == "__main__":
    main(sys.argv[1:])
