"""From the bytes of a photo to the bytes of its cut-out: the one list of steps that HTTP and command line share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from services.capacity.admission import Admission
from services.capacity.deadline import Deadline, Stopwatch
from services.errors import ConflictingOptions
from services.imaging.compose import compose
from services.imaging.confidence import check_subject, confidence
from services.imaging.decode import ImageLimits, Source, decode, inspect
from services.imaging.decontaminate import decontaminate
from services.imaging.encode import MEMORY, encode
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.layout import largest_canvas
from services.imaging.options import BACKGROUND_IMAGE, Options
from services.imaging.prompt import moved
from services.imaging.refine import refine
from services.imaging.region import part_of, region, spread
from services.imaging.segment import Segmenter, segment
from services.imaging.smooth import smooth


class ModelSource(Protocol):
    """Where a loaded model comes from; `sessions.Models` is one."""

    def get(self, name: str | None, deadline: Deadline) -> Segmenter: ...


class Cache(Protocol):
    """Where results are kept for a while; `cache.ResultCache` is one."""

    def key(self, data: bytes, background: bytes | None, options: Options, *how: object) -> str: ...

    def get(self, key: str) -> "Result | None": ...

    def put(self, key: str, result: "Result") -> None: ...


@dataclass(frozen=True)
class Result:
    """An encoded picture, and what is to be told about how it was made.

    Sizes in px and bytes, timings in ms; `quality` None where the format has none; `foreground` is the subject's box.
    """

    data: bytes
    format: Format
    width: int
    height: int
    foreground: Box
    original_format: str
    original_width: int
    original_height: int
    original_bytes: int
    quality: int | None
    optimization: str
    model: str
    confidence: float
    """How sure the model is of its mask, 0 to 1; see `services.imaging.confidence`."""
    timings: dict[str, float]
    cached: bool | None = None
    """Whether it was made before and kept; None where results are not kept."""


def remove_background(
    data: bytes,
    options: Options,
    *,
    background: bytes | None = None,
    models: ModelSource,
    limits: ImageLimits,
    admission: Admission,
    deadline: Deadline,
    require_subject: bool = False,
    jpeg_if_opaque: bool = False,
    cache: Cache | None = None,
    on_step: Callable[[str], None] = lambda _name: None,
) -> Result:
    """The cut-out (or mask) of the image in `data`; `background` is the file of an image to go behind the subject;
    `on_step` is told each step's name as it begins.

    With `jpeg_if_opaque` a picture without transparency is a JPEG, whatever `options.format` says. What is in the
    `cache` is no work: it needs no admission.

    Raises a `ServiceError`: the image's fault (`inspect`, `decode`, and with `require_subject` `NoSubject`), the
    options' (`ModelNotFound`, `segment`, `encode`), or ours (`Busy`, `EngineUnavailable`, `DeadlineExceeded`).
    """
    watch = Stopwatch(deadline, on_step)
    _refuse_two_backgrounds(options, background)
    source = inspect(data, limits)
    behind = inspect(background, limits) if background is not None else None
    segmenter = models.get(options.model, deadline)
    key = ""
    if cache:
        with watch.step("cache"):
            key = cache.key(data, background, options, segmenter.identity, require_subject, jpeg_if_opaque)
            found = cache.get(key)
        if found:
            return replace(found, timings=watch.timings)
    with admission.slot(_megapixels(source, behind, options), watch):
        result = _removed(source, behind, options, segmenter, watch, require_subject, jpeg_if_opaque)
    if cache:
        result = replace(result, cached=False)
        cache.put(key, result)
    return result


def _removed(
    source: Source,
    behind: Source | None,
    options: Options,
    segmenter: Segmenter,
    watch: Stopwatch,
    require_subject: bool,
    jpeg_if_opaque: bool,
) -> Result:
    """The steps themselves, one after the other."""
    with watch.step("decode"):
        photo = decode(source)
        ground = decode(behind) if behind is not None else None
        roi = region(photo, options)
    with watch.step("segment"):
        part = part_of(photo, roi)
        mask = segment(part, segmenter, watch.deadline, moved(options.prompt, -roi.left, -roi.top))
        certainty = confidence(mask)
    with watch.step("refine"):
        matte = spread(refine(mask, part, options, watch.deadline), roi, photo)
        if options.smooth:
            matte = smooth(matte, photo.alpha)
    if require_subject:
        check_subject(matte)
    if options.decontaminate:
        with watch.step("decontaminate"):
            photo = decontaminate(photo, matte)
    with watch.step("compose"):
        canvas = compose(photo, matte, options, ground)
    if jpeg_if_opaque and canvas.opaque:
        options = options.model_copy(update={"format": Format.JPEG})
    with watch.step("encode"):
        encoded = encode(canvas, options)
    return Result(
        data=encoded,
        format=options.format,
        width=canvas.width,
        height=canvas.height,
        foreground=canvas.foreground,
        original_format=source.format,
        original_width=photo.width,
        original_height=photo.height,
        original_bytes=source.size_bytes,
        quality=options.quality if options.format.lossy else None,
        optimization=options.optimization(),
        model=segmenter.spec.name,
        confidence=certainty,
        timings=watch.timings,
    )


def _refuse_two_backgrounds(options: Options, background: bytes | None) -> None:
    if background is not None and options.background is not None:
        raise ConflictingOptions("background", BACKGROUND_IMAGE)


def _megapixels(source: Source, behind: Source | None, options: Options) -> float:
    """What this removal weighs in memory at most: its photo or, where a crop's margin makes it larger, its canvas, and
    the background image; more with a format whose encoder needs more."""
    canvas = largest_canvas(source.width, source.height, options) / 1e6
    pictures = max(source.megapixels, canvas) + (behind.megapixels if behind else 0.0)
    return pictures * MEMORY.get(options.format, 1.0)
