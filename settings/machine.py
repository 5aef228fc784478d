"""Defaults that depend on the machine or on other settings, and how much work fits into its memory."""

import secrets
from pathlib import Path
from typing import Any, Final

from paths import in_home
from services.capacity.resources import MIB, memory_limit_bytes, usable_cpus
from services.storage.factory import is_bucket

PRIVATE_NETWORKS: Final = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"
MAX_MEGAPIXELS: Final = 120.0
MAX_WORKERS: Final = 64
WORKER_BYTES: Final = 300 * MIB  # a worker with its model, measured
# Of an image in progress, at most: photo, matte, strips, result, and once more for RGBA inputs.
BYTES_PER_PIXEL: Final = 24
USABLE_SHARE: Final = 0.9
# Of the memory that is left for requests; the rest is for pixels.
BODIES_SHARE: Final = 0.25


def derive_defaults(values: dict[str, Any]) -> None:
    """Add the defaults that depend on the machine or on other settings."""
    _split_model_path(values)
    cpus = usable_cpus()
    # Quotas in memory belong to one process: with them, one process serves unless the setting says otherwise.
    in_memory = str(values.get("rate_limit_storage", "memory")) == "memory"
    by_memory = memory_limit_bytes() // (3 * WORKER_BYTES)
    values.setdefault("web_concurrency", 1 if in_memory else max(1, min(cpus // 2, by_memory)))
    workers = min(MAX_WORKERS, _whole(values["web_concurrency"], 1))
    values.setdefault("inference_threads", max(1, cpus // workers))
    values.setdefault("max_running_images", max(2, cpus, workers))
    values.setdefault("web_threads", _threads(values, workers))
    room = megapixels_that_fit(workers, _whole(values.get("max_memory_mb", 0), 0))
    values.setdefault("max_inflight_megapixels", max(1.0, min(MAX_MEGAPIXELS, room)))
    # Of a wrong name its own check says so.
    if is_bucket(str(values.get("s3_bucket_name"))):
        values.setdefault("storage_url", f"s3://{values['s3_bucket_name']}")
    values.setdefault("worker_concurrency", max(1, min(cpus, by_memory)))
    values.setdefault("secret_key", secrets.token_hex(32))
    values.setdefault("metrics_allowed_networks", PRIVATE_NETWORKS)


def megapixels_that_fit(workers: int, limit_mb: int) -> float:
    """Megapixels that may be processed at a time before the memory is used up, by all workers together."""
    return (1 - BODIES_SHARE) * request_bytes(workers, limit_mb) / BYTES_PER_PIXEL / 1e6


def request_bytes(workers: int, limit_mb: int) -> float:
    """Bytes left for requests, of all workers together."""
    limit = min(memory_limit_bytes(), limit_mb * MIB) if limit_mb else memory_limit_bytes()
    return max(0.0, limit * USABLE_SHARE - workers * WORKER_BYTES)


def _whole(value: object, default: int, least: int = 1) -> int:
    """Return the number, written as the fields allow it (" 4 ", "+4"); the default for what they refuse."""
    try:
        number = int(str(value))
    except ValueError:
        return default
    return number if number >= least else default


def _threads(values: dict[str, Any], workers: int) -> int:
    """Return the threads of one worker: for all images that run or wait, and eight for refusals, health and metrics."""
    running = _whole(values["max_running_images"], 2)
    waiting = _whole(values.get("max_waiting_images", 16), 16, least=0)
    return min(1000, -(-running // workers) + -(-waiting // workers) + 8)


def _split_model_path(values: dict[str, Any]) -> None:
    """Turn a file's path in `rembg_model_name` into the model's name and its folder."""
    given = str(values.get("rembg_model_name", ""))
    if "/" not in given and not given.endswith(".onnx"):
        return
    path = in_home(Path(given))
    folder = values.setdefault("rembg_session_path", path.parent)
    if path.suffix != ".onnx" or in_home(Path(folder)) != path.parent:
        raise ValueError(
            f"REMBG_MODEL_NAME is {given}: a model's name or the path of an .onnx file in REMBG_SESSION_PATH "
            f"({folder}) is needed"
        )
    values["rembg_model_name"] = path.stem
