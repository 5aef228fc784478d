"""How Gunicorn serves the app: few processes, many threads, one model in each process.

The master imports the code, so that workers share its memory, and makes nothing that does not survive a fork:
every worker builds its own app, session, limiter and log handlers after it.
"""

import atexit
import contextlib
import gc
import importlib
import logging.config
import os
import resource
import shutil
import socket
import threading
import uuid
from pathlib import Path
from typing import Any

import cv2
import gunicorn.util

# Until the first fork: looking through everything imported again and again takes a third of the start.
gc.disable()

from bootstrap.settings import load_settings, require_engine  # noqa: E402
from config import ConfigError, Settings  # noqa: E402
from paths import env_files  # noqa: E402
from routes.http.context import EXTENSION  # noqa: E402
from routes.http.errors import unparsed_body  # noqa: E402
from routes.server.web_worker import WebWorker  # noqa: E402
from services.capacity.resources import MIB, tame_allocator  # noqa: E402
from services.errors import BadRequest, ServiceError  # noqa: E402
from services.observability import tracing  # noqa: E402
from services.observability.logs import logging_config  # noqa: E402
from services.observability.metric_files import clear_gauges, metrics_folder, use_metrics_slot  # noqa: E402

SHARED_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # noqa: S108 - mkdtemp makes private folders
# A reload (SIGHUP) runs this file again: the counts must go on.
OURS = f"BG_REMOVER_METRICS_{os.getpid()}"
METRICS_DIR = os.environ.get(OURS) or metrics_folder(SHARED_MEMORY)
MASTER = os.getpid()


def remove_metrics_dir() -> None:
    """Remove the metrics folder when the master ends; workers inherit this hook and must not run it."""
    if os.getpid() == MASTER:
        shutil.rmtree(METRICS_DIR, ignore_errors=True)


atexit.register(remove_metrics_dir)
os.environ[OURS] = os.environ["PROMETHEUS_MULTIPROC_DIR"] = METRICS_DIR


def settings_to_serve_with() -> Settings:
    """Return the settings. A reload that finds mistakes keeps those before it: a mistake must not end what runs."""
    try:
        return load_settings()
    except ConfigError as exc:
        if not WebWorker.settings:
            raise
        # A traceback would say nothing more.
        logging.getLogger("gunicorn.error").error("Not reloaded, the settings before stay: %s", exc)  # noqa: TRY400
        return WebWorker.settings


settings = WebWorker.settings = settings_to_serve_with()

KEEPALIVE_CONNECTIONS = 200
MAX_FILES = 16_384
# The request's own deadline comes first, with an answer.
BODY_GRACE_SECONDS = 2
# Of a worker: libraries, metrics, log, sockets.
BASE_OPEN_FILES = 40
# Its socket, and a file that its request has open.
FILES_PER_CONNECTION = 2
SHARED_MODULES = (
    "app",
    "services.api_keys.key_cache",
    "services.capacity.single_flight",
    "services.inference.registry",
    "services.observability.metrics",
    "services.removal",
    "cv2",
    "pi_heif",
    "PIL.Image",
    "PIL.ImageCms",
    "rembg.sessions",
    "onnxruntime",
    "redis",
)
JOB_MODULES = (  # what the first job or key needs
    "alembic.command",
    "celery",
    "celery.app.amqp",
    "celery.app.control",
    "celery.app.events",
    "kombu.transport.redis",
)


class ConfiguredWorker(WebWorker):
    """The worker class with the settings of this service."""

    body_seconds = settings.request_timeout_seconds + BODY_GRACE_SECONDS
    is_behind_proxy = settings.trusted_proxies > 0
    max_memory_bytes = settings.web_max_memory_mb * MIB

    def load_wsgi(self) -> None:
        """Make the app with the master's settings: a worker that replaces another reads no `.env` of its own."""
        from app import create_app

        self.app.callable = create_app(settings)
        super().load_wsgi()


def connections(threads: int) -> int:
    """Return how many connections one worker may hold, and raise its limit of open files to the system's.

    A worker that accepts more than it has files for would end in the middle of other requests.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(8, min(threads + KEEPALIVE_CONNECTIONS, (most - BASE_OPEN_FILES) // FILES_PER_CONNECTION))


def write_json_error(client: socket.socket, status: int, reason: str, details: str) -> None:
    """Answer a request that Gunicorn can't parse with the body that every other error has."""
    request_id = uuid.uuid4().hex
    # 501: a transfer coding that nobody knows.
    error = ServiceError(reason) if status == 500 else BadRequest(f"{reason}: {details[:200]}")
    # Only connections of ours know the path.
    kind, body = unparsed_body(error, getattr(client, "path", ""), request_id, settings)
    cors = "Access-Control-Allow-Origin: *\r\n" if "*" in settings.cors_origins else ""
    head = (
        f"HTTP/1.1 {status} {reason}\r\nConnection: close\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {len(body)}\r\nX-Request-ID: {request_id}\r\nX-Content-Type-Options: nosniff\r\n"
        f"{cors}\r\n"
    )
    gunicorn.util.write_nonblock(client, head.encode("ascii", "replace") + body)


# It has no setting for this; its own are HTML.
gunicorn.util.write_error = write_json_error

bind = f"[{settings.host}]:{settings.port}" if ":" in settings.host else f"{settings.host}:{settings.port}"
wsgi_app = "app:create_app()"
worker_class = ConfiguredWorker
workers = settings.web_concurrency
threads = settings.web_threads
worker_connections = connections(threads)
max_requests = settings.max_requests
# Workers that started together are not replaced together.
max_requests_jitter = settings.max_requests // 10
backlog = 256
# On_starting preloads the code; the app itself is made after the fork.
preload_app = False
# A worker whose main thread is stuck; a request's own limit is REQUEST_TIMEOUT_SECONDS.
timeout = 120
graceful_timeout = int(settings.request_timeout_seconds) + 5
# Each piece that is sent shows that the caller still reads.
sendfile = False
# Longer than the proxy keeps an idle connection, or it would meet closed ones.
keepalive = 75
# A heartbeat on a slow disk may block a worker.
worker_tmp_dir = SHARED_MEMORY
# The client's address is read in routes/http/limits.py, through TRUSTED_PROXIES hops.
forwarded_allow_ips = ""
control_socket_disable = True
proc_name = "background-remover"
logconfig_dict: dict[str, Any] = logging_config(
    level=settings.log_level,
    style=settings.log_format,
    file=settings.log_file,
    rotate_mb=settings.log_rotate_mb,
    backups=settings.log_backups,
)


def import_modules(names: tuple[str, ...]) -> None:
    for name in names:
        importlib.import_module(name)


def on_starting(server: Any) -> None:
    """Import what workers share, before the first fork."""
    from services.inference.runtime import import_rembg

    require_engine(settings)
    import_rembg()
    import_modules(SHARED_MODULES)
    if settings.jobs_enabled and workers > 1:
        import_modules(JOB_MODULES)
    if settings.rate_limit_storage == "memory" and settings.web_concurrency > 1:
        server.log.warning("RATE_LIMIT_STORAGE=memory: each of %d workers counts for itself", settings.web_concurrency)
    if not os.environ.get("SECRET_KEY") and "secret_key" not in _dotenv_names():
        server.log.warning("SECRET_KEY is not set: a random one is used until the next start")
        os.environ["SECRET_KEY"] = settings.secret_key  # the same one in every worker


def pre_fork(server: Any, worker: Any) -> None:
    """Give the worker the lowest metrics slot that no living worker has, and freeze the imported modules."""
    gc.freeze()
    gc.enable()
    taken = {other.metrics_slot for other in server.WORKERS.values()}
    worker.metrics_slot = next(slot for slot in range(len(taken) + 1) if slot not in taken)


def post_fork(server: Any, worker: Any) -> None:
    """Set up what must not be shared: the allocator, OpenCV, the metrics slot, the log handlers with their locks."""
    tame_allocator()
    # Its threads would wait for each other beside those of other requests: 4 to 6 % more processor time.
    cv2.setNumThreads(1)
    logging.config.dictConfig(logconfig_dict)
    use_metrics_slot(Path(METRICS_DIR), worker.metrics_slot)


def worker_exit(server: Any, worker: Any) -> None:
    """Write what a worker has counted and not written yet, and end its process."""
    app = getattr(worker, "wsgi", None)
    if app is not None:
        if app.extensions[EXTENSION].accounts:
            app.extensions[EXTENSION].accounts.close()
        app.extensions[EXTENSION].usage.close()
        app.extensions[EXTENSION].keys.close()
    tracing.stop()


def child_exit(server: Any, worker: Any) -> None:
    """Set the gauges of a worker that has ended to 0; its counters stay."""
    clear_gauges(Path(METRICS_DIR), worker.metrics_slot)


def post_worker_init(worker: Any) -> None:
    """Import the modules of jobs while the model loads, where there is only one worker: it need not share them."""
    if settings.jobs_enabled and workers == 1:
        threading.Thread(target=import_modules, args=(JOB_MODULES,), name="import", daemon=True).start()


def _dotenv_names() -> set[str]:
    names: set[str] = set()
    for file in env_files():
        with contextlib.suppress(OSError):
            lines = file.read_text(encoding="utf-8").splitlines()
            names |= {line.partition("=")[0].strip().lower() for line in lines if line.partition("=")[2].strip()}
    return names
