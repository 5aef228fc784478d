"""Engines: a model's file becomes a rembg session on the best provider there is, and says which that was."""

import json
import os
import threading
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from services.deadline import Deadline
from services.errors import DeadlineExceeded, EngineUnavailable
from services.models import ModelSpec

Engine = Literal["auto", "onnxruntime", "openvino", "cuda"]
Precision = Literal["auto", "f32", "bf16"]
Provider = tuple[str, dict[str, str]]


@dataclass(frozen=True)
class EngineSettings:
    """How models are run: which engine, at which precision, on how many threads of this process."""

    engine: Engine = "auto"
    precision: Precision = "auto"
    threads: int = 1


class TerminableSession:
    """An `InferenceSession` whose runs end at a deadline: rembg passes no `RunOptions`, so they are added here.

    ONNX Runtime looks at the `terminate` flag between nodes; the session stays usable.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._local = threading.local()

    def until(self, deadline: Deadline) -> "TerminableSession":
        self._local.deadline = deadline
        return self

    def __enter__(self) -> None:
        self._local.deadline.check()

    def __exit__(self, *_: object) -> None:
        self._local.deadline = None

    def run(self, outputs: Any, feed: Any) -> Any:
        import onnxruntime

        deadline: Deadline | None = getattr(self._local, "deadline", None)
        remaining = deadline.remaining() if deadline else None
        if remaining is None:
            return self._inner.run(outputs, feed)
        options = onnxruntime.RunOptions()
        timer = threading.Timer(remaining, setattr, (options, "terminate", True))
        timer.daemon = True
        timer.start()
        try:
            return self._inner.run(outputs, feed, options)
        except Exception as exc:
            if deadline and deadline.remaining() == 0.0:
                raise DeadlineExceeded(f"stopped in the model after {deadline.seconds:g} s") from exc
            raise
        finally:
            timer.cancel()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


def open_session(spec: ModelSpec, path: Path, settings: EngineSettings) -> tuple[Any, str, str, str]:
    """A rembg session, the engine and precision it really runs with, and a warning where that is not what was asked.

    Providers are lost silently (a missing library, a refused graph), so what the session says is what counts.
    """
    asked = _providers(settings)
    warning = ""
    for engine, precision, providers in asked:
        try:
            session = _rembg_session(spec, path, providers, settings.threads)
        except Exception as exc:  # noqa: BLE001 - engines raise what they like; the next one may take the graph
            warning = f"{engine} refused {spec.name} ({type(exc).__name__})"
            continue
        active = session.inner_session.get_providers()
        if providers[0][0] in active:
            return session, engine, precision, warning
        warning = f"{engine} was lost while {spec.name} was loaded; active: {', '.join(active)}"
    raise EngineUnavailable(f"no engine could load {spec.name}: {warning}")


def _providers(settings: EngineSettings) -> Iterable[tuple[str, str, list[Provider]]]:
    """(engine, precision, providers) to try, best first. Plain ONNX Runtime on the CPU is always the last."""
    available = import_rembg().get_available_providers()
    if settings.engine in ("auto", "cuda") and "CUDAExecutionProvider" in available:
        yield "cuda", "f32", [("CUDAExecutionProvider", {})]
    if settings.engine in ("auto", "openvino") and "OpenVINOExecutionProvider" in available:
        precision = "bf16" if settings.precision == "bf16" else "f32"
        hints = {
            "INFERENCE_PRECISION_HINT": precision,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_NUM_THREADS": str(settings.threads),
        }
        options = {"device_type": "CPU", "load_config": json.dumps({"CPU": hints})}
        yield "openvino", precision, [("OpenVINOExecutionProvider", options)]
    yield "onnxruntime", "f32", [("CPUExecutionProvider", {})]


def import_rembg() -> Any:
    """onnxruntime, with rembg imported beside it the way we need it. Done in the master, so that workers share it.

    rembg imports PyMatting, whose Numba functions take 43 s to compile on a fresh machine and 70 to 130 MB: they
    are never called here, so compilation is switched off before the import.
    """
    os.environ.setdefault("NUMBA_DISABLE_JIT", "1")
    import onnxruntime
    import rembg.sessions  # noqa: F401

    return onnxruntime


def _rembg_session(spec: ModelSpec, path: Path, providers: list[Provider], threads: int) -> Any:
    onnxruntime = import_rembg()
    from rembg.sessions import sessions_class

    base = next(cls for cls in sessions_class if cls.name() == spec.name)
    # The file is ours and checked: a session that can't download never surprises anyone.
    local = type(base.__name__, (base,), {"download_models": classmethod(lambda _cls, *_a, **_k: str(path))})
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    # Idle threads would otherwise burn CPU that the pre- and post-processing needs.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # rembg's word on a lost provider: ours is in open_session
        return local(spec.name, options, providers=providers)
