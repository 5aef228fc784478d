"""Configures the log of a process and its traces."""

from __future__ import annotations

import logging.config

from config import Settings
from services.observability.logs import logging_config


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
