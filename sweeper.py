"""Run the sweeper: the maintenance of jobs (recovery, retention), and webhooks in parallel. Each worker starts one.

    python sweeper.py

It imports neither the web application nor the image libraries, so that the process stays small.
"""

import os
import signal
import sys
import time

import structlog

from bootstrap.jobs import Maintenance, make_maintenance
from bootstrap.observability import configure_logging, start_tracing
from config import Settings, load_settings
from services.errors import ServiceError
from services.observability import tracing

log = structlog.get_logger("sweep")


def run(settings: Settings, parent: int) -> None:
    """Run webhooks and maintenance until a signal comes, or `parent` is no longer the parent process."""
    start_tracing(settings, "sweeper")
    parts = make_maintenance(settings)
    if parts.webhooks:
        parts.webhooks.start()
    try:
        sweep(settings, parts, parent)
    finally:
        if parts.webhooks:
            parts.webhooks.stop()
        tracing.stop()


def sweep(settings: Settings, parts: Maintenance, parent: int) -> None:
    """Run the maintenance every `job_sweep_seconds`, until the parent process is gone."""
    cleaned = time.monotonic()
    while os.getppid() == parent:
        try:
            parts.recovery.run()
            if settings.cleanup_enabled and time.monotonic() - cleaned > settings.cleanup_interval_seconds:
                cleaned = time.monotonic()
                parts.retention.run()
        except ServiceError as exc:
            log.warning("sweep not finished", code=exc.code, details=exc.details)
        except Exception:
            log.exception("sweep failed")
        time.sleep(settings.job_sweep_seconds)


def stop(*_: object) -> None:
    """End the process in order at the first signal. Ctrl-C and the worker may both send one."""
    for number in (signal.SIGINT, signal.SIGTERM):
        # SIG_IGN would make Python report a second signal that has arrived already.
        signal.signal(number, lambda *_: None)
    raise SystemExit(0)


if __name__ == "__main__":
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    settings = load_settings()
    configure_logging(settings)
    # The worker names itself: it may have ended during the imports.
    run(settings, int(sys.argv[1]) if len(sys.argv) > 1 else os.getppid())
