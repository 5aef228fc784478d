"""Opens a model's file as a rembg session on the best engine that accepts it."""

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, Final, Literal

import numpy as np
from PIL import Image

from services.errors import EngineUnavailable
from services.inference.catalogue import ModelSpec
from services.inference.custom import CustomSession
from services.inference.normalize import normalizer
from services.inference.openvino import PROVIDER as OPENVINO
from services.inference.openvino import OpenVinoSession, has_openvino, import_openvino
from services.inference.sam import SamSession

Engine = Literal["auto", "onnxruntime", "openvino", "cuda"]
Precision = Literal["auto", "f32", "bf16", "int8"]
Provider = str | tuple[str, dict[str, str]]
# Without TF32, whose ten bits of mantissa move masks by 0.003 on average.
# The quick choice of algorithms serves small batches as fast, and neither it nor the arena takes memory in advance.
CUDA_F32: Final[Provider] = (
    "CUDAExecutionProvider",
    {"use_tf32": "0", "cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"},
)


@dataclass(frozen=True)
class EngineSettings:
    """How models run: the engine, the precision, and the threads of this process."""

    engine: Engine = "auto"
    precision: Precision = "auto"
    threads: int = 1


@dataclass(frozen=True)
class Fast:
    """A file to run in another precision than f32: `bf16`, `int8+bf16` or `int8+f32` (what is not int8 in the file)."""

    path: Path
    precision: str


@dataclass(frozen=True)
class Loaded:
    """A session, the engine and precision it really runs with, its file, and a warning where they differ from the
    settings.
    """

    session: Any
    engine: str
    precision: str
    path: Path
    warning: str


def open_session(spec: ModelSpec, path: Path, settings: EngineSettings, fast: Sequence[Fast] = ()) -> Loaded:
    """Open a rembg session of the model in `path`, warmed up, on the best engine that accepts it.

    `fast` are the files to try before it, best first. Providers are lost silently (a missing library, a refused
    graph), so the session is asked after it has run once. Raises `EngineUnavailable` when no engine takes the model.
    """
    troubles = []
    for engine, precision, file, providers in _attempts(settings, path, fast):
        try:
            session = rembg_session(spec, file, providers, settings.threads)
            # Where a model finds nothing in a plain colour, rembg divides 0 by 0.
            with np.errstate(all="ignore"):
                session.predict(Image.new("RGB", (spec.input_size, spec.input_size), (90, 120, 150)))
            active = session.inner_session.get_providers()
        except EngineUnavailable:
            # The file is damaged: no engine can help.
            raise
        except Exception as exc:  # noqa: BLE001 - engines raise what they like; the next one may take the graph
            troubles.append(f"{engine} refused {spec.name} in {precision} ({type(exc).__name__})")
            continue
        wanted = providers[0] if isinstance(providers[0], str) else providers[0][0]
        if wanted in active:
            return Loaded(session, engine, precision, file, _warning(settings, engine, precision, troubles))
        troubles.append(f"{engine} was lost while {spec.name} was loaded; active: {', '.join(active)}")
    raise EngineUnavailable("; ".join(troubles) or _missing(settings.engine))


def _missing(engine: str) -> str:
    return "openvino is not installed" if engine == "openvino" else f"{engine} is not in this build of onnxruntime"


def _warning(settings: EngineSettings, engine: str, precision: str, troubles: list[str]) -> str:
    if settings.engine not in ("auto", engine):
        troubles = troubles or [_missing(settings.engine)]
    if settings.precision == "bf16" and precision != "bf16":
        troubles = troubles or [f"{engine} has no bf16"]
    if settings.precision == "int8" and not precision.startswith("int8"):
        troubles = troubles or [f"{engine} has no int8 file of this model"]
    return "; ".join(troubles)


def _attempts(
    settings: EngineSettings, path: Path, fast: Sequence[Fast]
) -> Iterator[tuple[str, str, Path, list[Provider]]]:
    """Yield (engine, precision, file, providers), best first. Plain ONNX Runtime on the CPU is always the last.

    CUDA on request stands alone: a service that pays for a GPU must not run on the CPU and look healthy.
    """
    available = import_rembg().get_available_providers()
    if settings.engine in ("auto", "cuda") and "CUDAExecutionProvider" in available:
        yield "cuda", "f32", path, [CUDA_F32]
    if settings.engine == "cuda":
        return
    if settings.engine in ("auto", "openvino") and has_openvino():
        for one in fast:
            # What is int8 is so in the file.
            yield "openvino", one.precision, one.path, [_openvino(one.precision.removeprefix("int8+"))]
        yield "openvino", "f32", path, [_openvino("f32")]
    yield "onnxruntime", "f32", path, ["CPUExecutionProvider"]


def _openvino(precision: str) -> Provider:
    return OPENVINO, {"precision": precision}


def import_rembg() -> Any:
    """Return onnxruntime, and import rembg's session classes and OpenVINO. Done in the master, so that workers share
    them.

    rembg's other imports (PyMatting with Numba, SciPy, jsonschema) are never called here and cost each start
    0.7 s and 70 MB, the first one on a machine 43 s more: placeholders stand for it meanwhile (decision 004).
    """
    import onnxruntime

    if "rembg.sessions" not in sys.modules:
        with _placeholders():
            importlib.import_module("rembg.sessions")
        if has_openvino():
            import_openvino()
    return onnxruntime


@contextmanager
def _placeholders() -> Iterator[None]:
    """Provide the package rembg without its own `__init__`, and empty modules for imports that only its `sam` needs."""
    modules = {name: ModuleType(name) for name in ("rembg", "scipy", "scipy.ndimage", "jsonschema")}
    found = importlib.util.find_spec("rembg")
    modules["rembg"].__path__ = list(found.submodule_search_locations or ()) if found else []
    for module, name in (("scipy.ndimage", "map_coordinates"), ("jsonschema", "validate")):
        setattr(modules[module], name, None)
    ours = {name: module for name, module in modules.items() if name not in sys.modules}
    sys.modules.update(ours)
    try:
        yield
    finally:
        for name in ours:
            del sys.modules[name]


def rembg_session(spec: ModelSpec, path: Path, providers: list[Provider], threads: int) -> Any:
    """Return a session with `inner_session` and `predict`: rembg's class, or ours for `sam` and custom models."""
    if spec.custom:
        return CustomSession(spec, _inner_session(path, providers, threads))
    if spec.name == "sam":
        # The decoder is small and its shapes change: it is fastest on the plain CPU engine.
        decoder = path.with_name(spec.files[1].name)
        encoder = _inner_session(path, providers, threads)
        return SamSession(encoder, _inner_session(decoder, ["CPUExecutionProvider"], threads))
    base = rembg_class(spec.name)
    # rembg's constructor would download the file and knows only ONNX Runtime: ours is here and checked.
    session = base.__new__(base)
    session.model_name, session.inner_session = spec.name, _inner_session(path, providers, threads)
    session.normalize = normalizer(session.inner_session)
    return session


def _inner_session(path: Path, providers: list[Provider], threads: int) -> Any:
    onnxruntime, first = import_rembg(), providers[0]
    if not isinstance(first, str) and first[0] == OPENVINO:
        return OpenVinoSession(path, first[1]["precision"], threads)
    return onnxruntime.InferenceSession(str(path), _session_options(threads), providers)


def rembg_class(name: str) -> Any:
    """Return rembg's session class of that name. The name is required: rembg's default has a restrictive licence."""
    import_rembg()
    from rembg.sessions import sessions

    return sessions[name]


def _session_options(threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = False
    options.log_severity_level = 4
    # Spinning idle threads would take CPU time from the pre- and post-processing.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    return options
