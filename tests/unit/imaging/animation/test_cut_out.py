"""Animations without their background, with a segmenter that finds what is bright."""

import io
import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from services.capacity.deadline import Deadline, Stopwatch
from services.containers.animation import find_animation
from services.containers.errors import CorruptImage
from services.errors import ClientGone
from services.imaging.animation.cut_out import cut_out_frames
from services.imaging.decode import ImageLimits, inspect
from services.imaging.errors import NoSubject
from services.imaging.extras import Extras
from services.imaging.options import Options
from services.imaging.pipeline import Result, Rules, Sources
from tests.support.images import encoded
from tests.support.pictures.animations import HEIGHT, WIDTH, animation, disc, disc_frames, shown, truth
from tests.support.pictures.brightness import Bright

FORMS = {"GIF": "gif", "PNG": "png", "WEBP": "webp"}


def removed(
    data: bytes,
    *,
    behind: bytes | None = None,
    rules: Rules | None = None,
    extras: Extras | None = None,
    watch: Stopwatch | None = None,
    **raw: Any,
) -> Result:
    source = inspect(data, ImageLimits())
    sources = Sources(
        source,
        inspect(behind, ImageLimits()) if behind else None,
        animation=find_animation(data, source.format, 300),
    )
    options = Options.parse({"animated": True, "format": "png", "edges": "soft", **raw})
    return cut_out_frames(sources, options, Bright(), watch or Stopwatch(Deadline()), rules or Rules(), extras)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", FORMS.values())
def test_disc_of_every_frame_is_cut_out_with_its_time(form: str, name: str) -> None:
    result = removed(disc(5, form, durations=[40, 80, 120, 0, 200]), format=name)
    assert (result.format, result.frames, result.duration_ms, result.width) == (name, 5, 440, WIDTH)
    found = shown(result.data)
    assert [duration for _, duration in found] == [40, 80, 120, 0, 200]
    for number, (pixels, _) in enumerate(found):
        assert np.mean((pixels[..., 3] > 127) == (truth(number) > 0)) > 0.98


def test_facts_are_those_of_all_frames() -> None:
    result = removed(disc(5))
    assert (result.original_format, result.original_width, result.original_height) == ("gif", WIDTH, HEIGHT)
    assert abs(result.foreground.left - 4) <= 3
    assert abs(result.foreground.right - 57) <= 3
    assert list(result.timings) == ["decode", "segment", "refine", "decontaminate", "compose", "encode"]
    assert 0.5 < result.confidence <= 1


def test_crop_is_the_same_box_for_all_frames() -> None:
    result = removed(disc(5), crop=True)
    assert (result.width, result.height) == (result.foreground.width, result.foreground.height)
    assert abs(result.width - 53) <= 6
    centres = [np.argwhere(pixels[..., 3] > 127)[:, 1].mean() for pixels, _ in shown(result.data)]
    assert np.abs(np.diff(centres) - 5).max() < 0.6


@pytest.mark.parametrize("shadow", ["drop", "contact"])
def test_shadow_widens_the_crop_of_all_frames_alike(shadow: str) -> None:
    plain, shaded = removed(disc(5), crop=True), removed(disc(5), crop=True, shadow=shadow)
    assert shaded.height > plain.height
    centres = [np.argwhere(pixels[..., 3] > 250)[:, 1].mean() for pixels, _ in shown(shaded.data)]
    assert np.abs(np.diff(centres) - 5).max() < 0.6


def test_canvas_and_scale_place_all_frames_alike() -> None:
    result = removed(disc(5), canvas="200 100", scale="80%")
    assert (result.width, result.height) == (200, 100)
    centres = [np.argwhere(pixels[..., 3] > 127)[:, 1].mean() for pixels, _ in shown(result.data)]
    assert np.ptp(np.diff(centres)) < 1
    assert np.diff(centres).min() > 5


def test_largest_size_bounds_every_frame() -> None:
    result = removed(disc(3), max_width=48)
    assert (result.width, result.height) == (48, 32)
    assert {pixels.shape[:2] for pixels, _ in shown(result.data)} == {(32, 48)}


@pytest.mark.parametrize(
    "raw",
    [{"background": "#ff0000"}, {"background_gradient": "90 #ff0000 #ff0000"}],
    ids=["colour", "gradient"],
)
@pytest.mark.parametrize("name", FORMS.values())
def test_background_is_behind_every_frame(raw: dict[str, Any], name: str) -> None:
    for number, (pixels, _) in enumerate(shown(removed(disc(4), format=name, **raw).data)):
        ground = truth(number) == 0
        ground[:, :2] = True
        assert (pixels[..., 3] == 255).all()
        assert np.abs(pixels[2, 90, :3].astype(int) - (255, 0, 0)).max() < 8


def test_image_and_blur_are_behind_every_frame() -> None:
    behind = encoded(Image.new("RGB", (30, 30), (0, 0, 200)), "PNG")
    for pixels, _ in shown(removed(disc(3), behind=behind).data):
        assert pixels[2, 90].tolist() == [0, 0, 200, 255]
    for pixels, _ in shown(removed(disc(3), background_blur=20).data):
        assert np.abs(pixels[2, 90, :3].astype(int) - (40, 60, 50)).max() < 4


def test_alpha_is_kept_where_asked_for() -> None:
    data = removed(disc(2), background="white", keep_alpha=True).data
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "RGBA"


@pytest.mark.parametrize("name", FORMS.values())
def test_mask_of_every_frame_is_grey(name: str) -> None:
    for number, (pixels, _) in enumerate(shown(removed(disc(3), output="mask", format=name).data)):
        assert np.mean((pixels[..., 0] > 127) == (truth(number) > 0)) > 0.98


def test_profile_is_converted_in_every_frame() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert removed(disc(2, "WEBP", icc_profile=profile)).frames == 2
    wide = ImageCms.ImageCmsProfile(io.BytesIO(_swapped_profile())).tobytes()
    plain, turned = (shown(removed(disc(3, "WEBP", icc_profile=p)).data) for p in (b"", wide))
    for (one, _), (other, _) in zip(plain, turned, strict=True):
        seen = (one[..., 3] == 255) & (other[..., 3] == 255)
        assert np.abs(one[seen][:, :3].astype(int) - other[seen][:, :3]).max() > 20


def _swapped_profile() -> bytes:
    """An sRGB profile whose red and blue primaries have changed places."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    tags = {bytes(data[at : at + 4]): at for at in range(132, 132 + 12 * int.from_bytes(data[128:132], "big"), 12)}
    red, blue = (slice(tags[name] + 4, tags[name] + 8) for name in (b"rXYZ", b"bXYZ"))
    data[red], data[blue] = data[blue], data[red]
    at = bytes(data).find("sRGB".encode("utf-16-be"))
    while at >= 0:
        data[at : at + 8] = "swap".encode("utf-16-be")
        at = bytes(data).find("sRGB".encode("utf-16-be"))
    return bytes(data)


def test_orientation_of_the_file_is_undone() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    result = removed(disc(2, "WEBP", exif=exif))
    assert (result.width, result.height, result.original_width) == (HEIGHT, WIDTH, HEIGHT)


def test_see_through_frames_stay_see_through() -> None:
    frames = [frame.convert("RGBA") for frame in disc_frames(3)]
    for frame in frames:
        frame.putalpha(128)
    for pixels, _ in shown(removed(animation(frames, "PNG")).data):
        assert pixels[..., 3].max() == 128


def test_damaged_frame_is_named() -> None:
    data = bytearray(disc(5, "PNG"))
    found = find_animation(bytes(data), "png", 300)
    assert found
    data[found.frames[3].parts[0].start + 30] ^= 0xFF
    with pytest.raises(CorruptImage, match="frame 4 of 5: its checksum is wrong"):
        removed(bytes(data))


def test_subject_is_required_in_one_frame_at_least() -> None:
    blank = [Image.new("RGB", (96, 64), (40, 60, number)) for number in range(3)]
    strict = Rules(require_subject=True)
    assert not removed(animation(blank, "PNG")).foreground.width
    with pytest.raises(NoSubject):
        removed(animation(blank, "PNG"), rules=strict)
    assert removed(animation([*blank, disc_frames(1)[0]], "PNG"), rules=strict).frames == 4


def test_extras_are_those_of_the_first_frame_and_work_is_counted() -> None:
    done: list[tuple[int, int]] = []
    extras = Extras(on_frame=lambda number, total: done.append((number, total)))
    result = removed(disc(3), extras=extras)
    with Image.open(io.BytesIO(extras.mask)) as mask, Image.open(io.BytesIO(extras.preview)) as preview:
        assert np.array_equal(np.asarray(mask), shown(result.data)[0][0][..., 3])
        assert preview.size == (WIDTH, HEIGHT)
    assert done == [(number, 6) for number in range(1, 7)]


def test_caller_who_leaves_ends_the_work_at_the_next_frame() -> None:
    done: list[int] = []
    extras = Extras(on_frame=lambda number, _total: done.append(number))
    watch = Stopwatch(Deadline(gone=lambda: len(done) >= 7))
    with pytest.raises(ClientGone):
        removed(disc(5), extras=extras, watch=watch)
    assert len(done) == 7


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.slow
def test_memory_does_not_grow_with_the_frames() -> None:
    def clip(count: int) -> bytes:
        # Frames of half a megapixel, of which little changes.
        frames = [frame.resize((960, 640)) for frame in disc_frames(4, step=2)]
        return animation([frames[number % 4] for number in range(count)], "PNG")

    few, many = clip(6), clip(24)
    base = peak(lambda: removed(few))
    more = peak(lambda: removed(many)) - (len(many) - len(few))
    # A frame kept would be 2 MB as decoded, and 18 of them were added.
    assert more - base < 3_000_000
