"""The embedded broker's configuration and lock; tests/integration/test_broker.py runs it."""

import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.launch import broker as module
from services.launch.broker import Broker, BrokerUnavailable, find_binary, prepare_broker

Prepare = Callable[[], Broker]


@pytest.fixture
def prepare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Prepare]:
    """Prepare brokers in one folder, with a stand-in for Valkey's binary."""
    monkeypatch.setattr(module, "find_binary", lambda: Path("/opt/valkey-server"))
    locks: list[int] = []

    def make() -> Broker:
        made = prepare_broker(tmp_path / "queue")
        locks.append(made.lock)
        return made

    yield make
    for lock in locks:
        os.close(lock)


def settings(broker: Broker) -> dict[str, str]:
    lines = Path(broker.command[1]).read_text().splitlines()
    return {name: value for name, _, value in (line.partition(" ") for line in lines)}


def test_url_has_the_port_and_password_of_the_configuration(prepare: Prepare, tmp_path: Path) -> None:
    broker = prepare()
    found = settings(broker)
    assert broker.command == ("/opt/valkey-server", str(tmp_path / "queue/valkey.conf"))
    assert broker.url == f"redis://:{found['requirepass']}@127.0.0.1:{found['port']}/0"
    assert (found["bind"], found["dir"]) == ("127.0.0.1", f'"{tmp_path / "queue"}"')


def test_only_the_owner_can_read_folder_and_password(prepare: Prepare, tmp_path: Path) -> None:
    broker = prepare()
    assert stat.S_IMODE((tmp_path / "queue").stat().st_mode) == 0o700
    assert stat.S_IMODE(Path(broker.command[1]).stat().st_mode) == 0o600


def test_folder_in_use_is_refused(prepare: Prepare) -> None:
    prepare()
    with pytest.raises(BrokerUnavailable, match="in use by another"):
        prepare()


def test_missing_wheel_falls_back_to_an_installed_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _name: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BrokerUnavailable, match="there is no Valkey for"):
        find_binary()
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).touch(mode=0o755)
        assert find_binary() == tmp_path / name
