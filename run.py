"""`make run`: the web server, a worker for jobs and an embedded Valkey between them, started and stopped as one.

Nothing but the standard library is imported before the web server starts: it should be up as soon as it would be alone.
"""

import contextlib
import os
import socket
import sys
from typing import Final

from paths import HOME, ROOT, env_files
from services.capacity.resources import usable_cpus
from services.launch.announce import EVERY, announcement
from services.launch.broker import NOISE, BrokerUnavailable, prepare_broker
from services.launch.program import Program
from services.launch.secret import keep_private, kept_secret
from services.launch.supervisor import Supervisor
from settings.names import environment

BROKER_FOLDER: Final = HOME / "data/valkey"
DEFAULT_REDIS: Final = ("127.0.0.1", 6379)
DEFAULT_REDIS_URL: Final = "redis://127.0.0.1:6379/0"
SECRET_FILE: Final = HOME / "data/secret-key"
DEFAULT_DATABASE: Final = HOME / "data/background-remover.db"
# As `.env.sample` has it, and as the settings resolve it.
DEFAULT_DATABASE_URLS: Final = frozenset({"sqlite:///data/background-remover.db", f"sqlite:///{DEFAULT_DATABASE}"})
NO: Final = frozenset({"0", "false", "f", "no", "n", "off"})
# Beyond what the web server gives itself, see graceful_timeout in gunicorn.conf.py.
GRACE_SECONDS: Final = 15.0
# Time to finish running images. The lease of an unfinished one expires, and another worker repeats it.
WORKER_GRACE_SECONDS: Final = 30.0
WEB: Final = (sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"))
# Workers need not know of each other: the records do.
CELERY_FLAGS: Final = ("--without-gossip", "--without-mingle", "--without-heartbeat")
WORKER: Final = (sys.executable, "-m", "celery", "-A", "worker", "worker", *CELERY_FLAGS)


def programs(settings: dict[str, str]) -> list[Program]:
    """Return what to run. Without a broker, or with `JOBS_ENABLED=false`, that is the web server alone."""
    env = dict(os.environ)
    # Celery and Gunicorn find the modules from any folder.
    env["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), env.get("PYTHONPATH", "")]))
    announce = env.pop("ANNOUNCE", "")
    # Without a secret the web server makes its own, and says so.
    with contextlib.suppress(OSError):
        keep_private(SECRET_FILE.parent)
        env["SECRET_KEY"] = settings.get("SECRET_KEY") or kept_secret(SECRET_FILE)
    # The programs write into pipes of the supervisor's; it alone knows of the terminal.
    if settings.get("LOG_FORMAT", "auto").lower() == "auto" and not settings.get("LOG_FILE") and sys.stderr.isatty():
        env["LOG_FORMAT"] = "console"
    others: list[Program] = []
    note = ""
    if settings.get("JOBS_ENABLED", "").lower() in NO:
        note = "Jobs are off: JOBS_ENABLED=false."
    else:
        try:
            if not is_chosen(settings.get("JOB_BROKER_URL") or settings.get("REDIS_URL", "")):
                broker = prepare_broker(BROKER_FOLDER)
                env["JOB_BROKER_URL"] = broker.url
                others.append(
                    Program(
                        "valkey",
                        broker.command,
                        last=True,
                        left_out=NOISE,
                        grace_seconds=10,
                        pass_fds=(broker.lock,),
                    )
                )
            env["JOBS_ENABLED"] = "true"
            # Each child holds a model of its own (about 200 MB), and one image can use about four CPUs.
            env["WORKER_CONCURRENCY"] = settings.get("WORKER_CONCURRENCY") or str(max(1, usable_cpus() // 4))
            others.append(worker(env, settings.get("DATABASE_URL", "")))
        except BrokerUnavailable as exc:
            env["JOBS_ENABLED"] = "false"
            note = f"Jobs are off: {exc}. JOB_BROKER_URL=redis://... turns them on."
    host, port = settings.get("HOST", "127.0.0.1"), int(settings.get("PORT", "5001"))
    web = Program(
        "web",
        WEB,
        env,
        required=True,
        ready=lambda: is_ready(host, port),
        on_ready=(lambda: _print(announcement(host, port, announce) + note + "\n" * bool(note))) if announce else None,
        grace_seconds=float(settings.get("REQUEST_TIMEOUT_SECONDS", "60")) + GRACE_SECONDS,
    )
    return [web, *others]


def worker(env: dict[str, str], database_url: str) -> Program:
    """Return the program that works on jobs. It starts after the web server, when there may be jobs."""
    return Program(
        "worker",
        WORKER,
        env,
        after="web",
        when=lambda: has_records(database_url),
        background=True,
        grace_seconds=WORKER_GRACE_SECONDS,
    )


def is_chosen(url: str) -> bool:
    """Return whether the operator chose a Redis; the default address counts only if something listens there."""
    if url != DEFAULT_REDIS_URL:
        return bool(url)
    with contextlib.suppress(OSError), socket.create_connection(DEFAULT_REDIS, 0.5):
        return True
    return False


def has_records(url: str) -> bool:
    """Return whether there may be jobs: the database exists, or is not the default file.

    Before the first job a worker with its model would only use memory.
    """
    return (bool(url) and url not in DEFAULT_DATABASE_URLS) or DEFAULT_DATABASE.exists()


def is_ready(host: str, port: int) -> bool:
    """Return whether `/health/ready` answers 200; waits half a second at most."""
    address = EVERY.get(host, host)
    try:
        with socket.create_connection((address, port), 0.5) as connection:
            connection.settimeout(0.5)
            connection.sendall(b"GET /health/ready HTTP/1.0\r\n\r\n")
            return connection.recv(12).endswith(b" 200")
    except OSError:
        return False


def _print(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Run everything until Ctrl-C or SIGTERM; return the exit status."""
    try:
        table = programs(environment(env_files()))
    # Not a number, or a `.env` file that can't be read: the web server reports it with all other mistakes.
    except (ValueError, OSError):
        table = [Program("web", WEB, required=True)]
    return Supervisor(table).run()


if __name__ == "__main__":
    sys.exit(main())
