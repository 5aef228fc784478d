"""`make run`: the web server, a worker for jobs and an embedded Valkey between them, started and stopped as one.

Nothing but the standard library is imported before the web server starts: it should be up as soon as it would be alone.
"""

import contextlib
import os
import socket
import sys
from pathlib import Path
from typing import Final

from services.capacity.resources import usable_cpus
from services.launch.announce import announcement
from services.launch.broker import BrokerUnavailable, prepare_broker
from services.launch.supervisor import Program, Supervisor

ROOT: Final = Path(__file__).parent
BROKER_FOLDER: Final = Path("data/valkey")
DEFAULT_REDIS: Final = ("127.0.0.1", 6379)
DEFAULT_REDIS_URL: Final = "redis://127.0.0.1:6379/0"
DEFAULT_DATABASE: Final = Path("data/background-remover.db")
DEFAULT_DATABASE_URL: Final = f"sqlite:///{DEFAULT_DATABASE}"
NO: Final = frozenset({"0", "false", "f", "no", "n", "off"})
# Beyond what the web server gives itself, see graceful_timeout in gunicorn.conf.py.
GRACE_SECONDS: Final = 15.0
# For the images under way; what is not done by then is done again, by a lease's end.
WORKER_GRACE_SECONDS: Final = 30.0
WEB: Final = (sys.executable, "-m", "gunicorn", "-c", str(ROOT / "gunicorn.conf.py"))
# Workers need not know of each other: the records do.
ALONE: Final = ("--without-gossip", "--without-mingle", "--without-heartbeat")
WORKER: Final = (sys.executable, "-m", "celery", "-A", "worker", "worker", *ALONE)


def environment() -> dict[str, str]:
    """What `config.py` will read: the environment, and for names that it lacks the file `.env`."""
    names = {name: value for name, value in os.environ.items() if value}
    if Path(".env").is_file():
        from dotenv import dotenv_values

        given = {name.upper() for name in names}
        names |= {name: value for name, value in dotenv_values(".env").items() if value and name.upper() not in given}
    return {name.upper(): value for name, value in names.items()}


def programs(settings: dict[str, str]) -> list[Program]:
    """What to run. Without a broker, or with `JOBS_ENABLED=false`, that is the web server alone."""
    env = dict(os.environ)
    announce = env.pop("ANNOUNCE", "")
    others: list[Program] = []
    note = ""
    if settings.get("JOBS_ENABLED", "").lower() in NO:
        note = "Jobs are off: JOBS_ENABLED=false."
    else:
        try:
            if not is_chosen(settings.get("JOB_BROKER_URL") or settings.get("REDIS_URL", "")):
                broker = prepare_broker(BROKER_FOLDER)
                env["JOB_BROKER_URL"] = broker.url
                others.append(Program("valkey", broker.command, last=True, grace_seconds=10, pass_fds=(broker.lock,)))
            env["JOBS_ENABLED"] = "true"
            # Each child holds a model of its own (about 200 MB), and one image can use about four CPUs.
            env["WORKER_CONCURRENCY"] = settings.get("WORKER_CONCURRENCY") or str(max(1, usable_cpus() // 4))
            others.append(
                Program(
                    "worker",
                    WORKER,
                    env,
                    after="web",
                    when=lambda: has_records(settings.get("DATABASE_URL", "")),
                    background=True,
                    grace_seconds=WORKER_GRACE_SECONDS,
                )
            )
        except BrokerUnavailable as exc:
            env["JOBS_ENABLED"] = "false"
            note = f"Jobs are off: {exc}. JOB_BROKER_URL=redis://... turns them on."
    host, port = settings.get("HOST", "0.0.0.0"), int(settings.get("PORT", "5001"))
    web = Program(
        "web",
        WEB,
        env,
        required=True,
        ready=lambda: is_ready(host, port),
        on_ready=(lambda: _tell(announcement(port) + note + "\n" * bool(note))) if announce else None,
        grace_seconds=float(settings.get("REQUEST_TIMEOUT_SECONDS", "60")) + GRACE_SECONDS,
    )
    return [web, *others]


def is_chosen(url: str) -> bool:
    """Whether the operator named a Redis. The default's address, as `.env.sample` has it, only if somebody listens."""
    if url != DEFAULT_REDIS_URL:
        return bool(url)
    with contextlib.suppress(OSError), socket.create_connection(DEFAULT_REDIS, 0.5):
        return True
    return False


def has_records(url: str) -> bool:
    """Whether there may be jobs: their database is there, or is not the default's file. Before the first one a worker
    with its model would only use memory."""
    return (bool(url) and url != DEFAULT_DATABASE_URL) or DEFAULT_DATABASE.exists()


def is_ready(host: str, port: int) -> bool:
    """Whether `/health/ready` says 200. Waits half a second at most."""
    address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    try:
        with socket.create_connection((address, port), 0.5) as connection:
            connection.settimeout(0.5)
            connection.sendall(b"GET /health/ready HTTP/1.0\r\n\r\n")
            return connection.recv(12).endswith(b" 200")
    except OSError:
        return False


def _tell(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def main() -> int:
    """Run it all until Ctrl-C or SIGTERM; the exit status."""
    settings = environment()
    try:
        table = programs(settings)
    # A number that is none: the web server says so, with all other mistakes.
    except ValueError:
        table = [Program("web", WEB, required=True)]
    return Supervisor(table).run()


if __name__ == "__main__":
    sys.exit(main())
