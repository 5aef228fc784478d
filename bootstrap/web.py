"""Makes the parts of a web process."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import structlog

from bootstrap.accounts import make_accounts
from bootstrap.jobs import JobServices, make_job_services, make_outbound
from bootstrap.overview import Overview, make_overview
from bootstrap.removal import engine_settings, make_remover, web_limits
from bootstrap.stores import data_folders, make_database, make_storage
from config import Settings
from services.errors import DatabaseUnavailable

if TYPE_CHECKING:
    from services.accounts.accounts import Accounts
    from services.api_keys.key_cache import KeyCache
    from services.api_keys.usage_counter import UsageCounter
    from services.capacity.admission import Admission, Bodies
    from services.capacity.single_flight import SingleFlight
    from services.imaging.decode import ImageLimits
    from services.imaging.pipeline import Result
    from services.inference.registry import Models
    from services.inference.segmenter import RembgSegmenter
    from services.net.fetch import Fetcher
    from services.observability.metrics import Metrics
    from services.persistence.redis import RedisProbe
    from services.removal import Remover
    from services.result_cache import ResultCache
    from services.storage.base import Storage, StorageProbe


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
