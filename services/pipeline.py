"""From the bytes of a photo to the bytes of its cut-out: the one list of steps that HTTP and command line share."""

from dataclasses import dataclass
from typing import Protocol

from services.admission import Admission
from services.compose import compose
from services.confidence import check_subject, confidence
from services.deadline import Deadline, Stopwatch
from services.decode import ImageLimits, decode, inspect
from services.encode import encode
from services.options import Format, Options
from services.refine import refine
from services.segment import Segmenter, segment


class ModelSource(Protocol):
    """Where a loaded model comes from; `sessions.Models` is one."""

    def get(self, name: str | None, deadline: Deadline) -> Segmenter: ...


@dataclass(frozen=True)
class Result:
    """An encoded picture, and what is to be told about how it was made.

    Sizes in px and bytes, timings in ms; `quality` None where the format has none.
    """

    data: bytes
    format: Format
    width: int
    height: int
    original_format: str
    original_width: int
    original_height: int
    original_bytes: int
    quality: int | None
    model: str
    confidence: float
    """How sure the model is of its mask, 0 to 1; see `services.confidence`."""
    timings: dict[str, float]


def remove_background(
    data: bytes,
    options: Options,
    *,
    models: ModelSource,
    limits: ImageLimits,
    admission: Admission,
    deadline: Deadline,
    require_subject: bool = False,
) -> Result:
    """The cut-out (or mask) of the image in `data`.

    Raises a `ServiceError`: the image's fault (`inspect`, `decode`, and with `require_subject` `NoSubject`), the
    options' (`ModelNotFound`, `segment`, `encode`), or ours (`Busy`, `EngineUnavailable`, `DeadlineExceeded`).
    """
    watch = Stopwatch(deadline)
    source = inspect(data, limits)
    segmenter = models.get(options.model, deadline)
    with admission.slot(source.megapixels, watch):
        with watch.step("decode"):
            photo = decode(source)
        with watch.step("segment"):
            mask = segment(photo, segmenter, deadline, options.prompt)
            certainty = confidence(mask)
        with watch.step("refine"):
            matte = refine(mask, photo, options, deadline)
        if require_subject:
            check_subject(matte)
        with watch.step("compose"):
            canvas = compose(photo, matte, options)
        with watch.step("encode"):
            encoded = encode(canvas, options)
    return Result(
        data=encoded,
        format=options.format,
        width=canvas.width,
        height=canvas.height,
        original_format=source.format,
        original_width=photo.width,
        original_height=photo.height,
        original_bytes=source.size_bytes,
        quality=options.quality if options.format.lossy else None,
        model=segmenter.spec.name,
        confidence=certainty,
        timings=watch.timings,
    )
