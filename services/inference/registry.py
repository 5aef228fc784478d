"""The models of one process: loads them when needed, and keeps the most recently used ones."""

import atexit
import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

import structlog

from services.capacity.deadline import Deadline
from services.errors import EngineUnavailable, ModelNotFound
from services.inference.catalogue import CATALOGUE, ModelSpec
from services.inference.custom import find_spec
from services.inference.runtime import EngineSettings
from services.inference.segmenter import RembgSegmenter, load_segmenter
from services.inference.tiers import complete_tiers

# How long a failed model is not loaded again.
RETRY_SECONDS: Final = 30
# How long an ending process waits for a model that is being loaded.
LOAD_END_SECONDS: Final = 10
log = structlog.get_logger("model")


class Models:
    """The models of one process: the default one loads in the background at the start, others when first requested.

    A request that comes while its model loads waits for it, up to its deadline. At most `max_loaded` are kept: before
    another is loaded, the least recently used is dropped, but never the default one. A request that uses a dropped
    model keeps it until it is done. Nothing is ever downloaded.
    """

    def __init__(
        self,
        names: Iterable[str],
        folder: Path,
        settings: EngineSettings,
        *,
        max_waiting: int = 16,
        max_loaded: int = 2,
        on_change: Callable[[RembgSegmenter, bool], None] = lambda _segmenter, _loaded: None,
    ) -> None:
        """`names`: the models that callers may ask for, the default one first; `max_waiting`: callers that may wait for
        one that is loading; `max_loaded`: models kept, the default one included; `on_change` is called with a model and
        whether it was loaded (or dropped).
        """
        self._on_change = on_change
        self._max_loaded = max_loaded
        self.names = tuple(names)
        self.tiers = complete_tiers({}, self.default)
        self._folder = folder
        self._settings = settings
        self._loaded: dict[str, RembgSegmenter] = {}  # the most recently used is last
        self._max_waiting = max_waiting
        # (reason, time) of failures; a kept exception would keep its frames alive.
        self._failed: dict[str, tuple[str, float]] = {}
        self._substituted: set[str] = set()
        self._done = threading.Condition()
        self._loading = False
        self._waiting = 0

    @property
    def default(self) -> str:
        return self.names[0]

    def set_tiers(self, tiers: Mapping[str, str]) -> None:
        """Set the model of each tier; without a call all have the default one."""
        self.tiers = complete_tiers(tiers, self.default)

    def start(self) -> None:
        """Start loading the default model in a thread; `ready` becomes true when it is warm."""
        loading = threading.Thread(target=self._load_quietly, args=(self.default,), name="load-model", daemon=True)
        loading.start()
        # An interpreter that ends while this thread is inside an engine aborts the process.
        atexit.register(loading.join, LOAD_END_SECONDS)

    def retry_when_due(self) -> None:
        """Load the default model again some time after a failure: its file may have come since."""
        if not self.ready() and not self._loading and self._failed and not self._recently_failed(self.default):
            self.start()

    def ready(self) -> bool:
        """Return whether the default model is loaded and warmed up."""
        return self.default in self._loaded

    def wait(self) -> bool:
        """Wait until the default model is loaded (True) or can't be (False)."""
        with self._done:
            self._done.wait_for(lambda: self.ready() or self.default in self._failed)
        return self.ready()

    def failure(self) -> str:
        """Return why the default model could not be loaded; "" when it could, or is still loading."""
        return self._failed.get(self.default, ("", 0.0))[0]

    def loaded(self) -> dict[str, RembgSegmenter]:
        """Return the loaded models by name."""
        return dict(self._loaded)

    def get(self, name: str | None, deadline: Deadline) -> RembgSegmenter:
        """Return the model of that name or tier (None: the default one), loaded.

        Raises `ModelNotFound`, `EngineUnavailable` when it can't be loaded, `DeadlineExceeded` while it loads.
        """
        name = self._named(name)
        with self._done:
            if name in self._loaded:
                return self._touched(name)
        return self._load(self.check(name), deadline)

    def check(self, name: str | None) -> str:
        """Return the name of the model that has that name or tier (None: the default one). Raises `ModelNotFound`."""
        found = self._named(name)
        if found != self.default and found not in self.usable():
            tier = "" if name == found else f" (the tier {name})"
            raise ModelNotFound(f"{found!r:.80}{tier} is not one of: {', '.join(self.usable())}")
        return found

    def _named(self, name: str | None) -> str:
        """Resolve a tier, unless a model has its name."""
        if name is None or name in self.names:
            return name or self.default
        return self.tiers.get(name, name)

    def usable(self) -> dict[str, ModelSpec]:
        """Return the models that are enabled, known, and whose files are in place."""
        found = {}
        for name in self.names:
            with contextlib.suppress(ValueError):
                spec = find_spec(name, self._folder)
                if spec.is_here(self._folder):
                    found[name] = spec
        return found

    def substitute(self, name: str | None) -> str:
        """Return the default model's name if `name` is a model of the catalogue, or the tier of one, that can't be used
        here; otherwise "".

        The log warns once for each name.
        """
        found = self._named(name)
        if name is None or found not in CATALOGUE or found == self.default or found in self.usable():
            return ""
        with self._done:
            first = name not in self._substituted
            self._substituted.add(name)
        if first:
            log.warning("model not enabled, the default one answers", asked=name, answers=self.default)
        return self.default

    def unusable(self) -> list[ModelSpec]:
        """Return the models of the catalogue that are not enabled, or whose files are not in place."""
        usable = self.usable()
        return [spec for spec in CATALOGUE.values() if spec.name not in usable]

    def size_bytes(self, name: str) -> int:
        return find_spec(name, self._folder).size_bytes(self._folder)

    def _load_quietly(self, name: str) -> None:
        try:
            self._load(name, Deadline())
        except EngineUnavailable:
            # `_failed` keeps the reason for /health and for requests.
            return

    def _load(self, name: str, deadline: Deadline) -> RembgSegmenter:
        """Load one model at a time; callers that find it loading wait."""
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
            self._on_change(loaded, True)
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
        """Wait for the model that is loading; called with the lock held. Some threads stay free for everything else."""
        if self._waiting >= self._max_waiting:
            raise EngineUnavailable("it is loading, and no more callers can wait for it", "", 2)
        self._waiting += 1
        try:
            self._done.wait(deadline.remaining())
        finally:
            self._waiting -= 1
        deadline.check()

    def _touched(self, name: str) -> RembgSegmenter:
        """Return the loaded model and mark it as most recently used; called with the lock held."""
        segmenter = self._loaded[name] = self._loaded.pop(name)
        return segmenter

    def _make_room(self, name: str) -> None:
        """Drop the least recently used models until one more fits; called with the lock held.

        Only the reference goes: requests that use a session keep it alive.
        """
        others = [other for other in self._loaded if other != self.default]
        kept = self._max_loaded - 1 - (name != self.default)
        for other in others[: max(0, len(others) - kept)]:
            self._on_change(self._loaded.pop(other), False)

    def _spec(self, name: str) -> ModelSpec:
        try:
            return find_spec(name, self._folder)
        except ValueError as exc:
            raise EngineUnavailable(str(exc)) from exc

    def _recently_failed(self, name: str) -> bool:
        return name in self._failed and time.monotonic() - self._failed[name][1] < RETRY_SECONDS
