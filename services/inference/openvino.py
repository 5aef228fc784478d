"""A model on OpenVINO, in the shape of an ONNX Runtime session: what rembg's sessions and ours call."""

import importlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final

import numpy as np
import structlog
from numpy.typing import NDArray

from services.inference.catalogue import digest

PROVIDER: Final = "OpenVINOExecutionProvider"
TOOLS: Final = "openvino.tools.ovc"
# Folder of compiled models, next to the models' files: a load takes a fifth of the processor time.
CACHE: Final = ".openvino"
# A compiled model is as large as its file; larger ones would take too much of the disk.
MAX_CACHED_BYTES: Final = 64 * 1024 * 1024
log = structlog.get_logger("model")


class Terminated(Exception):
    """A run was stopped by its options."""


def has_openvino() -> bool:
    """Return whether OpenVINO is installed, without importing it."""
    return importlib.util.find_spec("openvino") is not None


@cache
def shared_core() -> Any:
    """Return the library's `Core`, one for the whole process, which is never destroyed before its end.

    The first load gives the calling thread an alternate signal stack, and the last owner's destructor unmaps it. In
    another thread it unmaps it without detaching it, and the first thread dies at its next signal.
    """
    return import_openvino().Core()


def import_openvino() -> Any:
    """Return the library, imported without its tools: they would report each import to their maker (and start a thread
    for that, which a fork would lose).
    """
    known = sys.modules.get(TOOLS)
    # An import of None is an ImportError, which the library expects of its tools.
    sys.modules[TOOLS] = None  # type: ignore[assignment]
    try:
        return importlib.import_module("openvino")
    finally:
        del sys.modules[TOOLS]
        if known is not None:
            sys.modules[TOOLS] = known


class OpenVinoSession:
    """A compiled model. Thread-safe: each run has its own request, and the GIL is free meanwhile.

    `get_inputs`, `get_outputs`, `get_providers` and `run` are those of `onnxruntime.InferenceSession`; unknown sides of
    a shape are text, as there.
    """

    def __init__(self, path: Path, precision: str, threads: int) -> None:
        """Compile the model in `path`. `precision` is f32 or bf16; what is int8 is so in the file."""
        hints = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": threads,
            # With pinning, all processes of one machine would wait for the same processors.
            "ENABLE_CPU_PINNING": False,
        }
        self._model = _compile(path, hints)
        self._idle: list[Any] = []
        self._lock = threading.Lock()

    def get_inputs(self) -> list[SimpleNamespace]:
        return [_described(port) for port in self._model.inputs]

    def get_outputs(self) -> list[SimpleNamespace]:
        return [_described(port) for port in self._model.outputs]

    def get_providers(self) -> list[str]:
        return [PROVIDER]

    def run_options(self) -> "RunOptions":
        """Return what ends a run from another thread."""
        return RunOptions()

    def run(
        self, outputs: Sequence[str] | None, feed: Mapping[str, NDArray[Any]], options: "RunOptions | None" = None
    ) -> list[NDArray[Any]]:
        """Return the outputs (None: all). Raises `Terminated` as soon as `options.terminate` is set."""
        options = options or RunOptions()
        with self._lock:
            request = self._idle.pop() if self._idle else self._model.create_infer_request()
        try:
            request.start_async({name: np.ascontiguousarray(values) for name, values in feed.items()})
            with options.ending(request):
                request.wait()
            ports = self._model.outputs if outputs is None else [self._model.output(name) for name in outputs]
            # The request's tensors are written again by its next run.
            return [request.get_tensor(port).data.copy() for port in ports]
        except RuntimeError as exc:
            if options.terminate:
                raise Terminated from exc
            raise
        finally:
            with self._lock:
                self._idle.append(request)


class RunOptions:
    """What `onnxruntime.RunOptions` is there: setting `terminate` cancels the run, between two operations."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._request: Any = None
        self._terminate = False

    @property
    def terminate(self) -> bool:
        return self._terminate

    @terminate.setter
    def terminate(self, wanted: bool) -> None:
        with self._lock:
            self._terminate = wanted
            if wanted and self._request is not None:
                self._request.cancel()

    @contextmanager
    def ending(self, request: Any) -> Iterator[None]:
        """Let `terminate` cancel this request inside, and no longer: it serves other runs afterwards."""
        with self._lock:
            self._request = request
            if self._terminate:
                request.cancel()
        try:
            yield
        finally:
            with self._lock:
                self._request = None


def _compile(path: Path, hints: dict[str, Any]) -> Any:
    """Return the compiled model: from the cache beside its file, where that can be written to.

    The library's own key has the file's time in whole seconds, so each content gets a folder. What is damaged there is
    made again.
    """
    core = shared_core()
    if os.access(path.parent, os.W_OK) and path.stat().st_size <= MAX_CACHED_BYTES:
        cache = path.parent / CACHE / digest(path)[:32]
        try:
            return core.compile_model(path, "CPU", {**hints, "CACHE_DIR": str(cache)})
        except RuntimeError:
            # A full disk, or a folder of somebody else's: an unfit model fails again below.
            log.warning("no cache of compiled models", folder=str(cache))
    return core.compile_model(path, "CPU", hints)


def _described(port: Any) -> SimpleNamespace:
    shape = [side.get_length() if side.is_static else "?" for side in port.get_partial_shape()]
    return SimpleNamespace(name=port.get_any_name(), shape=shape)
