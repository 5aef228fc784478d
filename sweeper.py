"""The sweeper: sees to jobs again and again, beside each worker, which starts it. See `services/jobs/recovery.py`.

    python sweeper.py

It imports neither the web application nor what works on images: it is small, and there is one of it on each host.
"""

import os
import signal
import time

import structlog

from config import Settings, load_settings
from parts import configure_logging, retries_of, storage_of
from services.errors import ServiceError
from services.jobs.dispatch import Dispatcher
from services.jobs.metrics import JobCounters
from services.jobs.queue import Queue
from services.jobs.recovery import JobRecovery
from services.jobs.retention import Retention
from services.jobs.store import JobStore
from services.jobs.webhooks import Webhooks
from services.net.client import Outbound
from services.persistence.database import Database

log = structlog.get_logger("sweep")


def sweep(settings: Settings) -> None:
    """Sweep until the process that started this one is gone."""
    records = JobStore(Database(settings.database_url), result_seconds=settings.job_result_ttl_seconds)
    queue = Queue(settings.broker_url)
    tally = JobCounters(settings.broker_url)
    dispatcher = Dispatcher(records, queue, settings.batch_concurrency)
    sweeper = JobRecovery(records, queue, dispatcher, retries_of(settings), settings.job_lease_seconds, tally)
    outbound = Outbound(ports=settings.fetch_allowed_ports, hosts=settings.fetch_allowed_hosts)
    webhooks = Webhooks(records, outbound, settings.webhook_secret, counters=tally)
    cleanup = Retention(records, storage_of(settings), settings.cleanup_older_than_seconds)
    parent, cleaned = os.getppid(), time.monotonic()
    while os.getppid() == parent:
        try:
            sweeper.run()
            if settings.webhook_secret:
                webhooks.run()
            if settings.cleanup_enabled and time.monotonic() - cleaned > settings.cleanup_interval_seconds:
                cleaned = time.monotonic()
                cleanup.run()
        except ServiceError as exc:
            log.warning("sweep not finished", code=exc.code, details=exc.details)
        except Exception:
            log.exception("sweep failed")
        time.sleep(settings.job_sweep_seconds)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C reaches all of a terminal's processes
    found = load_settings()
    configure_logging(found)
    sweep(found)
