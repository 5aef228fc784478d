"""The one way to remove a background: views, job workers and the command line all call `Remover`."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Final, Protocol, Self

from services.capacity.admission import Admission
from services.capacity.deadline import Deadline, Stopwatch
from services.capacity.places import Places
from services.containers.animation import Animation, find_animation
from services.imaging.animation.cut_out import cut_out_frames
from services.imaging.choices.checks import check_animation, check_background, check_canvas
from services.imaging.choices.weight import weight
from services.imaging.decode import ImageLimits, Source, inspect
from services.imaging.extras import Extras
from services.imaging.given_mask import check_kind, check_sides
from services.imaging.options import Options
from services.imaging.pipeline import (
    Result,
    Rules,
    Sources,
    compose_given,
    cut_out,
    refine_given,
)
from services.imaging.segment import Segmenter
from services.result_cache import ResultCache


class ModelSource(Protocol):
    """A collection of models; `services.inference.registry.Models` is one."""

    def get(self, name: str | None, deadline: Deadline) -> Segmenter: ...


NO_RULES: Final = Rules()
# Of the photo's part that an editor wants refined.
MAX_REFINED_PIXELS: Final = 4_000_000


@dataclass(frozen=True)
class Remover:
    """Removes backgrounds within this process's limits.

    `limits` bound what is decoded, `admission` what runs at a time, `inspections` how many headers are read at a time.
    Results are looked up in `cache` first: a cached result needs no admission.
    """

    models: ModelSource
    limits: ImageLimits
    admission: Admission
    cache: ResultCache | None = None
    rules: Rules = NO_RULES
    inspections: Places = field(default_factory=lambda: Places(1))

    def inspect(self, data: bytes, deadline: Deadline) -> Source:
        """Read an image's header, a few at a time: no admission bounds what it costs.

        Raises what `imaging.decode.inspect` does, and `DeadlineExceeded` or `ClientGone` while it waits.
        """
        with self.inspections.hold(deadline):
            return inspect(data, self.limits)

    def remove(
        self,
        data: bytes,
        options: Options,
        *,
        background: bytes | None = None,
        deadline: Deadline | None = None,
        on_step: Callable[[str], None] = lambda _name: None,
        extras: Extras | None = None,
    ) -> Result:
        """Return the cut-out (or mask) of the image file `data`.

        `background` is the file of an image to put behind the subject. Without a deadline a removal takes as long as
        it takes. `on_step` is called with each step's name as it begins. `extras` are filled, unless the result comes
        from the cache.

        Raises a `ServiceError`: the image's fault (`inspect`, `decode`, `NoSubject`), the options' (`BadOption`,
        `ModelNotFound`), or ours (`Busy`, `EngineUnavailable`, `DeadlineExceeded`).
        """
        watch = Stopwatch(deadline or Deadline(), on_step)
        check_background(options, background)
        check_canvas(options, self.limits.max_pixels)
        photo = self.inspect(data, watch.deadline)
        options = chosen_format(options, photo)
        animation = self._animation(photo, options, watch.deadline)
        behind = self.inspect(background, watch.deadline) if background is not None else None
        sources = Sources(photo, behind, animation=animation)
        segmenter = self.models.get(options.model, watch.deadline)
        make = cut_out if animation is None else cut_out_frames

        def key(cache: ResultCache) -> str:
            return cache.key(data, background, options, segmenter.identity, self.rules)

        def work() -> Result:
            with self.admission.slot(weight(sources, options), watch):
                return make(sources, options, segmenter, watch, self.rules, extras)

        return self._cached(key, work, watch)

    def compose(
        self,
        data: bytes,
        options: Options,
        *,
        mask: bytes | None = None,
        background: bytes | None = None,
        deadline: Deadline | None = None,
        extras: Extras | None = None,
    ) -> Result:
        """Return the picture that `remove` would make of the photo `data` if its model had found this mask.

        No model runs. `mask` is an image file of the upright photo's size; without one all of the photo is kept.
        `extras` are filled, unless the result comes from the cache. Raises `MaskMismatch` and what `remove` does,
        except for the models' errors.
        """
        watch = Stopwatch(deadline or Deadline())
        check_background(options, background)
        check_canvas(options, self.limits.max_pixels)
        photo = self.inspect(data, watch.deadline)
        options = chosen_format(options, photo)
        given = None
        if mask is not None:
            check_kind(mask)
            given = self.inspect(mask, watch.deadline)
            check_sides(given, photo)
        behind = self.inspect(background, watch.deadline) if background is not None else None
        sources = Sources(photo, behind, given)

        def key(cache: ResultCache) -> str:
            return cache.key(data, background, options, "compose", mask and sha256(mask).hexdigest(), self.rules)

        def work() -> Result:
            with self.admission.slot(weight(sources, options), watch):
                return compose_given(sources, options, watch, self.rules, extras)

        return self._cached(key, work, watch)

    def refine(self, data: bytes, mask: bytes, options: Options, *, deadline: Deadline | None = None) -> Result:
        """Return the mask with its unknown pixels (neither 0 nor 255) refined by the photo `data`, as a grey PNG.

        No model runs, and nothing is cached: an editor sends each stroke once. `options.edges` is "refined" or
        "matting". Raises `MaskMismatch` and the errors of an image; the photo has at most `MAX_REFINED_PIXELS`.
        """
        watch = Stopwatch(deadline or Deadline())
        small = replace(self, limits=self.limits.capped(MAX_REFINED_PIXELS))
        photo = small.inspect(data, watch.deadline)
        check_kind(mask)
        given = small.inspect(mask, watch.deadline)
        check_sides(given, photo)
        sources = Sources(photo, None, given)
        with self.admission.slot(weight(sources, options), watch):
            return refine_given(sources, options, watch)

    def count_frames(self, data: bytes, options: Options, deadline: Deadline) -> int:
        """Return how many frames `remove` would work on: 1 without `options.animated`, and for a still picture.

        Raises what `inspect` does, and the errors of an animation's limits.
        """
        if not options.animated:
            return 1
        photo = self.inspect(data, deadline)
        animation = self._animation(photo, chosen_format(options, photo), deadline)
        return len(animation.frames) if animation else 1

    def for_jobs(self) -> Self:
        """Return the same remover with the limits that a job has."""
        frames = self.limits.frames
        return replace(
            self, limits=replace(self.limits, frames=replace(frames, most=max(frames.most, frames.as_job), as_job=0))
        )

    def _animation(self, photo: Source, options: Options, deadline: Deadline) -> Animation | None:
        """Return the frames to work on, None for a still picture or where the first frame is enough."""
        if not options.animated:
            return None
        limits = self.limits.frames
        with self.inspections.hold(deadline):
            found = find_animation(photo.data, photo.format, max(limits.most, limits.as_job))
        if found:
            check_animation(found, options, limits)
        return found

    def _cached(self, key: Callable[[ResultCache], str], work: Callable[[], Result], watch: Stopwatch) -> Result:
        """Return the cached result with this key, or that of `work`, which is then cached."""
        if not self.cache:
            return work()
        with watch.step("cache"):
            name = key(self.cache)
            found = self.cache.get(name)
        if found:
            return replace(found, timings=watch.timings)
        result = replace(work(), cached=False)
        self.cache.put(name, result)
        return result


def chosen_format(options: Options, photo: Source) -> Options:
    """Return the options with the format that they mean for this photo."""
    return options.model_copy(update={"format": options.format.chosen_for(photo.format)})
