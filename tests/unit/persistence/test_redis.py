"""Redis clients without a Redis: bounded waiting, and the circuit breaker of an optional one."""

import contextlib
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from services.persistence import redis as module
from services.persistence.redis import (
    OPTIONAL_REDIS_SECONDS,
    REDIS_SECONDS,
    BoundedConnection,
    BoundedSSLConnection,
    OptionalRedis,
    RedisProbe,
    RedisUnavailable,
    redis_options,
    within,
)
from tests.support.servers.nginx import write_certificate
from tests.support.waiting import free_port, poll


@pytest.fixture
def silent() -> Iterator[str]:
    """The URL of a Redis that accepts connections and never answers."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield f"redis://127.0.0.1:{listener.getsockname()[1]}/0"


def test_within_returns_the_answer_or_raises_its_error() -> None:
    assert within(10, lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        within(10, lambda: 1 / 0)


def test_within_gives_a_late_answer_to_its_callback() -> None:
    answered, late = threading.Event(), threading.Event()
    found: list[int] = []

    def ask() -> int:
        answered.wait(10)
        return 7

    def note(answer: int) -> None:
        found.append(answer)
        late.set()

    with pytest.raises(TimeoutError):
        within(0.01, ask, note)
    assert found == []
    answered.set()
    assert late.wait(10)
    assert found == [7]


@pytest.mark.parametrize(
    ("url", "connection"),
    [("redis://h/0", BoundedConnection), ("rediss://h/0", BoundedSSLConnection), ("unix:///run/redis.sock", None)],
)
def test_every_connection_with_a_host_name_is_bounded(url: str, connection: type | None) -> None:
    options = redis_options(url)
    assert options.get("connection_class") is connection
    assert options["socket_timeout"] == options["socket_connect_timeout"] == REDIS_SECONDS
    assert not options["retry_on_timeout"]


@pytest.fixture
def encrypted(tmp_path: Path) -> Iterator[str]:
    """The URL of a server that speaks TLS with a certificate of its own, and answers each command with OK."""
    write_certificate(tmp_path)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tmp_path / "fullchain.pem", tmp_path / "privkey.pem")

    class Answers(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with contextlib.suppress(OSError), context.wrap_socket(self.request, server_side=True) as connection:
                while connection.recv(4096):
                    connection.sendall(b"+OK\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield f"rediss://127.0.0.1:{server.server_address[1]}/0?protocol=2&lib_name=&lib_version="
        server.shutdown()
        thread.join()


def test_reading_the_systems_certificates_slowly_stops_no_tls_connection(
    encrypted: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[float] = []
    make = ssl.create_default_context

    def slowly() -> ssl.SSLContext:
        made.append(time.monotonic())
        threading.Event().wait(2 * REDIS_SECONDS)
        return make()

    monkeypatch.setattr(ssl, "create_default_context", slowly)
    url = f"{encrypted}&ssl_ca_certs={tmp_path}/fullchain.pem"
    for _ in range(2):
        with redis.Redis.from_url(url, **redis_options(url)) as client:
            assert client.execute_command("ECHO", "x") == b"OK"
    assert len(made) == 1


def test_certificate_of_an_unknown_authority_is_refused(encrypted: str) -> None:
    for url in (encrypted, f"{encrypted}&ssl_ca_certs=/no/such/file"):
        with redis.Redis.from_url(url, **redis_options(url)) as client, pytest.raises(redis.RedisError):
            client.ping()


def test_a_name_that_does_not_resolve_in_time_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    resolved = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: resolved.wait(10))
    client = redis.Redis.from_url("redis://a.slow.name/0", **redis_options("redis://a.slow.name/0"))
    start = time.monotonic()
    with pytest.raises(redis.TimeoutError):
        client.ping()
    assert time.monotonic() - start < 5
    resolved.set()


def failing(_client: redis.Redis) -> None:
    raise redis.ConnectionError("gone")


def test_a_failure_opens_the_circuit() -> None:
    optional = OptionalRedis(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(RedisUnavailable):
        optional.ask(failing)
    asked: list[redis.Redis] = []
    with pytest.raises(RedisUnavailable):
        optional.ask(asked.append)
    assert asked == []


def test_the_circuit_closes_after_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CIRCUIT_OPEN_SECONDS", 0)
    optional = OptionalRedis(f"redis://127.0.0.1:{free_port()}/0")
    with pytest.raises(RedisUnavailable):
        optional.ask(failing)
    assert optional.ask(lambda _client: 7) == 7


def test_an_optional_redis_is_given_up_when_it_is_silent(silent: str) -> None:
    start = time.monotonic()
    with pytest.raises(RedisUnavailable):
        OptionalRedis(silent).ask(lambda client: client.get("a"))
    assert time.monotonic() - start < 20 * OPTIONAL_REDIS_SECONDS


def test_the_probe_names_the_problem_without_waiting_for_it(silent: str) -> None:
    gone = RedisProbe(f"redis://127.0.0.1:{free_port()}/0")
    assert poll(lambda: gone.problem() == "ConnectionError", 10, "the problem of a Redis that is gone")
    mute = RedisProbe(silent)
    assert mute.problem() == "no answer yet"
    assert poll(lambda: mute.problem() == "TimeoutError", 10, "the problem of a silent Redis")
