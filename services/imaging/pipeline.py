"""The steps from a decoded photo to an encoded cut-out. `services/removal.py` calls them."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from services.capacity.deadline import Stopwatch
from services.containers.animation import Animation
from services.imaging.blend import on_grey
from services.imaging.compose import Canvas, compose
from services.imaging.confidence import without_subject
from services.imaging.decode import Source, decode
from services.imaging.decontaminate import decontaminate
from services.imaging.edges.matte import find_mask, refined_matte
from services.imaging.edges.refine import refine, smooth
from services.imaging.edges.trimap import fill_in
from services.imaging.encode import encode
from services.imaging.extras import Extras
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.given_mask import check_size, decode_mask
from services.imaging.ground import blurred_ground
from services.imaging.options import Edges, Options, Output
from services.imaging.rasters import Matte, Photo
from services.imaging.segment import Segmenter

# The model of a result whose mask no model made.
NO_MODEL: Final = "none"


@dataclass(frozen=True)
class Sources:
    """The inspected photo and, optionally, the inspected image that goes behind the subject, the caller's mask, and the
    photo's frames where all of them are asked for.
    """

    photo: Source
    background: Source | None = None
    mask: Source | None = None
    animation: Animation | None = None


class OwnAlpha(StrEnum):
    """The use of a photo's own transparency: it limits the matte, is the matte, or is discarded."""

    LIMIT = "limit"
    MATTE = "matte"
    DISCARD = "discard"


@dataclass(frozen=True)
class Rules:
    """What the operator or the API's dialect demands of a result.

    With `require_subject` a picture without a subject is the error `NoSubject`. With `jpeg_if_opaque` a picture
    without transparency becomes a JPEG, whatever `options.format` is. `own_alpha` is about photos with transparent
    pixels; those without are always cut out.
    """

    require_subject: bool = False
    jpeg_if_opaque: bool = False
    own_alpha: OwnAlpha = OwnAlpha.LIMIT


@dataclass(frozen=True)
class Result:
    """An encoded picture and the facts about how it was made.

    Sizes are in px and bytes, timings in ms; `quality` is None where the format has none; `max_…` are the
    bounds that the options set; `foreground` is the
    subject's box.
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
    max_width: int | None
    max_height: int | None
    max_pixels: int | None
    model: str
    confidence: float
    """The certainty of the model's mask, 0 to 1; see `services.imaging.confidence`."""
    timings: dict[str, float]
    cached: bool | None = None
    """Whether the result comes from the cache; None without a cache."""
    embedded: bool | None = None
    """Whether the model had the photo's embedding from an earlier prompt; None for models without prompts."""
    frames: int = 1
    duration_ms: int | None = None
    """The time of one run of an animation; None for a still picture."""


@dataclass(frozen=True)
class Subject:
    """A decoded photo and its matte, the image that goes behind it, and where the matte comes from."""

    photo: Photo
    matte: Matte
    background: Photo | None
    model: str
    confidence: float
    """The certainty of the model's mask, 0 to 1; see `services.imaging.confidence`."""
    embedded: bool | None = None


def cut_out(
    sources: Sources,
    options: Options,
    segmenter: Segmenter,
    watch: Stopwatch,
    rules: Rules,
    extras: Extras | None = None,
) -> Result:
    """Remove the photo's background: decode, segment, refine, decontaminate, compose, encode.

    `watch` measures each step and checks the deadline before it; `extras` are filled. Raises what the steps raise:
    `CorruptImage`, `BadOption`, `NoSubject`, `EngineUnavailable`, `DeadlineExceeded`, `ClientGone`.
    """
    with watch.step("decode"):
        photo = decode(sources.photo)
        ground = decode(sources.background) if sources.background is not None else None
        if rules.own_alpha is OwnAlpha.DISCARD:
            photo = Photo(photo.pixels)
    cut_already = rules.own_alpha is OwnAlpha.MATTE and photo.transparent
    if cut_already and photo.alpha is not None:
        matte, certainty, embedded = photo.alpha, 1.0, None
    else:
        found = find_mask(photo, options, segmenter, watch)
        matte, certainty, embedded = refined_matte(found.mask, found.roi, photo, options, watch), *found[2:]
    absent = without_subject(matte, certainty)
    if absent and rules.require_subject:
        raise absent
    if absent and not cut_already:
        # The see-through smear of a picture without a subject is of no use.
        matte = np.zeros_like(matte)
    if cut_already:
        options = options.model_copy(update={"decontaminate": False})
    subject = Subject(photo, matte, ground, segmenter.name, certainty, embedded)
    return _picture(subject, sources, options, watch, rules, extras)


def compose_given(
    sources: Sources, options: Options, watch: Stopwatch, rules: Rules, extras: Extras | None = None
) -> Result:
    """Make the picture with the caller's mask instead of a model's; without a mask all of the photo is the subject.

    The result is that of `cut_out`, byte for byte, where the mask is the one that `cut_out` gives for the photo. The
    mask's own options (`alpha_boost`, `threshold`, `feather`, `smooth`) change it. Raises `MaskMismatch` and what the
    steps raise.
    """
    with watch.step("decode"):
        # First: decoding it needs less memory than the photo does, but more than the matte.
        mask = decode_mask(sources.mask) if sources.mask is not None else None
        photo = decode(sources.photo)
        ground = decode(sources.background) if sources.background is not None else None
        if mask is None:
            mask = np.full((photo.height, photo.width), 255, dtype=np.uint8)
        check_size(mask, photo)
    with watch.step("refine"):
        # A soft edge of the photo's own size is the mask itself.
        matte = refine(mask, photo, options.model_copy(update={"edges": Edges.SOFT}), watch.deadline)
        if options.smooth:
            matte = smooth(matte, photo.alpha)
    return _picture(Subject(photo, matte, ground, NO_MODEL, 1.0), sources, options, watch, rules, extras)


def refine_given(sources: Sources, options: Options, watch: Stopwatch) -> Result:
    """Return the caller's mask with its unknown pixels refined by the photo; `options.edges` says how.

    Raises `MaskMismatch` and what the steps raise.
    """
    assert sources.mask is not None
    with watch.step("decode"):
        trimap = decode_mask(sources.mask)
        photo = decode(sources.photo)
        check_size(trimap, photo)
    with watch.step("refine"):
        matte = fill_in(trimap, on_grey(photo), options.edges, watch.deadline)
    options = Options(edges=options.edges, output=Output.MASK, decontaminate=False)
    return _picture(Subject(photo, matte, None, NO_MODEL, 1.0), sources, options, watch, Rules(), None)


def _picture(
    subject: Subject, sources: Sources, options: Options, watch: Stopwatch, rules: Rules, extras: Extras | None
) -> Result:
    """Compose and encode."""
    canvas = composed(subject, options, watch)
    if rules.jpeg_if_opaque and canvas.opaque:
        options = options.model_copy(update={"format": Format.JPEG})
    with watch.step("encode"):
        encoded = encode(canvas, options)
        if extras is not None:
            extras.fill(subject.matte, canvas)
    return result_of(encoded, canvas, subject, sources, options, watch)


def composed(subject: Subject, options: Options, watch: Stopwatch, union: Box | None = None) -> Canvas:
    """Blur the ground, decontaminate and compose; `union` is that of `compose`. The photo is overwritten."""
    photo, behind = subject.photo, subject.background
    if options.background_blur is not None and options.output is Output.CUTOUT:
        with watch.step("blur"):
            # First: the next step overwrites the photo.
            behind = blurred_ground(photo, subject.matte, options.background_blur)
    if options.decontaminate:
        with watch.step("decontaminate"):
            photo = decontaminate(photo, subject.matte)
    with watch.step("compose"):
        return compose(photo, subject.matte, options, behind, union)


def result_of(
    data: bytes, canvas: Canvas, subject: Subject, sources: Sources, options: Options, watch: Stopwatch
) -> Result:
    """Return the encoded canvas with the facts about it."""
    return Result(
        data=data,
        format=options.format,
        width=canvas.width,
        height=canvas.height,
        foreground=canvas.foreground,
        original_format=sources.photo.format,
        original_width=subject.photo.width,
        original_height=subject.photo.height,
        original_bytes=sources.photo.size_bytes,
        quality=options.quality if options.format.lossy else None,
        max_width=options.max_width,
        max_height=options.max_height,
        max_pixels=options.max_pixels,
        model=subject.model,
        confidence=subject.confidence,
        timings=watch.timings,
        embedded=subject.embedded,
    )
