"""The application: `create_app` wires settings, services and routes. Nothing happens at import."""

import contextlib
import threading
from pathlib import Path

import cv2
import structlog
from flask import Flask
from flask_cors import CORS

import routes
from config import Settings, load_settings
from parts import storage_of
from routes import removebg
from routes.http.bodies import InMemoryRequest, release_body
from routes.http.context import EXTENSION, Jobs, Service
from routes.http.errors import handle_errors
from routes.http.limits import attach_limiter, make_limiter
from routes.http.observe import observe
from services.api_keys.key_cache import KeyCache
from services.capacity.admission import Admission, Bodies
from services.capacity.single_flight import Coalescer
from services.errors import DatabaseUnavailable
from services.imaging.decode import ImageLimits
from services.imaging.segment import RembgSegmenter
from services.inference.registry import Models
from services.inference.runtime import EngineSettings
from services.jobs.dispatch import Dispatcher
from services.jobs.metrics import JobCounters, JobMetricsCollector
from services.jobs.queries import JobQueries
from services.jobs.queue import Queue
from services.jobs.store import JobStore
from services.jobs.submit import JobSubmitter
from services.net.client import Outbound
from services.net.fetch import Fetcher
from services.observability.metrics import Metrics
from services.persistence.database import Database
from services.persistence.redis import RedisProbe
from services.persistence.ttl_cache import TtlCache
from services.result_cache import ResultCache
from services.storage.base import Storage, StorageProbe

POLL_SECONDS = 0.25  # a job's progress is told this late at most; its state never is
WEB = Path(__file__).parent / "web"
EXPOSED_HEADERS = (
    "X-Request-ID",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "Retry-After",
    "Server-Timing",
    "X-Confidence",
    "Content-Disposition",
    "X-Width",
    "X-Height",
    "X-Foreground-Top",
    "X-Foreground-Left",
    "X-Foreground-Width",
    "X-Foreground-Height",
    "X-Original-Size",
    "X-Optimized-Size",
    "X-Optimization-Used",
    *removebg.HEADERS,
    "X-Output-Key",
    "X-Cache",
)
ALLOWED_HEADERS = ("Content-Type", "Accept", "Authorization", "X-Api-Key", "X-Request-ID", "Idempotency-Key")


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application. Its model begins to load at once, in the background of this process."""
    settings = settings or load_settings()
    app = Flask(__name__, static_folder=str(WEB), static_url_path="/static")
    app.request_class = InMemoryRequest
    app.config.update(
        SECRET_KEY=settings.secret_key,
        DEBUG=settings.debug,
        MAX_CONTENT_LENGTH=settings.max_encoded_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_encoded_bytes,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.extensions[EXTENSION] = make_service(settings)
    limiter = make_limiter(settings)
    observe(app)
    attach_limiter(app, limiter)
    CORS(
        app,
        origins=[*settings.cors_origins, *filter(None, [settings.frontend_url])],
        expose_headers=list(EXPOSED_HEADERS),
        allow_headers=list(ALLOWED_HEADERS),
        send_wildcard="*" in settings.cors_origins,
        max_age=86400,
    )
    handle_errors(app)
    app.teardown_request(release_body)
    routes.register(app, limiter, settings)
    return app


def _note_model(metrics: Metrics, segmenter: RembgSegmenter) -> None:
    metrics.note_model(segmenter)
    log = structlog.get_logger("model")
    write = log.warning if segmenter.warning else log.info
    write(
        "model loaded",
        model=segmenter.spec.name,
        engine=segmenter.engine,
        precision=segmenter.precision,
        warning=segmenter.warning or None,
    )


def make_cache(settings: Settings, metrics: Metrics) -> ResultCache:
    """Results kept for a while, in the Redis of the quotas."""
    return ResultCache(
        settings.redis_url,
        settings.result_cache_seconds,
        on_look=lambda outcome: metrics.cache.labels(outcome).inc(),
    )


def make_keyring(settings: Settings) -> KeyCache:
    """The keys. The database is opened now if keys are required; a lost one is tried again when a key comes."""
    keys = KeyCache(Database(settings.database_url))
    if settings.auth_required:
        with contextlib.suppress(DatabaseUnavailable):  # the log and /health say why
            keys.database.ping()
    return keys


def make_jobs(settings: Settings, storage: Storage, database: Database) -> Jobs:
    """The parts that see to jobs, in the service and in its workers. Nothing is opened yet."""
    records = JobStore(database, result_seconds=settings.job_result_ttl_seconds)
    reports = JobQueries(database)
    queue = Queue(settings.broker_url)
    dispatcher = Dispatcher(records, queue, settings.batch_concurrency)
    listeners = threading.BoundedSemaphore(settings.listeners_per_worker)
    desk = JobSubmitter(records, reports, storage, dispatcher, settings.max_waiting_per_caller)
    return Jobs(records, reports, queue, dispatcher, desk, listeners, TtlCache(POLL_SECONDS))


def image_limits(settings: Settings) -> ImageLimits:
    """What may be decoded."""
    return ImageLimits(
        settings.max_content_length,
        settings.largest_image_pixels,
        settings.min_image_side,
        settings.allowed_extensions,
    )


def _note_dropped(metrics: Metrics, segmenter: RembgSegmenter) -> None:
    metrics.forget_model(segmenter)
    structlog.get_logger("model").info("model dropped", model=segmenter.spec.name)


def make_service(settings: Settings) -> Service:
    """The parts of one process, its model loading."""
    cv2.setNumThreads(1)  # requests run side by side; OpenCV would otherwise start as many threads as the host has CPUs
    metrics = Metrics()
    engine = EngineSettings(settings.inference_engine, settings.inference_precision, settings.inference_threads)
    models = Models(
        settings.models,
        settings.rembg_session_path,
        engine,
        on_loaded=lambda segmenter: _note_model(metrics, segmenter),
        max_waiting=settings.running_per_worker + settings.waiting_per_worker,
        max_loaded=settings.max_loaded_models,
        on_dropped=lambda segmenter: _note_dropped(metrics, segmenter),
    )
    models.start()
    keys, storage = make_keyring(settings), storage_of(settings)
    admission = Admission(
        settings.running_per_worker,
        settings.waiting_per_worker,
        settings.max_inflight_megapixels / settings.web_concurrency,
        on_change=metrics.set_load,
    )
    if settings.jobs_enabled:
        metrics.add(JobMetricsCollector(keys.database, JobCounters(settings.broker_url)))
    return Service(
        settings=settings,
        models=models,
        limits=image_limits(settings),
        admission=admission,
        bodies=Bodies(settings.body_bytes_per_worker),
        metrics=metrics,
        fetcher=Fetcher(
            Outbound(ports=settings.fetch_allowed_ports, hosts=settings.fetch_allowed_hosts),
            enabled=settings.fetch_enabled,
            seconds=settings.fetch_timeout_seconds,
            max_bytes=settings.max_content_length,
            places=settings.fetches_per_worker,
            on_outcome=lambda outcome: metrics.fetches.labels(outcome).inc(),
        ),
        keys=keys,
        coalescer=Coalescer(admission.onlooker),
        storage=storage,
        storage_probe=StorageProbe(storage) if settings.storage_given or settings.jobs_enabled else None,
        jobs=make_jobs(settings, storage, keys.database) if settings.jobs_enabled else None,
        cache=make_cache(settings, metrics) if settings.result_cache_seconds else None,
        redis=RedisProbe(settings.redis_url) if settings.quotas_in_redis or settings.result_cache_seconds else None,
    )
