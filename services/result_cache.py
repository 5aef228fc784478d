"""Caches results in Redis: a repeated request for the same image with the same options is answered without work.

A cached result is shared by all callers: a caller that sends the same bytes knows their content. A value is the JSON of
the result's facts, a line feed, and the result's bytes. A value that can't be read counts as a miss, and so does
everything while Redis is lost.
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
from services.persistence.redis import OptionalRedis, Redis, RedisUnavailable
from services.storage.census import Census

# A larger result is not cached.
MAX_BYTES: Final = 4 * 1024 * 1024
# A count looks at pages of so many keys of Redis, and at so many pages.
SCANNED: Final = 1000
MAX_SCANS: Final = 20
PREFIX: Final = "bg-remover:result:"
HIT, MISS, LOST = "hit", "miss", "lost"
LIBRARIES: Final = (
    *("rembg", "onnxruntime", "openvino", "numpy", "opencv-python-headless"),
    *("pillow", "pi-heif", "simplejpeg", "isal"),
)
FACTS: Final = TypeAdapter(Result)
log = structlog.get_logger("cache")


class ResultCache:
    """The cached results of all processes and machines that share a Redis. Making one opens nothing."""

    def __init__(self, url: str, seconds: int, on_look: Callable[[str], None] = lambda _outcome: None) -> None:
        """`seconds`: how long a result is cached; `on_look` is called with "hit", "miss" or "lost" (no Redis) for each
        look-up.
        """
        self._redis = OptionalRedis(url)
        self._seconds = seconds
        self._on_look = on_look

    def key(self, data: bytes, background: bytes | None, options: Options, *how: object) -> str:
        """Return the key of a result: everything it depends on, `how` (the model and other facts) and this code."""
        files = (hashlib.sha256(data).hexdigest(), background and hashlib.sha256(background).hexdigest())
        whole = repr((files, options.model_dump_json(), how, code()))
        return PREFIX + hashlib.sha256(whole.encode()).hexdigest()

    def get(self, key: str) -> Result | None:
        """Return the cached result without timings, or None. Never raises."""
        try:
            value = self._redis.ask(lambda client: client.get(key))
        except RedisUnavailable:
            self._on_look(LOST)
            return None
        found = _read(value) if isinstance(value, bytes) else None
        self._on_look(HIT if found else MISS)
        return found

    def put(self, key: str, result: Result) -> None:
        """Cache a result. Never raises."""
        if len(result.data) <= MAX_BYTES:
            value = _written(result)
            with suppress(RedisUnavailable):
                self._redis.ask(lambda client: client.set(key, value, ex=self._seconds))


@cache
def code() -> str:
    """Return a digest of this code and its libraries: another version may give another result."""
    folder = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(path.read_bytes())
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            digest.update(f"{name} {version(name)}".encode())
    return digest.hexdigest()


def count_cached(client: Redis) -> Census:
    """Count the cached results and their bytes, among `MAX_SCANS` pages of Redis' keys. Raises `RedisError`."""
    cursor, files, size = 0, 0, 0
    for _ in range(MAX_SCANS):
        cursor, keys = client.scan(cursor, match=f"{PREFIX}*", count=SCANNED)
        lengths = client.pipeline(transaction=False)
        for key in keys:
            lengths.strlen(key)
        size += sum(lengths.execute())
        files += len(keys)
        if not cursor:
            return Census(files, size)
    return Census(files, size, at_least=True)


def _written(result: Result) -> bytes:
    return FACTS.dump_json(replace(result, data=b"", timings={}, cached=True, embedded=None)) + b"\n" + result.data


def _read(value: bytes) -> Result | None:
    facts, _, data = value.partition(b"\n")
    try:
        return replace(FACTS.validate_json(facts), data=data)
    except ValidationError as exc:
        log.warning("a kept result can't be read", problems=exc.error_count())
        return None
