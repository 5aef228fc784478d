"""Structured logs: one JSON object (or coloured text) a line, to standard error or to a file."""

import contextlib
import logging
import logging.handlers
import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Final

import orjson
import structlog

from services.observability.tracing import without_sdk

# portalocker, which it is made with, imports redis-py.
with without_sdk():
    from concurrent_log_handler import ConcurrentRotatingFileHandler

# Addresses, job ids and names of keys are in the log.
FILE_MODE: Final = 0o600


def logging_config(*, level: str, style: str, file: Path | None, rotate_mb: float, backups: int) -> dict[str, Any]:
    """Return a `logging.config` dictionary: one JSON object (or coloured text) a line, to standard error or to `file`.

    `style`: "json", "console", or "auto" for text on a terminal and JSON elsewhere.
    A file rotates at `rotate_mb`, under a lock that all workers share; 0 leaves rotation to logrotate, and the file is
    reopened when it was moved away.
    """
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        cache_logger_on_first_use=False,
    )
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "processors": _renderers(style, terminal=file is None and sys.stderr.isatty()),
                "foreign_pre_chain": shared,
            }
        },
        "handlers": {"out": {"formatter": "line", **_handler(file, rotate_mb, backups)}},
        "root": {"handlers": ["out"], "level": level},
        "loggers": {
            "gunicorn.error": {"handlers": [], "propagate": True, "level": level},
            "gunicorn.access": {"handlers": [], "propagate": False, "level": "CRITICAL"},
            # services/persistence logs upgrades itself.
            "alembic": {"level": "WARNING"},
            # Its remarks about callers' files are in the answer already.
            "PIL": {"level": "CRITICAL"},
            "flask-limiter": {"handlers": [], "propagate": True, "level": "WARNING"},
        },
    }


def _renderers(style: str, *, terminal: bool) -> list[Any]:
    """Return the processors that turn an event into a line."""
    clean = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    if style == "json" or (style == "auto" and not terminal):
        return [clean, structlog.processors.format_exc_info, structlog.processors.JSONRenderer(serializer=_dumps)]
    # structlog's own tracebacks show the values of variables: passwords, keys, photos.
    plain = structlog.dev.ConsoleRenderer(
        colors=terminal, sort_keys=False, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )
    return [clean, _without_absent, _harmless, plain]


class StandardErrorFallback(logging.Handler):
    """Writes a line to standard error when the disk has no space for it; logging itself would write a traceback."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        with contextlib.suppress(Exception):
            print(self.format(record), file=sys.stderr, flush=True)


class WatchedFile(StandardErrorFallback, logging.handlers.WatchedFileHandler):
    """A log file that logrotate may move away. Its owner alone can read it."""

    def _open(self) -> TextIOWrapper:
        with contextlib.suppress(FileExistsError):
            os.close(os.open(self.baseFilename, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
        opened = super()._open()
        # Neither a device, such as /dev/null, nor another user's file.
        with contextlib.suppress(PermissionError):
            if Path(self.baseFilename).is_file():
                os.fchmod(opened.fileno(), FILE_MODE)
        return opened


class RotatingFile(StandardErrorFallback, ConcurrentRotatingFileHandler):  # type: ignore[misc]
    """A log file that all workers write and rotate."""


def _handler(file: Path | None, rotate_mb: float, backups: int) -> dict[str, Any]:
    if file is None:
        return {"class": "logging.StreamHandler", "stream": "ext://sys.stderr"}
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if rotate_mb == 0:
        return {"()": WatchedFile, "filename": str(file), "encoding": "utf-8"}
    return {
        "()": RotatingFile,
        "filename": str(file),
        "maxBytes": int(rotate_mb * 2**20),
        "backupCount": backups,
        # Not of a device, such as /dev/null.
        "chmod": FILE_MODE if file.is_file() or not file.exists() else None,
        "encoding": "utf-8",
    }


def _without_absent(_: object, __: str, event: Any) -> Any:
    """Leave out fields without a value, which programs look for and people stumble over."""
    return {name: value for name, value in event.items() if value is not None}


def _harmless(_: object, __: str, event: Any) -> Any:
    """Escape what a terminal would obey: a caller's path may hold control characters."""
    return {name: _escaped(value) if isinstance(value, str) else value for name, value in event.items()}


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() or char == "\n" else ascii(char)[1:-1] for char in text)


def _dumps(event: Any, default: Any = None, **_: Any) -> str:
    return orjson.dumps(event, default=default, option=orjson.OPT_NON_STR_KEYS).decode()
