"""The sweeper: sees to jobs again and again, beside each worker, which starts it. See `services/jobs/recovery.py`.

    python sweeper.py

It imports neither the web application nor what works on images: it is small, and there is one of it on each host.
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
    """Sweep until the process that started this one is gone."""
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
    # Ctrl-C reaches all of a terminal's processes.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    found = load_settings()
    configure_logging(found)
    sweep(found)
