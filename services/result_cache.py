"""Results kept in Redis for a while: the same image asked for again, in the same way, is answered without work.

Whoever asks gets it, whoever asked first: who sends the very same bytes knows what is in them.

A value is JSON of what is told of the result, a line feed, and the result's bytes. What can't be read is as if it were
not there, and so is all of it while Redis is lost.
"""

import hashlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

import structlog
from pydantic import TypeAdapter, ValidationError

from services.imaging.options import Options
from services.imaging.pipeline import Result
from services.persistence.redis import OptionalRedis, RedisUnavailable

MAX_BYTES: Final = 4 * 1024 * 1024  # of a result; a larger one is not kept
PREFIX: Final = "bg-remover:result:"
HIT, MISS, LOST = "hit", "miss", "lost"
LIBRARIES: Final = (
    *("rembg", "onnxruntime", "onnxruntime-openvino", "numpy", "opencv-python-headless"),
    *("pillow", "pi-heif", "simplejpeg", "isal"),
)
TOLD: Final = TypeAdapter(Result)
log = structlog.get_logger("cache")


class ResultCache:
    """Results of all processes and machines that share a Redis. Making one opens nothing."""

    def __init__(self, url: str, seconds: int, on_look: Callable[[str], None] = lambda _outcome: None) -> None:
        """`seconds`: how long a result is kept; `on_look` is told "hit", "miss" or "lost" (no Redis) of each look."""
        self._redis = OptionalRedis(url)
        self._seconds = seconds
        self._on_look = on_look

    def key(self, data: bytes, background: bytes | None, options: Options, *how: object) -> str:
        """What a result is known by: all that it is made of, `how` (the model and what else counts) and this code."""
        told = (hashlib.sha256(data).hexdigest(), background and hashlib.sha256(background).hexdigest())
        whole = repr((told, options.model_dump_json(), how, code()))
        return PREFIX + hashlib.sha256(whole.encode()).hexdigest()

    def get(self, key: str) -> Result | None:
        """The result of that key, without timings. Never raises."""
        try:
            value = self._redis.ask(lambda redis: redis.get(key))
        except RedisUnavailable:
            self._on_look(LOST)
            return None
        found = _read(value) if isinstance(value, bytes) else None
        self._on_look(HIT if found else MISS)
        return found

    def put(self, key: str, result: Result) -> None:
        """Keep a result. Never raises."""
        if len(result.data) <= MAX_BYTES:
            value = _written(result)
            with suppress(RedisUnavailable):
                self._redis.ask(lambda redis: redis.set(key, value, ex=self._seconds))


@cache
def code() -> str:
    """What tells this code from another version that may give another result: a digest of it and of its libraries."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            digest.update(f"{name} {version(name)}".encode())
    return digest.hexdigest()


def _written(result: Result) -> bytes:
    return TOLD.dump_json(replace(result, data=b"", timings={}, cached=True)) + b"\n" + result.data


def _read(value: bytes) -> Result | None:
    told, _, data = value.partition(b"\n")
    try:
        return replace(TOLD.validate_json(told), data=data)
    except ValidationError as exc:
        log.warning("a kept result can't be read", problems=exc.error_count())
        return None
