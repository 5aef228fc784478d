"""The models of one process: which may be asked for, which are loaded, and who waits for one that is loading."""

import math
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from services.deadline import Deadline
from services.engine import EngineSettings
from services.errors import EngineUnavailable, ModelNotFound
from services.models import CATALOGUE, ModelSpec
from services.segment import RembgSegmenter, load_segmenter

RETRY_SECONDS: Final = 30  # how long a model that could not be loaded is not tried again


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
        max_waiting: int = 16,
    ) -> None:
        """`names`: the models that callers may ask for, the default one first; `max_waiting`: callers that may wait
        for one that is loading."""
        self._on_loaded = on_loaded
        self.names = tuple(names)
        self._folder = folder
        self._settings = settings
        self._loaded: dict[str, RembgSegmenter] = {}
        self._max_waiting = max_waiting
        self._failed: dict[str, tuple[str, float]] = {}  # why, and when; an exception kept would keep its frames alive
        self._done = threading.Condition()
        self._loading = False
        self._waiting = 0

    @property
    def default(self) -> str:
        return self.names[0]

    def start(self) -> None:
        """Begin to load the default model in a thread of its own; `ready` becomes true when it is warm."""
        threading.Thread(target=self._load_quietly, args=(self.default,), name="load-model", daemon=True).start()

    def retry_when_due(self) -> None:
        """Begin anew when the default model could not be loaded some time ago: its file may have come since."""
        if not self.ready() and not self._loading and self._failed and not self._recently_failed(self.default):
            self.start()

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
        return self._failed.get(self.default, ("", 0.0))[0]

    def loaded(self) -> dict[str, RembgSegmenter]:
        """The models loaded so far, by name."""
        return dict(self._loaded)

    def get(self, name: str | None, deadline: Deadline) -> RembgSegmenter:
        """The model of that name (None: the default one), loaded.

        Raises `ModelNotFound`, `EngineUnavailable` when it can't be loaded, `DeadlineExceeded` while it loads.
        """
        name = name or self.default
        if name not in self._loaded and name != self.default and name not in self.usable():
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
                self._wait(deadline)
            if name in self._loaded:
                return
            if self._recently_failed(name):
                why, when = self._failed[name]
                raise EngineUnavailable(why, "", max(1, math.ceil(when + RETRY_SECONDS - time.monotonic())))
            self._loading = True
        try:
            self._loaded[name] = load_segmenter(_spec(name), self._folder, self._settings)
            self._failed.pop(name, None)
            self._on_loaded(self._loaded[name])
        except EngineUnavailable as exc:
            exc.retry_after = RETRY_SECONDS
            self._failed[name] = (exc.details, time.monotonic())
            raise
        finally:
            with self._done:
                self._loading = False
                self._done.notify_all()

    def _wait(self, deadline: Deadline) -> None:
        """Wait for the model that is loading; called with the lock held. Threads are left over for everything else."""
        if self._waiting >= self._max_waiting:
            raise EngineUnavailable("it is loading, and as many as can wait for it do", "", 2)
        self._waiting += 1
        try:
            self._done.wait(deadline.remaining())
        finally:
            self._waiting -= 1
        deadline.check()

    def _recently_failed(self, name: str) -> bool:
        return name in self._failed and time.monotonic() - self._failed[name][1] < RETRY_SECONDS


def _spec(name: str) -> ModelSpec:
    if name not in CATALOGUE:
        raise EngineUnavailable(f"{name} is not a model that is known: {', '.join(CATALOGUE)}")
    return CATALOGUE[name]
