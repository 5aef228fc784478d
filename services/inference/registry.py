"""The models of one process: which may be asked for, which are kept loaded, and who waits for one that is loading."""

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from services.capacity.deadline import Deadline
from services.errors import EngineUnavailable, ModelNotFound
from services.inference.catalogue import CATALOGUE, ModelSpec
from services.inference.custom import find_spec
from services.inference.runtime import EngineSettings
from services.inference.segmenter import RembgSegmenter, load_segmenter

# How long a model that could not be loaded is not tried again.
RETRY_SECONDS: Final = 30


class Models:
    """The models of one process: the default one loads in the background at the start, others when first asked for.

    A request that comes while its model loads waits for it, up to its deadline. At most `max_loaded` are kept: before
    another is loaded, the one that was not asked for the longest is dropped, but never the default one. A request that
    is at work with it keeps it until it is done. Nothing is ever downloaded.
    """

    def __init__(
        self,
        names: Iterable[str],
        folder: Path,
        settings: EngineSettings,
        on_loaded: Callable[[RembgSegmenter], None] = lambda _segmenter: None,
        max_waiting: int = 16,
        max_loaded: int = 2,
        on_dropped: Callable[[RembgSegmenter], None] = lambda _segmenter: None,
    ) -> None:
        """`names`: the models that callers may ask for, the default one first; `max_waiting`: callers that may wait
        for one that is loading; `max_loaded`: models kept, the default one among them."""
        self._on_loaded = on_loaded
        self._on_dropped = on_dropped
        self._max_loaded = max_loaded
        self.names = tuple(names)
        self._folder = folder
        self._settings = settings
        self._loaded: dict[str, RembgSegmenter] = {}  # the one asked for last is last
        self._max_waiting = max_waiting
        # Why, and when; an exception kept would keep its frames alive.
        self._failed: dict[str, tuple[str, float]] = {}
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
        with self._done:
            if name in self._loaded:
                return self._touched(name)
        if name != self.default and name not in self.usable():
            raise ModelNotFound(f"{name!r:.80} is not one of: {', '.join(self.usable())}")
        return self._load(name, deadline)

    def usable(self) -> dict[str, ModelSpec]:
        """The models that are enabled, known, and whose files are in place."""
        found = {}
        for name in self.names:
            with contextlib.suppress(ValueError):
                spec = find_spec(name, self._folder)
                if spec.is_here(self._folder):
                    found[name] = spec
        return found

    def unusable(self) -> list[ModelSpec]:
        """The models of the catalogue that are not enabled, or whose files are not in place."""
        usable = self.usable()
        return [spec for spec in CATALOGUE.values() if spec.name not in usable]

    def size_bytes(self, name: str) -> int:
        return find_spec(name, self._folder).size_bytes(self._folder)

    def _load_quietly(self, name: str) -> None:
        try:
            self._load(name, Deadline())
        except EngineUnavailable:
            # Kept in `_failed`; /health and every request say so.
            return

    def _load(self, name: str, deadline: Deadline) -> RembgSegmenter:
        """Load one model at a time; whoever finds it loading waits."""
        with self._done:
            while self._loading:
                self._wait(deadline)
            if name in self._loaded:
                return self._touched(name)
            if self._recently_failed(name):
                why, when = self._failed[name]
                raise EngineUnavailable(why, "", max(1, math.ceil(when + RETRY_SECONDS - time.monotonic())))
            self._loading = True
            self._make_room(name)
        try:
            loaded = load_segmenter(self._spec(name), self._folder, self._settings)
            with self._done:
                self._loaded[name] = loaded
            self._failed.pop(name, None)
            self._on_loaded(loaded)
        except EngineUnavailable as exc:
            exc.retry_after = RETRY_SECONDS
            self._failed[name] = (exc.details, time.monotonic())
            raise
        finally:
            with self._done:
                self._loading = False
                self._done.notify_all()
        return loaded

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

    def _touched(self, name: str) -> RembgSegmenter:
        """The loaded model, noted as the one asked for last; called with the lock held."""
        segmenter = self._loaded[name] = self._loaded.pop(name)
        return segmenter

    def _make_room(self, name: str) -> None:
        """Drop what was not asked for the longest, so that one more fits; called with the lock held.

        Only the reference goes: whoever works with the session keeps it alive.
        """
        others = [other for other in self._loaded if other != self.default]
        kept = self._max_loaded - 1 - (name != self.default)
        for other in others[: max(0, len(others) - kept)]:
            self._on_dropped(self._loaded.pop(other))

    def _spec(self, name: str) -> ModelSpec:
        try:
            return find_spec(name, self._folder)
        except ValueError as exc:
            raise EngineUnavailable(str(exc)) from exc

    def _recently_failed(self, name: str) -> bool:
        return name in self._failed and time.monotonic() - self._failed[name][1] < RETRY_SECONDS
