"""The composition root: the one place where settings become parts.

`app.py`, `worker.py`, `sweeper.py`, `cli.py` and the benchmarks call these functions, each in its own process. Most of
them open nothing. Imports that only some processes need are inside the functions: the sweeper and `--help` stay small.
"""

from __future__ import annotations

import contextlib
import logging.config
import socket
import threading
import time
from dataclasses import dataclass, field, fields, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

import config
from config import ConfigError, Settings
from paths import HOME
from services.errors import DatabaseUnavailable
from services.observability.logs import logging_config
from services.storage.factory import parse_storage_url

if TYPE_CHECKING:
    from services.accounts.accounts import Accounts
    from services.api_keys.key_cache import KeyCache
    from services.api_keys.usage_counter import UsageCounter
    from services.capacity.admission import Admission, Bodies
    from services.capacity.single_flight import SingleFlight
    from services.imaging.decode import ImageLimits
    from services.imaging.pipeline import Result
    from services.inference.registry import Models
    from services.inference.runtime import EngineSettings
    from services.inference.segmenter import RembgSegmenter
    from services.jobs.buckets.mailbox import Mailbox
    from services.jobs.dispatch import Dispatcher
    from services.jobs.listeners import Listeners
    from services.jobs.metrics import JobCounters
    from services.jobs.pending import Backlog
    from services.jobs.process import Worker
    from services.jobs.queries import JobQueries
    from services.jobs.queue import Queue
    from services.jobs.recovery import JobRecovery
    from services.jobs.retention import Retention
    from services.jobs.retry import RetryPolicy
    from services.jobs.store import JobStore
    from services.jobs.submit import JobSubmitter
    from services.jobs.webhook_sender import WebhookSender
    from services.jobs.workers.presence import Presence, Seen
    from services.net.client import Outbound
    from services.net.fetch import Fetcher
    from services.observability.metrics import Metrics
    from services.observability.questions import Question
    from services.persistence.database import Database
    from services.persistence.redis import RedisProbe
    from services.persistence.ttl_cache import TtlCache
    from services.removal import Remover
    from services.result_cache import ResultCache
    from services.storage.base import Storage, StorageProbe
    from services.storage.census import Census

DEFAULT_STORAGE_URL = f"file:{HOME}/data/objects"
# A job's progress may be this much out of date in an answer; its state never is.
PROGRESS_CACHE_SECONDS = 0.25
# How long an operator's overview reuses its answers, and its count of files.
OVERVIEW_SECONDS = 2.0
CENSUS_SECONDS = 30.0


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of a process that serves. Raises `ConfigError`, also for a model that is not known."""
    from services.inference.custom import find_spec as find_model

    settings = config.load_settings(**overrides)
    if settings.otel_exporter_otlp_endpoint and not _has_exporter():
        raise ConfigError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is {settings.otel_exporter_otlp_endpoint!r}, and the packages that send "
            "traces are missing: pip install 'background-remover[otel]', or leave it empty"
        )
    if settings.accounts != "off" and not (find_spec("argon2") and find_spec("authlib")):
        raise ConfigError(
            f"ACCOUNTS is {settings.accounts!r}, and packages that it needs are missing: "
            "pip install 'background-remover[accounts]', or ACCOUNTS=off"
        )
    for name in settings.models:
        try:
            find_model(name, settings.rembg_session_path)
        except ValueError as exc:
            variable = "REMBG_MODEL_NAME" if name == settings.rembg_model_name else "MODELS_ENABLED"
            raise ConfigError(f"The settings are wrong:\n  {variable} is {name!r}: {exc}") from exc
    return settings


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


@dataclass(frozen=True)
class Overview:
    """Questions for operators to the parts of the service; None: the part is not in use."""

    database: Question[bool] | None
    redis: Question[bool] | None
    broker: Question[bool] | None
    storage: Question[dict[str, Census]]
    cache: Question[Census] | None
    workers: Question[list[Seen]] | None
    backlog: Question[Backlog] | None

    def begin(self) -> None:
        """Ask all of them at the same time."""
        for part in fields(self):
            question: Question[object] | None = getattr(self, part.name)
            if question:
                question.begin()


@dataclass
class WebServices:
    """The parts of one web process. `draining` is set when the process has to stop."""

    settings: Settings
    models: Models
    remover: Remover
    bodies: Bodies
    metrics: Metrics
    keys: KeyCache
    usage: UsageCounter
    fetcher: Fetcher
    coalescer: SingleFlight[Result]
    storage: Storage
    storage_probe: StorageProbe | None = None
    jobs: JobServices | None = None
    redis: RedisProbe | None = None
    accounts: Accounts | None = None
    overview: Overview | None = None
    draining: threading.Event = field(default_factory=threading.Event)
    started: float = field(default_factory=time.time)
    response_deadlines: dict[socket.socket, float] = field(default_factory=dict)
    """Connections whose responses may take longer than a request, and until when (monotonic time)."""

    @property
    def limits(self) -> ImageLimits:
        return self.remover.limits

    @property
    def admission(self) -> Admission:
        return self.remover.admission


@dataclass(frozen=True)
class Maintenance:
    """The parts of the sweeper; `webhooks` only with a secret to sign them."""

    recovery: JobRecovery
    webhooks: WebhookSender | None
    retention: Retention


def configure_logging(settings: Settings) -> None:
    """Send the log lines of this process and of its libraries where the settings say."""
    logging.captureWarnings(True)
    logging.config.dictConfig(
        logging_config(
            level=settings.log_level,
            style=settings.log_format,
            file=settings.log_file,
            rotate_mb=settings.log_rotate_mb,
            backups=settings.log_backups,
        )
    )
    # services/jobs/process.py logs each item.
    for name in ("celery.app.trace", "celery.worker.strategy"):
        logging.getLogger(name).setLevel("ERROR")


def _has_exporter() -> bool:
    """Return whether the packages that send traces are installed. Another package may bring a part of them."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def start_tracing(settings: Settings, process: str) -> None:
    """Send this process's traces to a collector, if the settings name one. Starts a thread: call it after the fork."""
    if not settings.otel_exporter_otlp_endpoint:
        return
    from services.observability import tracing
    from services.observability.otlp import OtlpTracer

    facts = {"service.name": settings.otel_service_name, "service.version": settings.app_version, "process": process}
    tracing.use(
        OtlpTracer(
            settings.otel_exporter_otlp_endpoint,
            headers=settings.trace_headers,
            resource=facts,
            share=settings.otel_traces_sampler_arg,
        )
    )


def quota_storage(settings: Settings) -> tuple[str, dict[str, object]]:
    """Return the URL and the client's options of the store that holds the quotas."""
    from services.persistence.redis import redis_options

    if settings.quotas_in_redis:
        return settings.redis_url, redis_options(settings.redis_url)
    return "memory://", {}


def make_storage(settings: Settings) -> Storage:
    """Return the object storage: a local folder unless the operator names another."""
    from services.storage.base import S3Options
    from services.storage.factory import make_storage

    return make_storage(
        settings.storage_url or DEFAULT_STORAGE_URL,
        secret=settings.secret_key,
        s3=S3Options(
            endpoint_url=settings.s3_endpoint_url,
            public_endpoint_url=settings.s3_public_endpoint_url,
            region=settings.aws_region,
            access_key_id=settings.aws_access_key_id,
            secret_access_key=settings.aws_secret_access_key,
            encryption="" if settings.s3_encryption == "none" else settings.s3_encryption,
        ),
    )


def make_database(settings: Settings) -> Database:
    """Return the database of keys and jobs."""
    from services.persistence.database import Database

    return Database(settings.database_url)


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


def image_limits(settings: Settings) -> ImageLimits:
    """Return what may be decoded by a process without callers that wait."""
    from services.imaging.decode import FrameLimits, ImageLimits

    return ImageLimits(
        settings.max_content_length,
        settings.largest_image_pixels,
        settings.min_image_side,
        settings.allowed_extensions,
        FrameLimits(settings.max_frames, settings.max_animation_pixels),
    )


def web_limits(settings: Settings) -> ImageLimits:
    """Return what may be decoded in a request: fewer frames, where jobs take more."""
    limits = image_limits(settings)
    most, as_job = min(settings.max_request_frames, settings.max_frames), settings.max_frames * settings.jobs_enabled
    return replace(limits, frames=replace(limits.frames, most=most, as_job=as_job))


def engine_settings(settings: Settings, threads: int | None = None) -> EngineSettings:
    """Return how models run; `threads` instead of the settings' own where several processes share the machine."""
    from services.inference.runtime import EngineSettings

    return EngineSettings(
        settings.inference_engine, settings.inference_precision, threads or settings.inference_threads
    )


def require_engine(settings: Settings) -> None:
    """End the start with `ConfigError` where INFERENCE_ENGINE names CUDA and no model can run on it."""
    if settings.inference_engine != "cuda":
        return
    from services.inference.cuda import missing_cuda

    if trouble := missing_cuda():
        raise ConfigError(
            f"INFERENCE_ENGINE is 'cuda': {trouble}. It needs NVIDIA's driver and the image of Dockerfile.gpu; "
            "INFERENCE_ENGINE=auto uses the CPU where there is no GPU"
        )


def make_remover(settings: Settings, models: Models, admission: Admission, cache: ResultCache | None = None) -> Remover:
    """Return this process's remover."""
    from services.capacity.places import Places
    from services.imaging.pipeline import Rules
    from services.removal import Remover

    rules = Rules(require_subject=settings.require_subject)
    inspections = Places(settings.running_per_worker)
    return Remover(models, image_limits(settings), admission, cache, rules, inspections)


def make_local_remover(settings: Settings, jobs: int = 1) -> Remover:
    """Return the command line's remover: `jobs` images at a time share the models, which load when first used."""
    from services.capacity.admission import Admission

    admission = Admission(jobs, waiting=jobs, megapixels=settings.max_inflight_megapixels)
    return make_remover(settings, make_models(settings), admission)


def make_models(settings: Settings, threads: int | None = None) -> Models:
    """Return the models of a process without callers that wait; nothing is loaded yet."""
    from services.inference.registry import Models

    engine = engine_settings(settings, threads)
    models = Models(settings.models, settings.rembg_session_path, engine, max_loaded=settings.max_loaded_models)
    models.set_tiers(settings.tiers)
    return models


def make_web_services(settings: Settings) -> WebServices:
    """Return the parts of one web process. Its default model begins to load in the background."""
    from services.api_keys.usage_counter import UsageCounter
    from services.capacity.admission import Admission, Bodies
    from services.capacity.single_flight import SingleFlight
    from services.observability.machine import DiskSpace
    from services.observability.metrics import Metrics
    from services.persistence.redis import RedisProbe
    from services.storage.base import StorageProbe

    metrics = Metrics()
    metrics.add(DiskSpace(data_folders(settings)))
    models = _web_models(settings, metrics)
    keys, storage = _make_keys(settings), make_storage(settings)
    admission = Admission(
        settings.running_per_worker,
        settings.waiting_per_worker,
        settings.max_inflight_megapixels / settings.web_concurrency,
        on_change=metrics.set_load,
    )
    if settings.jobs_enabled:
        from services.jobs.metrics import JobCounters, JobMetricsCollector

        metrics.add(JobMetricsCollector(keys.database, JobCounters(settings.broker_url)))
    return WebServices(
        settings=settings,
        models=models,
        remover=replace(
            make_remover(settings, models, admission, _make_cache(settings, metrics)), limits=web_limits(settings)
        ),
        bodies=Bodies(settings.body_bytes_per_worker),
        metrics=metrics,
        keys=keys,
        usage=UsageCounter(keys.database, settings.usage_retention_days),
        fetcher=_make_fetcher(settings, metrics),
        coalescer=SingleFlight(admission.onlooker),
        storage=storage,
        storage_probe=StorageProbe(storage) if settings.storage_given or settings.jobs_enabled else None,
        jobs=make_job_services(settings, storage, keys.database) if settings.jobs_enabled else None,
        redis=RedisProbe(settings.redis_url) if settings.quotas_in_redis or settings.result_cache_seconds else None,
        accounts=make_accounts(settings, keys.database) if settings.accounts != "off" else None,
        overview=make_overview(settings, storage, keys.database),
    )


def make_accounts(settings: Settings, database: Database) -> Accounts:
    """Return the accounts of people."""
    from services.accounts.accounts import Accounts, Post
    from services.accounts.mail import Mailer, SmtpServer
    from services.accounts.outbox import Outbox
    from services.accounts.passwords import Passwords
    from services.accounts.sessions import Sessions
    from services.accounts.signed import SignedTokens

    post = None
    if settings.smtp_url:
        mailer = Mailer(SmtpServer.parse(settings.smtp_url), settings.mail_from)
        post = Post(mailer, Outbox(), settings.public_base)
    signed = SignedTokens(settings.secret_key)
    accounts = Accounts(
        database,
        Sessions(database, signed),
        Passwords(),
        post=post,
        registration=settings.accounts_registration == "open",
    )
    if settings.accounts == "oidc":
        from services.accounts.oidc import Provider

        client = settings.oidc_client_id, settings.oidc_client_secret
        redirect_uri = f"{settings.public_base}/api/v1/auth/oidc/callback"
        accounts.provider = Provider(settings.oidc_issuer, client, redirect_uri, signed)
    return accounts


def make_overview(settings: Settings, storage: Storage, database: Database) -> Overview:
    """Return the questions of an operator's overview; nothing is asked yet."""
    import redis

    from services.jobs.pending import PendingWork
    from services.jobs.tables import FOLDERS
    from services.jobs.workers.presence import Workers
    from services.observability.questions import Question
    from services.persistence.redis import redis_options
    from services.result_cache import count_cached
    from services.storage.census import count_all

    def ping() -> bool:
        database.ping()
        return True

    cache = redis.Redis.from_url(settings.redis_url, **redis_options(settings.redis_url))
    broker = redis.Redis.from_url(settings.broker_url, **redis_options(settings.broker_url))
    uses_redis = settings.quotas_in_redis or settings.result_cache_seconds
    workers, jobs = Workers(settings.broker_url), settings.jobs_enabled
    return Overview(
        database=Question(ping, OVERVIEW_SECONDS) if settings.auth_required or database.exists() or jobs else None,
        redis=Question(lambda: bool(cache.ping()), OVERVIEW_SECONDS) if uses_redis else None,
        broker=Question(lambda: bool(broker.ping()), OVERVIEW_SECONDS) if jobs else None,
        storage=Question(lambda: count_all(storage, FOLDERS), CENSUS_SECONDS),
        cache=Question(lambda: count_cached(cache), CENSUS_SECONDS) if settings.result_cache_seconds else None,
        workers=Question(workers.list, OVERVIEW_SECONDS) if jobs else None,
        backlog=Question(PendingWork(database).backlog, OVERVIEW_SECONDS) if jobs else None,
    )


def data_folders(settings: Settings) -> dict[str, Path]:
    """Return the folders on this machine that the service fills, by what they are for."""
    folders = {"uploads": settings.upload_dir}
    kind, place = parse_storage_url(settings.storage_url or DEFAULT_STORAGE_URL)
    if kind == "file":
        folders["storage"] = Path(place)
    return folders


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


def make_maintenance(settings: Settings) -> Maintenance:
    """Return the parts of the sweeper."""
    from services.jobs.dispatch import Dispatcher
    from services.jobs.metrics import JobCounters
    from services.jobs.queue import Queue
    from services.jobs.recovery import JobRecovery
    from services.jobs.retention import Retention
    from services.jobs.store import JobStore

    store = JobStore(make_database(settings), result_seconds=settings.job_result_ttl_seconds)
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
    from services.jobs.signatures import Signer
    from services.jobs.webhook_sender import WebhookSender
    from services.jobs.webhooks import Webhooks

    webhooks = Webhooks(
        store,
        make_outbound(settings),
        Signer(settings.webhook_secrets),
        counters=counters,
        public_url=settings.public_base,
    )
    return WebhookSender(webhooks, PendingWork(store.database), settings.job_sweep_seconds)


def _web_models(settings: Settings, metrics: Metrics) -> Models:
    from services.inference.registry import Models

    log = structlog.get_logger("model")

    def note_change(segmenter: RembgSegmenter, loaded: bool) -> None:
        if not loaded:
            metrics.forget_model(segmenter)
            log.info("model dropped", model=segmenter.name)
            return
        metrics.note_model(segmenter)
        facts = {"model": segmenter.name, "engine": segmenter.engine, "precision": segmenter.precision}
        if segmenter.warning:
            log.warning("model loaded", **facts, warning=segmenter.warning)
        else:
            log.info("model loaded", **facts)

    models = Models(
        settings.models,
        settings.rembg_session_path,
        engine_settings(settings),
        max_waiting=settings.running_per_worker + settings.waiting_per_worker,
        max_loaded=settings.max_loaded_models,
        on_change=note_change,
    )
    models.set_tiers(settings.tiers)
    models.start()
    return models


def _make_keys(settings: Settings) -> KeyCache:
    """Return the API keys. The database is opened now if keys are required; otherwise when the first key comes."""
    from services.api_keys.key_cache import KeyCache

    keys = KeyCache(make_database(settings))
    if settings.auth_required:
        # The log and /health say why it fails.
        with contextlib.suppress(DatabaseUnavailable):
            keys.database.ping()
    return keys


def _make_cache(settings: Settings, metrics: Metrics) -> ResultCache | None:
    from services.result_cache import ResultCache

    if not settings.result_cache_seconds:
        return None
    count = metrics.cache
    return ResultCache(
        settings.redis_url, settings.result_cache_seconds, on_look=lambda outcome: count.labels(outcome).inc()
    )


def _make_fetcher(settings: Settings, metrics: Metrics) -> Fetcher:
    from services.net.fetch import Fetcher

    return Fetcher(
        make_outbound(settings),
        enabled=settings.fetch_enabled,
        seconds=settings.fetch_timeout_seconds,
        max_bytes=settings.max_content_length,
        places=settings.fetches_per_worker,
        on_outcome=lambda outcome: metrics.fetches.labels(outcome).inc(),
    )
