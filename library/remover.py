"""`Remover`: one warm model in the caller's process, for single pictures and for batches."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sized
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, Unpack, overload

from services.errors import ServiceError

# These import OpenCV: `import bgremove` does without.
if TYPE_CHECKING:
    from config import Settings
    from library.keywords import AllOptions
    from library.kinds import Array, File, Image, Picture
    from services.imaging.options import Options
    from services.removal import Remover as ServiceRemover

Source = TypeVar("Source", bound="Picture")
# Pixels in memory are bounded by their number alone.
ANY_SIZE = 1 << 40


@dataclass(frozen=True)
class Item(Generic[Source]):
    """A picture of a batch, and its result, or the error that it has instead."""

    source: Source
    result: Any = None
    error: ServiceError | OSError | None = None

    def get(self) -> Any:
        """Return the result, or raise the error."""
        if self.error is not None:
            raise self.error
        return self.result


@dataclass(frozen=True)
class _Work:
    """What all pictures of one call have in common."""

    options: Options
    background: bytes | None
    pixels_behind: bool
    force_bytes: bool
    gone: Callable[[], bool] = lambda: False


class Remover:
    """Removes backgrounds with one warm model, which its first picture loads and all threads share.

    `model` is the default of the options (None: the setting `REMBG_MODEL_NAME`); a model of the catalogue that is not
    on this machine yet is fetched. `jobs` pictures are worked on at a time (None: the number of processors), more wait.
    The settings are those of the command line. Make one after a fork, not before.
    """

    def __init__(self, model: str | None = None, *, jobs: int | None = None) -> None:
        if jobs is not None and jobs < 1:
            raise ValueError(f"jobs is {jobs}; allowed: 1 or more")
        self.model = model
        self._jobs = jobs
        self._lock = threading.Lock()

    @overload
    def remove(self, data: Picture, *, force_return_bytes: Literal[True], **options: Unpack[AllOptions]) -> bytes: ...
    @overload
    def remove(
        self, data: File, *, force_return_bytes: Literal[False] = False, **options: Unpack[AllOptions]
    ) -> bytes: ...
    @overload
    def remove(
        self, data: Image, *, force_return_bytes: Literal[False] = False, **options: Unpack[AllOptions]
    ) -> Image: ...
    @overload
    def remove(
        self, data: Array, *, force_return_bytes: Literal[False] = False, **options: Unpack[AllOptions]
    ) -> Array: ...
    @overload
    def remove(
        self, data: Picture, *, force_return_bytes: bool = False, **options: Unpack[AllOptions]
    ) -> bytes | Image | Array: ...
    def remove(
        self, data: Picture, *, force_return_bytes: bool = False, **options: Unpack[AllOptions]
    ) -> bytes | Image | Array:
        """Return the picture without its background, in the kind that came (`bgremove.remove` says more).

        Raises `ServiceError`, `OSError`, `TypeError`, `ValueError` as `bgremove.remove` does.
        """
        result: bytes | Image | Array = self._make(data, self._work(dict(options), force_return_bytes))
        return result

    def map(
        self,
        pictures: Iterable[Source],
        *,
        progress: Callable[[int, int | None], None] = lambda _done, _count: None,
        force_return_bytes: bool = False,
        **options: Unpack[AllOptions],
    ) -> Iterator[Item[Source]]:
        """Yield the items of many pictures in their order, with `jobs` of them in progress.

        An error of one picture is in its item; the others go on. `progress` is called in the caller's thread with the
        number of items so far, and of all where `pictures` has a length. Pictures are taken as they are needed.
        Leaving the loop early stops those in progress. Raises `BadOption` and others before the first picture.
        """
        left = threading.Event()
        work = replace(self._work(dict(options), force_return_bytes), gone=left.is_set)
        self._warm()
        return self._map(pictures, work, progress, left)

    def _map(
        self,
        pictures: Iterable[Source],
        work: _Work,
        progress: Callable[[int, int | None], None],
        left: threading.Event,
    ) -> Iterator[Item[Source]]:
        count = len(pictures) if isinstance(pictures, Sized) else None
        waiting = iter(pictures)
        with ThreadPoolExecutor(self.jobs, "bgremove") as pool:
            # One more each is ready, so that a slow one in front does not stop the others.
            running: deque[Future[Item[Source]]] = deque(
                pool.submit(self._item, picture, work) for picture in islice(waiting, 2 * self.jobs)
            )
            done = 0
            try:
                while running:
                    item = running.popleft().result()
                    running.extend(pool.submit(self._item, picture, work) for picture in islice(waiting, 1))
                    done += 1
                    progress(done, count)
                    yield item
            finally:
                left.set()
                pool.shutdown(wait=False, cancel_futures=True)

    def _item(self, picture: Source, work: _Work) -> Item[Source]:
        try:
            return Item(picture, self._make(picture, work))
        except (ServiceError, OSError) as exc:
            return Item(picture, error=exc)

    def _make(self, picture: Picture, work: _Work) -> Any:
        from library.kinds import check_format, file_bytes, is_file, like
        from services.capacity.deadline import Deadline

        check_format(work.options.format, picture, force_bytes=work.force_bytes)
        service = self._warm()
        data = file_bytes(picture, service.limits.max_bytes)
        if not is_file(picture) or work.pixels_behind:
            service = replace(service, limits=replace(service.limits, max_bytes=ANY_SIZE))
        result = service.remove(data, work.options, background=work.background, deadline=Deadline(gone=work.gone))
        return like(picture, force_bytes=work.force_bytes)(result)

    def _work(self, options: dict[str, Any], force_bytes: bool) -> _Work:
        """Read the options. Raises `BadOption`, `UnknownOption` and what reading the background does."""
        from library.kinds import file_bytes, is_file
        from services.imaging.options import BACKGROUND_IMAGE, Options

        background = options.pop(BACKGROUND_IMAGE, None)
        chosen = Options.parse(options)
        behind = None if background is None else file_bytes(background, self._settings.max_content_length)
        return _Work(chosen, behind, background is not None and not is_file(background), force_bytes)

    @cached_property
    def jobs(self) -> int:
        """The number of pictures that are worked on at a time."""
        from services.capacity.resources import usable_cpus

        return self._jobs or usable_cpus()

    @cached_property
    def _settings(self) -> Settings:
        from config import ConfigError, load_settings

        try:
            settings = load_settings()
            name = settings.model_name(self.model)
            if name == settings.rembg_model_name:
                return settings
            return load_settings(rembg_model_name=name, models_enabled=settings.models)
        except ConfigError as exc:
            # It ends a process that serves, not the caller's.
            raise ValueError(str(exc)) from exc

    @cached_property
    def _service(self) -> ServiceRemover:
        """The service's remover, without its model; used with the lock held."""
        from bootstrap.removal import make_local_remover
        from services.capacity.admission import Admission

        admission = Admission(self.jobs, waiting=ANY_SIZE, megapixels=self._settings.max_inflight_megapixels)
        return replace(make_local_remover(self._settings, self.jobs), admission=admission)

    def _warm(self) -> ServiceRemover:
        """Return the service's remover with its default model loaded. Raises `ModelNotFound`, `EngineUnavailable`."""
        from library.fetching import fetch_missing
        from services.capacity.deadline import Deadline

        with self._lock:
            fetch_missing(self._settings)
            self._service.models.get(None, Deadline())
            return self._service
