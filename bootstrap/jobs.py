"""Makes the parts of the job subsystem: for a web process, a worker and the sweeper."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootstrap.removal import make_models, make_remover
from bootstrap.stores import make_database, make_storage
from config import Settings

if TYPE_CHECKING:
    from services.jobs.buckets.mailbox import Mailbox
    from services.jobs.dispatch import Dispatcher
    from services.jobs.listeners import Listeners
    from services.jobs.metrics import JobCounters
    from services.jobs.process import Worker
    from services.jobs.queries import JobQueries
    from services.jobs.queue import Queue
    from services.jobs.recovery import JobRecovery
    from services.jobs.retention import Retention
    from services.jobs.retry import RetryPolicy
    from services.jobs.store import JobStore
    from services.jobs.submit import JobSubmitter
    from services.jobs.webhooks.sender import WebhookSender
    from services.jobs.workers.presence import Presence
    from services.net.client import Outbound
    from services.persistence.database import Database
    from services.persistence.ttl_cache import TtlCache
    from services.storage.base import Storage


# A job's progress may be this much out of date in an answer; its state never is.
PROGRESS_CACHE_SECONDS = 0.25


@dataclass(frozen=True)
class JobServices:
    """The job subsystem; there with `JOBS_ENABLED`.

    `listeners` bounds how many connections listen to events; `recent` holds the JSON of jobs that were just read.
    """

    store: JobStore
    queries: JobQueries
    queue: Queue
    dispatcher: Dispatcher
    submitter: JobSubmitter
    retention: Retention
    listeners: Listeners
    mailbox: Mailbox
    recent: TtlCache[tuple[str, bytes]]


def make_job_services(settings: Settings, storage: Storage, database: Database) -> JobServices:
    """Return the job subsystem of a web process or a worker."""
    from services.jobs.buckets.mailbox import Mailbox
    from services.jobs.dispatch import Dispatcher
    from services.jobs.listeners import Listeners
    from services.jobs.queries import JobQueries
    from services.jobs.queue import Queue
    from services.jobs.retention import Retention
    from services.jobs.store import JobStore
    from services.jobs.submit import JobSubmitter
    from services.persistence.ttl_cache import TtlCache

    store = JobStore(database, result_seconds=settings.job_result_ttl_seconds)
    queries = JobQueries(database)
    queue = Queue(settings.broker_url)
    dispatcher = Dispatcher(store, queue, settings.batch_concurrency)
    return JobServices(
        store=store,
        queries=queries,
        queue=queue,
        dispatcher=dispatcher,
        submitter=JobSubmitter(store, queries, storage, dispatcher, settings.max_waiting_per_caller),
        retention=Retention(store, storage, settings.cleanup_older_than_seconds),
        listeners=Listeners(settings.listeners_per_worker),
        mailbox=Mailbox(settings.broker_url),
        recent=TtlCache(PROGRESS_CACHE_SECONDS),
    )


def retry_policy(settings: Settings) -> RetryPolicy:
    """Return how often an item is tried, and when."""
    from services.jobs.retry import RetryPolicy

    return RetryPolicy(settings.job_retry_max, settings.job_retry_intervals)


def make_outbound(settings: Settings) -> Outbound:
    """Return the HTTP client for URLs that callers name."""
    from services.net.client import Outbound

    return Outbound(ports=settings.fetch_allowed_ports, hosts=settings.fetch_allowed_hosts)


def make_job_worker(settings: Settings) -> Worker:
    """Return the part that works on items in a worker process. Its default model begins to load in the background."""
    from services.capacity.admission import Admission
    from services.capacity.resources import usable_cpus
    from services.errors import ServiceError
    from services.jobs.metrics import JobCounters
    from services.jobs.process import Terms, Worker

    storage = make_storage(settings)
    jobs = make_job_services(settings, storage, make_database(settings))
    threads = max(1, usable_cpus() // settings.worker_concurrency)
    models = make_models(settings, threads)
    models.start()
    # The first connection takes longer. Where it fails, the log says why.
    with contextlib.suppress(ServiceError):
        jobs.store.database.ping()
    return Worker(
        store=jobs.store,
        dispatcher=jobs.dispatcher,
        storage=storage,
        remover=make_remover(settings, models, Admission(running=1, waiting=0)),
        terms=Terms(settings.job_lease_seconds, settings.job_soft_timeout_seconds, retry_policy(settings)),
        counters=JobCounters(settings.broker_url),
    )


def make_presence(settings: Settings) -> Presence:
    """Return what a worker process says of itself in Redis; call its `start` after the fork."""
    from services.jobs.workers.presence import Presence

    return Presence(settings.broker_url)


@dataclass(frozen=True)
class Maintenance:
    """The parts of the sweeper; `webhooks` only with a secret to sign them."""

    recovery: JobRecovery
    webhooks: WebhookSender | None
    retention: Retention


def make_maintenance(settings: Settings) -> Maintenance:
    """Return the parts of the sweeper."""
    from services.jobs.dispatch import Dispatcher
    from services.jobs.metrics import JobCounters
    from services.jobs.queue import Queue
    from services.jobs.recovery import JobRecovery
    from services.jobs.retention import Retention
    from services.jobs.store import JobStore

    # Nobody waits for retention, and it may have much to delete.
    store = JobStore(make_database(settings, patient=True), result_seconds=settings.job_result_ttl_seconds)
    queue = Queue(settings.broker_url)
    counters = JobCounters(settings.broker_url)
    dispatcher = Dispatcher(store, queue, settings.batch_concurrency)
    return Maintenance(
        recovery=JobRecovery(store, queue, dispatcher, retry_policy(settings), settings.job_lease_seconds, counters),
        webhooks=_make_webhook_sender(settings, store, counters) if settings.webhook_secret else None,
        retention=Retention(store, make_storage(settings), settings.cleanup_older_than_seconds),
    )


def _make_webhook_sender(settings: Settings, store: JobStore, counters: JobCounters) -> WebhookSender:
    from services.jobs.pending import PendingWork
    from services.jobs.webhooks.delivery import Webhooks
    from services.jobs.webhooks.sender import WebhookSender
    from services.jobs.webhooks.signatures import Signer

    webhooks = Webhooks(
        store,
        make_outbound(settings),
        Signer(settings.webhook_secrets),
        counters=counters,
        public_url=settings.public_base,
    )
    return WebhookSender(webhooks, PendingWork(store.database), settings.job_sweep_seconds)
