"""A photo becomes a mask: what the model takes for the subject, at the model's own resolution.

The mask comes from a rembg session's `predict`; `rembg.remove` is never called (it would decode and encode again
and darken soft edges).
"""

import json
import os
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from services.deadline import Deadline
from services.decode import Photo
from services.errors import DeadlineExceeded, EngineUnavailable, ModelNotFound
from services.models import CATALOGUE, ModelSpec, check_file

Mask = NDArray[np.uint8]
"""Model side × model side, 0 (background) to 255 (subject)."""

Engine = Literal["auto", "onnxruntime", "openvino", "cuda"]
Precision = Literal["auto", "f32", "bf16"]

RETRY_SECONDS: Final = 30  # how long a model that could not be loaded is not tried again
REDUCING_GAP: Final = 3.0  # Pillow's own figure for "almost no difference" from a full Lanczos resize


@dataclass(frozen=True)
class EngineSettings:
    """How models are run: which engine, at which precision, on how many threads of this process."""

    engine: Engine = "auto"
    precision: Precision = "auto"
    threads: int = 1


class Segmenter(Protocol):
    """A model that can be asked for masks."""

    spec: ModelSpec
    engine: str
    precision: str

    def mask(self, image: Image.Image, deadline: Deadline) -> Mask:
        """The mask of an RGB image that has the model's input size already."""


def segment(photo: Photo, segmenter: Segmenter, deadline: Deadline) -> Mask:
    """The subject's mask, at the model's resolution. Raises `DeadlineExceeded`.

    Where the photo has transparency, the model sees it over black or white, whichever the visible part is
    farther from: what lies under transparent pixels is no part of the picture.
    """
    side = segmenter.spec.input_size
    image = Image.fromarray(photo.pixels)
    small = image.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    if photo.alpha is not None:
        small = _over_contrast(photo, side)
    return segmenter.mask(small, deadline)


def _over_contrast(photo: Photo, side: int) -> Image.Image:
    assert photo.alpha is not None
    rgba = Image.fromarray(np.dstack([photo.pixels, photo.alpha]))
    # Pillow resizes RGBA premultiplied, so hidden colours do not leak in.
    small = rgba.resize((side, side), Image.Resampling.LANCZOS, reducing_gap=REDUCING_GAP)
    seen = np.asarray(small.convert("L"), dtype=np.float32)
    weight = np.asarray(small.getchannel("A"), dtype=np.float32)
    bright = float((seen * weight).sum()) > 127.5 * max(float(weight.sum()), 1.0)
    ground = Image.new("RGBA", small.size, (0, 0, 0, 255) if bright else (255, 255, 255, 255))
    return Image.alpha_composite(ground, small).convert("RGB")


class RembgSegmenter:
    """A rembg session, loaded and warmed up. Thread-safe: ONNX Runtime's `run` is, and leaves the GIL."""

    def __init__(self, spec: ModelSpec, folder: Path, settings: EngineSettings) -> None:
        """Loads the model. Raises `EngineUnavailable` when its file is missing, damaged or refused by the engine."""
        self.spec = spec
        path = check_file(spec, folder)
        self._session, self.engine, self.precision, self.warning = _open_session(spec, path, settings)
        self._runner = _TerminableSession(self._session.inner_session)
        self._session.inner_session = self._runner
        self.mask(Image.new("RGB", (spec.input_size, spec.input_size), (90, 120, 150)), Deadline())

    def mask(self, image: Image.Image, deadline: Deadline) -> Mask:
        with self._runner.until(deadline), np.errstate(all="ignore"):
            # A picture on which the model answers one constant divides 0 by 0 in rembg: NaN, cast to some integer.
            (mask,) = self._session.predict(image)[:1]
        return np.asarray(mask)


class _TerminableSession:
    """An `InferenceSession` whose runs end at a deadline: rembg passes no `RunOptions`, so they are added here.

    ONNX Runtime looks at the `terminate` flag between nodes; the session stays usable.
    """

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self._local = threading.local()

    def until(self, deadline: Deadline) -> "_TerminableSession":
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


def _open_session(spec: ModelSpec, path: Path, settings: EngineSettings) -> tuple[Any, str, str, str]:
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


Provider = tuple[str, dict[str, str]]


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
        warnings.simplefilter("ignore", RuntimeWarning)  # rembg's word on a lost provider: ours is in _open_session
        return local(spec.name, options, providers=providers)


class Models:
    """The models of one process: the default one loads in the background at the start, others when first asked for.

    A request that comes while its model loads waits for it, up to its deadline.
    """

    def __init__(
        self,
        names: Iterable[str],
        folder: Path,
        settings: EngineSettings,
        on_loaded: Callable[[RembgSegmenter], None] = lambda _segmenter: None,
    ) -> None:
        """`names`: the models that callers may ask for, the default one first."""
        self._on_loaded = on_loaded
        self.names = tuple(names)
        self._folder = folder
        self._settings = settings
        self._loaded: dict[str, RembgSegmenter] = {}
        self._failed: dict[str, EngineUnavailable] = {}
        self._failed_at = 0.0
        self._done = threading.Condition()
        self._loading = False

    @property
    def default(self) -> str:
        return self.names[0]

    def start(self) -> None:
        """Begin to load the default model in a thread of its own; `ready` becomes true when it is warm."""
        threading.Thread(target=self._load_quietly, args=(self.default,), name="load-model", daemon=True).start()

    def ready(self) -> bool:
        """Whether the default model is loaded and warmed up."""
        return self.default in self._loaded

    def wait(self) -> bool:
        """Wait until the default model is loaded (true) or can't be (false)."""
        with self._done:
            self._done.wait_for(lambda: self.ready() or self.default in self._failed)
        return self.ready()

    def failure(self) -> str:
        """Why the default model could not be loaded; empty when it could, or is still loading."""
        error = self._failed.get(self.default)
        return error.details if error else ""

    def loaded(self) -> dict[str, RembgSegmenter]:
        """The models loaded so far, by name."""
        return dict(self._loaded)

    def get(self, name: str | None, deadline: Deadline) -> RembgSegmenter:
        """The model of that name (None: the default one), loaded.

        Raises `ModelNotFound`, `EngineUnavailable` when it can't be loaded, `DeadlineExceeded` while it loads.
        """
        name = name or self.default
        if name not in self.names or name not in CATALOGUE:
            raise ModelNotFound(f"{name!r:.80} is not one of: {', '.join(self.usable())}")
        if name not in self._loaded:
            self._load(name, deadline)
        return self._loaded[name]

    def usable(self) -> list[str]:
        """The models that are enabled and whose file is in place."""
        return [n for n in self.names if n in CATALOGUE and CATALOGUE[n].path(self._folder).is_file()]

    def size_bytes(self, name: str) -> int:
        return CATALOGUE[name].path(self._folder).stat().st_size

    def _load_quietly(self, name: str) -> None:
        try:
            self._load(name, Deadline())
        except EngineUnavailable:
            return  # kept in `_failed`; /health and every request say so

    def _load(self, name: str, deadline: Deadline) -> None:
        """Load one model at a time; whoever finds it loading waits."""
        with self._done:
            while self._loading:
                self._done.wait(deadline.remaining())
                deadline.check()
            if name in self._loaded:
                return
            if self._recently_failed(name):
                raise self._failed[name]
            self._loading = True
        try:
            self._loaded[name] = RembgSegmenter(CATALOGUE[name], self._folder, self._settings)
            self._failed.pop(name, None)
            self._on_loaded(self._loaded[name])
        except EngineUnavailable as exc:
            exc.retry_after = exc.retry_after or RETRY_SECONDS
            self._failed[name] = exc
            self._failed_at = time.monotonic()
            raise
        finally:
            with self._done:
                self._loading = False
                self._done.notify_all()

    def _recently_failed(self, name: str) -> bool:
        return name in self._failed and time.monotonic() - self._failed_at < RETRY_SECONDS
