"""`Remover`: cache, admission and deadline around the imaging pipeline."""

import io
from dataclasses import replace
from typing import Any

import pytest
from PIL import Image

from services.capacity.admission import Admission
from services.capacity.deadline import Deadline
from services.containers.errors import CorruptImage
from services.errors import BadOption, Busy, ConflictingOptions, DeadlineExceeded
from services.imaging.decode import FrameLimits, ImageLimits
from services.imaging.errors import MaskMismatch, NoSubject, TooManyFrames, TooManyPixels
from services.imaging.formats import Format
from services.imaging.options import Options
from services.imaging.pipeline import Result, Rules
from services.inference.segmenter import RembgSegmenter
from services.removal import Remover
from tests.support.images import encoded
from tests.support.models import OneModel
from tests.support.pictures.animations import disc, disc_frames, tiny_gif

STEPS = ["queue", "decode", "segment", "refine", "decontaminate", "compose", "encode"]


class MemoryCache:
    """A result cache in a dictionary, keyed by everything that a result depends on."""

    def __init__(self) -> None:
        self.kept: dict[str, Result] = {}

    def key(self, *parts: object) -> str:
        return repr(parts)

    def get(self, key: str) -> Result | None:
        found = self.kept.get(key)
        return replace(found, cached=True, timings={}) if found else None

    def put(self, key: str, result: Result) -> None:
        self.kept[key] = result


class FullAdmission(Admission):
    """An admission without a free place."""

    def slot(self, *_: Any) -> Any:
        raise Busy("full")


@pytest.fixture
def remover(segmenter: RembgSegmenter) -> Remover:
    return Remover(OneModel(segmenter), ImageLimits(), Admission(1, 0))


def test_canvas_is_bounded_by_the_limit_on_photos(segmenter: RembgSegmenter, small: bytes) -> None:
    strict = Remover(OneModel(segmenter), ImageLimits(max_pixels=1_000_000), Admission(1, 0))
    options = Options.parse({"canvas": "2000 2000"})
    for work in (strict.remove, strict.compose):
        with pytest.raises(BadOption, match="at most 1000000 px in all"):
            work(small, options)


def test_each_step_is_reported_in_order_and_timed(remover: Remover, small: bytes) -> None:
    seen: list[str] = []
    result = remover.remove(small, Options(), on_step=seen.append)
    assert seen == STEPS
    assert list(result.timings) == STEPS
    assert result.cached is None


def test_composed_result_is_cached_by_its_mask(remover: Remover, small: bytes) -> None:
    cache: Any = MemoryCache()
    caching = replace(remover, cache=cache)
    removed = caching.remove(small, Options())
    white, black = (encoded(Image.new("L", (96, 64), level), "PNG") for level in (255, 0))
    first = caching.compose(small, Options(), mask=white)
    assert (first.cached, next(iter(first.timings))) == (False, "cache")
    assert first.data not in (removed.data, caching.compose(small, Options(), mask=black).data)
    again = replace(caching, admission=FullAdmission(1, 0)).compose(small, Options(), mask=white)
    assert (again.cached, again.data) == (True, first.data)


def test_composing_needs_a_place_and_keeps_the_deadline(remover: Remover, small: bytes) -> None:
    with pytest.raises(Busy):
        replace(remover, admission=FullAdmission(1, 0)).compose(small, Options())
    with pytest.raises(DeadlineExceeded):
        remover.compose(small, Options(), deadline=Deadline(0))
    with pytest.raises(ConflictingOptions):
        remover.compose(small, Options.parse({"background": "red"}), background=small)


def test_refining_needs_a_place_keeps_the_deadline_and_caches_nothing(remover: Remover, small: bytes) -> None:
    cache: Any = MemoryCache()
    mask = encoded(Image.new("L", (96, 64), 128), "PNG")
    result = replace(remover, cache=cache).refine(small, mask, Options())
    assert (result.width, result.height, result.model, result.cached) == (96, 64, "none", None)
    assert list(result.timings) == ["queue", "decode", "refine", "compose", "encode"]
    assert not cache.kept
    with pytest.raises(Busy):
        replace(remover, admission=FullAdmission(1, 0)).refine(small, mask, Options())
    with pytest.raises(DeadlineExceeded):
        remover.refine(small, mask, Options(), deadline=Deadline(0))


def test_refining_bounds_the_part_and_its_mask(remover: Remover, small: bytes) -> None:
    large = encoded(Image.new("L", (2001, 2000), 128), "PNG")
    for photo, mask in ((large, small), (small, large)):
        with pytest.raises((TooManyPixels, MaskMismatch)):
            remover.refine(photo, mask, Options())
    with pytest.raises(MaskMismatch, match="96×63"):
        remover.refine(small, encoded(Image.new("L", (96, 63)), "PNG"), Options())


def test_composing_works_without_models_and_without_a_subject(remover: Remover, small: bytes) -> None:
    no_models: Any = None
    alone = replace(remover, models=no_models, rules=Rules(require_subject=True))
    empty = alone.compose(small, Options(), mask=encoded(Image.new("L", (96, 64)), "PNG"))
    assert (empty.foreground.empty, empty.model, empty.confidence) == (True, "none", 1.0)


def test_cached_result_needs_no_admission(remover: Remover, small: bytes) -> None:
    cache: Any = MemoryCache()
    first = replace(remover, cache=cache).remove(small, Options())
    again = replace(remover, cache=cache, admission=FullAdmission(1, 0)).remove(small, Options())
    assert (first.cached, again.cached) == (False, True)
    assert again.data == first.data
    assert list(again.timings) == ["cache"]


@pytest.mark.slow
def test_results_under_other_rules_are_cached_apart(remover: Remover, small: bytes) -> None:
    cache: Any = MemoryCache()
    replace(remover, cache=cache).remove(small, Options())
    replace(remover, cache=cache, rules=Rules(jpeg_if_opaque=True)).remove(small, Options())
    assert len(cache.kept) == 2


def test_full_server_refuses_before_decoding(remover: Remover, small: bytes) -> None:
    seen: list[str] = []
    with pytest.raises(Busy):
        replace(remover, admission=FullAdmission(1, 0)).remove(small, Options(), on_step=seen.append)
    assert seen == []


def test_two_backgrounds_are_refused_before_the_image_is_read(remover: Remover, small: bytes) -> None:
    with pytest.raises(ConflictingOptions, match="background and background_image"):
        remover.remove(b"not an image", Options.parse({"background": "red"}), background=small)


def test_expired_deadline_ends_the_removal(remover: Remover, small: bytes) -> None:
    with pytest.raises(DeadlineExceeded):
        remover.remove(small, Options(), deadline=Deadline(0.0))


def test_limits_bound_the_photo_and_its_background(remover: Remover, small: bytes, jpeg: bytes) -> None:
    limited = replace(remover, limits=ImageLimits(max_pixels=100 * 100))
    limited.remove(small, Options())
    for data, background in ((jpeg, None), (small, jpeg)):
        with pytest.raises(TooManyPixels):
            limited.remove(data, Options(), background=background)


def test_rules_demand_a_subject_and_a_jpeg(remover: Remover, small: bytes, blank: bytes) -> None:
    with pytest.raises(NoSubject):
        replace(remover, rules=Rules(require_subject=True)).remove(blank, Options())
    opaque = replace(remover, rules=Rules(jpeg_if_opaque=True)).remove(small, Options.parse({"background": "white"}))
    assert opaque.format is Format.JPEG


@pytest.mark.slow
@pytest.mark.parametrize("edges", ["soft", "refined", "matting"])
@pytest.mark.parametrize("side", [64, 300])
@pytest.mark.parametrize("colour", ["white", "grey", "black"])
def test_blank_picture_gives_an_empty_result(remover: Remover, colour: str, side: int, edges: str) -> None:
    data = encoded(Image.new("RGB", (side, side), colour), "PNG")
    result = remover.remove(data, Options.parse({"edges": edges}))
    with Image.open(io.BytesIO(result.data)) as image:
        assert image.getchannel("A").getextrema() == (0, 0)
    assert (result.foreground.width, result.foreground.height) == (0, 0)
    with pytest.raises(NoSubject):
        replace(remover, rules=Rules(require_subject=True)).remove(data, Options())


@pytest.fixture(scope="module")
def blank() -> bytes:
    """A white image without a subject."""
    out = io.BytesIO()
    Image.new("RGB", (64, 64), "white").save(out, "PNG")
    return out.getvalue()


def test_header_is_read_only_in_a_place(remover: Remover, small: bytes) -> None:
    with remover.inspections.hold(Deadline()), pytest.raises(DeadlineExceeded):
        remover.remove(small, Options(), deadline=Deadline(0.1))
    assert remover.inspect(small, Deadline()).format == "jpeg"


def test_variants_of_a_remover_share_their_places(remover: Remover, small: bytes) -> None:
    variant = replace(remover, limits=replace(remover.limits, max_bytes=1 << 20))
    with remover.inspections.hold(Deadline()), pytest.raises(DeadlineExceeded):
        variant.inspect(small, Deadline(0.1))


ANIMATED = {"animated": "true", "edges": "soft"}


@pytest.mark.slow
def test_only_the_first_frame_is_processed_unless_all_are_requested(remover: Remover) -> None:
    data = disc(3)
    first = encoded(disc_frames(1)[0].quantize(16).convert("RGB"), "PNG")
    still = remover.remove(data, Options.parse({"edges": "soft"}))
    assert (still.frames, still.duration_ms, still.format) == (1, None, Format.PNG)
    assert (still.width, still.foreground) == (96, remover.remove(first, Options.parse({"edges": "soft"})).foreground)
    moving = remover.remove(data, Options.parse(ANIMATED))
    assert (moving.frames, moving.duration_ms, moving.format) == (3, 240, Format.WEBP)


@pytest.mark.slow
def test_animated_still_picture_is_a_still_answer(remover: Remover, small: bytes) -> None:
    plain = remover.remove(small, Options())
    animated = remover.remove(small, Options.parse({"animated": "true"}))
    assert animated.data == plain.data
    assert (animated.frames, animated.duration_ms, animated.format) == (1, None, Format.PNG)
    gif = remover.remove(small, Options.parse({"animated": "true", "format": "gif"}))
    assert gif.data.startswith(b"GIF89a")


@pytest.mark.slow
def test_animations_limits_are_those_of_the_place(remover: Remover) -> None:
    here = replace(remover, limits=ImageLimits(frames=FrameLimits(2, as_job=4)))
    with pytest.raises(TooManyFrames, match="it has 3; allowed: 2 in a request, 4 as a job"):
        here.remove(disc(3), Options.parse(ANIMATED))
    assert here.remove(disc(3), Options()).frames == 1
    assert here.for_jobs().remove(disc(3), Options.parse(ANIMATED)).frames == 3
    with pytest.raises(TooManyFrames, match="it has more than 4; allowed: 4"):
        here.for_jobs().remove(disc(6), Options.parse(ANIMATED))


def test_frames_are_counted_without_work(remover: Remover, small: bytes) -> None:
    busy = replace(remover, admission=FullAdmission(1, 0))
    assert busy.count_frames(disc(3), Options.parse(ANIMATED), Deadline()) == 3
    assert busy.count_frames(disc(3), Options(), Deadline()) == 1
    assert busy.count_frames(small, Options.parse(ANIMATED), Deadline()) == 1
    with pytest.raises(TooManyFrames):
        busy.count_frames(tiny_gif(400), Options.parse(ANIMATED), Deadline())


@pytest.mark.slow
def test_animation_is_cached_as_any_result(remover: Remover) -> None:
    cache: Any = MemoryCache()
    caching = replace(remover, cache=cache)
    first = caching.remove(disc(3), Options.parse(ANIMATED))
    again = replace(caching, admission=FullAdmission(1, 0)).remove(disc(3), Options.parse(ANIMATED))
    assert (again.cached, again.data, again.frames) == (True, first.data, 3)


def test_hostile_animations_are_refused_before_any_work(remover: Remover) -> None:
    busy = replace(remover, admission=FullAdmission(1, 0))
    options = Options.parse(ANIMATED)
    with pytest.raises(TooManyFrames):
        busy.remove(tiny_gif(65_535), options)
    with pytest.raises(CorruptImage, match="the canvas has 16×16"):
        busy.remove(tiny_gif(3, place=(1, 0, 16, 16)), options)
    with pytest.raises(TooManyPixels, match="its 200 frames have"):
        busy.remove(tiny_gif(200, side=7000), options)
    with pytest.raises(CorruptImage, match="cut off inside frame"):
        busy.remove(disc(5)[:-40], options)
