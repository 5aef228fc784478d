"""Run the sweeper: periodic maintenance of jobs (recovery, webhooks, retention). Each worker starts one.

    python sweeper.py

It imports neither the web application nor the image libraries, so that the process stays small.
"""

import os
import signal
import time

import structlog

from bootstrap import configure_logging, make_maintenance
from config import Settings, load_settings
from services.errors import ServiceError

log = structlog.get_logger("sweep")


def sweep(settings: Settings) -> None:
    """Run the maintenance every `job_sweep_seconds`, until the parent process is gone."""
    parts = make_maintenance(settings)
    parent, cleaned = os.getppid(), time.monotonic()
    while os.getppid() == parent:
        try:
            parts.recovery.run()
            if settings.webhook_secret:
                parts.webhooks.run()
            if settings.cleanup_enabled and time.monotonic() - cleaned > settings.cleanup_interval_seconds:
                cleaned = time.monotonic()
                parts.retention.run()
        except ServiceError as exc:
            log.warning("sweep not finished", code=exc.code, details=exc.details)
        except Exception:
            log.exception("sweep failed")
        time.sleep(settings.job_sweep_seconds)


if __name__ == "__main__":
    # Ctrl-C signals every process of the terminal; without this, it would print a traceback here.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    settings = load_settings()
    configure_logging(settings)
    sweep(settings)
