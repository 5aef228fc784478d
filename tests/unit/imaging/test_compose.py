"""Crop, scale, position, region, shadow and background, alone and in every pair, on a photograph and the real model."""

import functools
import io
import itertools
import zipfile
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services import errors
from services.capacity.admission import Admission
from services.capacity.deadline import Deadline
from services.containers.errors import CorruptImage
from services.imaging.compose import compose
from services.imaging.decode import ImageLimits
from services.imaging.errors import ImageTooSmall, UnsupportedFormat
from services.imaging.geometry import Box
from services.imaging.layout import largest_canvas
from services.imaging.options import Options
from services.imaging.pipeline import Result
from services.imaging.prompt import Prompt
from services.imaging.rasters import Mask, Photo
from services.inference.segmenter import RembgSegmenter
from services.removal import Remover
from tests.support.images import encoded, pixels

Load = Callable[[str], Image.Image]
Remove = Callable[..., Result]
Array = NDArray[np.uint8]
WIDTH, HEIGHT = 420, 300


class Remembering:
    """The real model; a picture that it has seen is answered from memory. A model source as well."""

    def __init__(self, segmenter: RembgSegmenter) -> None:
        self.segmenter, self.name, self.takes_prompt = segmenter, segmenter.name, segmenter.takes_prompt
        self.engine, self.precision, self.identity = segmenter.engine, segmenter.precision, segmenter.identity
        self.seen: dict[bytes, Mask] = {}

    def get(self, name: str | None, deadline: Deadline) -> "Remembering":
        return self

    def input_size(self, width: int, height: int) -> tuple[int, int]:
        return self.segmenter.input_size(width, height)

    def mask(self, image: Image.Image, deadline: Deadline, prompt: Prompt | None = None) -> Mask:
        key = image.tobytes()
        if key not in self.seen:
            self.seen[key] = self.segmenter.mask(image, deadline, prompt)
        return self.seen[key]


@pytest.fixture(scope="module")
def remove(segmenter: RembgSegmenter) -> Remove:
    """The pipeline as a function of a file's bytes, a background's bytes, and raw options."""
    models = Remembering(segmenter)

    def run(data: bytes, behind: bytes | None = None, **raw: Any) -> Result:
        return Remover(models, ImageLimits(), Admission(1, 0)).remove(data, Options.parse(raw), background=behind)

    return run


@pytest.fixture(scope="module")
def cup(photo: Load) -> Array:
    """A cup with room around it: 420×300 px."""
    return np.pad(np.asarray(photo("coffee").resize((300, 200))), ((50, 50), (60, 60), (0, 0)), mode="edge")


def file(array: Array) -> bytes:
    return encoded(Image.fromarray(array), "PNG")


def box_of(alpha: Array) -> Box:
    """The box of alpha above 10, found in another way than the service's."""
    rows, columns = np.flatnonzero((alpha > 10).any(axis=1)), np.flatnonzero((alpha > 10).any(axis=0))
    return Box(int(columns[0]), int(rows[0]), int(np.ptp(columns)) + 1, int(np.ptp(rows)) + 1)


BEHIND: Final = np.kron(np.array([[0, 255], [255, 0]], dtype=np.uint8), np.ones((40, 60), dtype=np.uint8))
CASES: Final[dict[str, dict[str, Any]]] = {
    "crop": {"crop": True},
    "margin": {"crop": "yes", "crop_margin": "10% 40px"},
    "scale": {"scale": "50%"},
    "position": {"position": "0% 100%"},
    "roi": {"roi": "20% 0 80% 100%"},
    "drop": {"shadow": "drop"},
    "contact": {"shadow": "contact", "shadow_opacity": 80},
    "colour": {"background": "3366cc"},
    "half": {"background": "3366cc80"},
    "picture": {"behind": encoded(Image.fromarray(BEHIND).convert("RGB"), "PNG")},
    "gradient": {"background_gradient": "90 #ff0000 #0000ff"},
    "blur": {"background_blur": 40},
    "canvas": {"canvas": "500x400"},
    "square": {"canvas": "1:1"},
    "small": {"max_width": 150},
    "mask": {"output": "mask"},
    "hard": {"threshold": 128},
    "jpeg": {"format": "jpeg", "quality": 95},
    "webp": {"format": "webp", "quality": 95},
    "avif": {"format": "avif", "quality": 95},
    "zip": {"format": "zip", "quality": 95},
}
SAME: Final = (
    *("crop margin", "drop contact", "colour half", "jpeg webp avif zip"),
    *("colour half picture gradient blur", "canvas square"),
)


def excluded(pair: tuple[str, str]) -> bool:
    """Two values of one option, or two backgrounds."""
    return any(set(pair) <= set(group.split()) for group in SAME)


PAIRS: Final = [pair for pair in itertools.combinations(CASES, 2) if not excluded(pair)]


def opened(result: Result) -> tuple[Array, Array | None]:
    """The result's colours, and its alpha if it has one."""
    if result.format.value == "zip":
        with zipfile.ZipFile(io.BytesIO(result.data)) as archive:
            return pixels(archive.read("color.jpg")), pixels(archive.read("alpha.png"))
    found = pixels(result.data)
    return (found[..., :3], found[..., 3]) if found.ndim == 3 and found.shape[2] == 4 else (found, None)


def expected_size(asked: dict[str, Any], subject: Box, found: Result) -> tuple[int, int]:
    width, height = WIDTH, HEIGHT
    if "crop" in asked:
        width, height = subject.width, subject.height
        if "crop_margin" in asked:
            width, height = width + 80, height + 2 * round(height / 10)
        # Larger by what the shadow needs, which other tests look at.
        if "shadow" in asked and not {"output", "canvas"} & set(asked):
            assert found.width * (asked.get("max_width", width) / width) >= min(width, found.width) - 1
            return found.width, found.height
    if asked.get("canvas") == "500x400":
        width, height = 500, 400
    elif "canvas" in asked:
        width = height = max(width, height)
    shrink = min(1.0, asked.get("max_width", width) / width)
    return round(width * shrink), round(height * shrink)


@pytest.fixture(scope="module")
def cup_matte(remove: Remove, cup: Array) -> Callable[..., Array]:
    """The cup's matte as a function of the options that change it."""
    return functools.cache(lambda **asked: pixels(remove(file(cup), output="mask", **asked).data))


@pytest.mark.slow
@pytest.mark.parametrize("pair", PAIRS, ids="+".join)
def test_every_pair_of_options_gives_the_size_mode_and_pixels_it_must(
    remove: Remove, cup: Array, cup_matte: Callable[..., Array], pair: tuple[str, str]
) -> None:
    asked: dict[str, Any] = {**CASES[pair[0]], **CASES[pair[1]]}
    matte = cup_matte(**{name: asked[name] for name in ("roi", "threshold") if name in asked})
    subject = box_of(matte)
    result = remove(file(cup), **asked)
    colours, alpha = opened(result)

    # size
    assert (result.width, result.height) == (colours.shape[1], colours.shape[0])
    assert (result.width, result.height) == expected_size(asked, subject, result)
    # mode
    mask = "mask" in pair
    opaque = mask or "jpeg" in pair or bool({"colour", "picture", "gradient", "blur"} & set(pair))
    if "zip" in pair:
        assert alpha is not None
        assert (alpha == 255).all() == opaque
    elif mask:
        # WebP knows no grey and AVIF is read back as RGB
        assert colours.ndim == 2 or np.abs(np.ptp(colours.astype(int), axis=2)).max() <= 8
    else:
        assert (alpha is None) == opaque
    # where the subject is
    box = result.foreground
    if not opaque and not {"drop", "contact", "half"} & set(pair):
        assert alpha is not None
        off = np.subtract(box, box_of(alpha))
        assert np.abs(off).max() <= (5 if "avif" in pair else 0)  # AVIF's alpha is lossy
    assert box.within(Box(0, 0, result.width, result.height)) == box
    if mask or {"scale", "small", "canvas"} & set(pair) or {"jpeg", "webp", "avif", "zip"} & set(pair):
        return
    # the subject's own pixels, bit for bit, wherever they went
    assert box[2:] == subject[2:]
    solid = matte[subject.slices] == 255
    assert np.array_equal(colours[box.slices][solid], cup[subject.slices][solid])
    # what is nothing shows what is behind
    if not {"position", "square"} & set(pair) and "crop" not in asked and not {"drop", "contact"} & set(pair):
        nothing = matte == 0
        if "gradient" in pair:
            # From red on the left to blue on the right.
            shown = np.broadcast_to(np.linspace(254.5, 0.5, WIDTH), matte.shape)[nothing]
            assert np.abs(colours[nothing][:, 0] - shown).max() <= 1.5
        elif "blur" in pair:
            # Plain away from the cup, where the photo has the wood's grain.
            assert np.abs(np.diff(colours[:40].astype(int), axis=1)).max() <= 8
        elif "colour" in pair:
            assert (colours[nothing] == (0x33, 0x66, 0xCC)).all()
        elif "half" in pair:
            assert alpha is not None
            assert (alpha[nothing] == 0x80).all()
        elif alpha is not None:
            assert (alpha == matte).all()
            assert (colours[nothing] == 0).all()


def test_a_crop_is_the_subjects_box_and_nothing_else(remove: Remove, cup: Array) -> None:
    whole, cropped = remove(file(cup)), remove(file(cup), crop="true")
    box = box_of(pixels(whole.data)[..., 3])
    assert np.array_equal(pixels(cropped.data), pixels(whole.data)[box.slices])
    assert cropped.foreground == Box(0, 0, box.width, box.height)


@pytest.mark.slow
def test_a_margin_may_reach_beyond_the_photo_and_is_transparent_there(remove: Remove, photo: Load) -> None:
    image = np.asarray(photo("astronaut"))
    whole = pixels(remove(file(image)).data)
    box = box_of(whole[..., 3])
    assert box.bottom == 512
    result = remove(file(image), crop="1", crop_margin="10px 20px 30px 40px")
    found = pixels(result.data)
    assert (result.width, result.height) == (box.width + 60, box.height + 40)
    assert result.foreground == Box(40, 10, box.width, box.height)
    assert found[-30:].max() == 0
    assert np.array_equal(found[result.foreground.slices], whole[box.slices])


def test_a_resized_zip_still_shows_the_photo_where_nothing_is_left(remove: Remove, cup: Array) -> None:
    colours, alpha = opened(remove(file(cup), format="zip", max_width=210, quality=95))
    assert alpha is not None
    small = np.asarray(Image.fromarray(cup).resize((210, 150), Image.Resampling.BOX)).astype(int)
    assert np.abs(colours - small)[alpha == 0].mean() < 8


def test_crop_wins_over_scale_and_position(remove: Remove, cup: Array) -> None:
    alone = remove(file(cup), crop="1").data
    assert remove(file(cup), crop="1", scale="20%", position="0 0").data == alone
    assert remove(file(cup), crop="0", crop_margin="20px").data == remove(file(cup)).data


@pytest.mark.parametrize(("canvas", "size"), [("640x640", (640, 640)), ("2:1", (600, 300))])
@pytest.mark.parametrize("share", [35, 90])
def test_subject_fills_its_share_of_a_canvas(
    remove: Remove, cup: Array, canvas: str, size: tuple[int, int], share: int
) -> None:
    result = remove(file(cup), canvas=canvas, scale=f"{share}%")
    box = result.foreground
    assert (result.width, result.height) == size
    assert max(box.width / result.width, box.height / result.height) == pytest.approx(share / 100, abs=0.012)
    assert abs(2 * box.left + box.width - result.width) <= 3
    kept = remove(file(cup), canvas=canvas, scale=f"{share}%", enlarge="never").foreground
    own = remove(file(cup)).foreground
    assert kept[2:] == (own[2:] if box.width > own.width else box[2:])


def test_ratio_keeps_the_photos_pixels(remove: Remove, cup: Array) -> None:
    tall = pixels(remove(file(cup), canvas="1:1").data)
    assert np.array_equal(tall[60:360], pixels(remove(file(cup)).data))
    assert tall[:60].max() == tall[360:].max() == 0


@pytest.mark.parametrize("share", [10, 35, 80, 100])
def test_a_scaled_subject_fits_in_its_share_of_the_canvas_and_is_centred(
    remove: Remove, cup: Array, share: int
) -> None:
    result = remove(file(cup), scale=f"{share}%")
    box = result.foreground
    assert (result.width, result.height) == (WIDTH, HEIGHT)
    assert max(box.width / WIDTH, box.height / HEIGHT) == pytest.approx(share / 100, abs=0.012)
    assert abs(2 * box.left + box.width - WIDTH) <= 3
    assert abs(2 * box.top + box.height - HEIGHT) <= 3
    kept = remove(file(cup), scale=f"{share}%", position="original").foreground
    before = remove(file(cup)).foreground
    if share < 80:
        assert kept.left / (WIDTH - kept.width) == pytest.approx(before.left / (WIDTH - before.width), abs=0.02)


@pytest.mark.parametrize(
    ("position", "x", "y"),
    [("center", 0.5, 0.5), ("0", 0, 0), ("100%", 1, 1), ("0% 100%", 0, 1), ("25% 75%", 0.25, 0.75)],
)
def test_a_position_shares_out_the_free_room_and_moves_without_changing_a_pixel(
    remove: Remove, cup: Array, position: str, x: float, y: float
) -> None:
    whole, moved = remove(file(cup)), remove(file(cup), position=position)
    box, before = moved.foreground, whole.foreground
    assert box == Box(round(x * (WIDTH - before.width)), round(y * (HEIGHT - before.height)), *before[2:])
    assert np.array_equal(pixels(moved.data)[box.slices], pixels(whole.data)[before.slices])


@pytest.mark.slow
def test_enlarging_leaves_no_fringe_of_the_removed_background(remove: Remove) -> None:
    """A red disc on green, with the file's own alpha: enlarged, no edge pixel is greener than the disc."""
    y, x = np.mgrid[:300, :300]
    alpha = np.where((x - 150) ** 2 + (y - 150) ** 2 < 60**2, 255, 0).astype(np.uint8)
    colours = np.where(alpha[..., None] > 0, (220, 30, 30), (0, 255, 0)).astype(np.uint8)
    result = pixels(remove(file(np.dstack([colours, alpha])), scale="100%").data)
    edge = (result[..., 3] > 0) & (result[..., 3] < 255)
    assert edge.sum() > 200
    assert result[..., 1][edge].max() <= 31
    assert result[..., 0][edge].min() >= 218


@pytest.mark.slow
def test_outside_the_region_is_background_and_inside_the_model_sees_more(remove: Remove, photo: Load) -> None:
    image = np.asarray(photo("astronaut"))
    result = pixels(remove(file(image), roi="150px 0 60% 200px").data)
    assert result.shape == (512, 512, 4)
    inside = np.zeros((512, 512), dtype=bool)
    inside[0:200, 150:308] = True
    assert result[..., 3][~inside].max() == 0
    part = pixels(remove(file(image[0:200, 150:308])).data)
    inner = result[0:200, 150:308]
    opaque = part[..., 3] == 255
    assert np.array_equal(inner[..., 3], part[..., 3])
    assert np.array_equal(inner[opaque], part[opaque])
    assert remove(file(image), roi="0 0 100% 100%").data == remove(file(image)).data


def test_a_region_in_px_refers_to_the_upright_photo(remove: Remove, photo: Load) -> None:
    image = photo("astronaut").resize((200, 300))
    exif = Image.Exif()
    exif[0x0112] = 6
    turned = encoded(image.transpose(Image.Transpose.ROTATE_90), "PNG", exif=exif)
    upright = encoded(image, "PNG")
    assert remove(turned, roi="0 100px 200px 300px").data == remove(upright, roi="0 100px 200px 300px").data


@pytest.mark.parametrize(
    ("roi", "why"),
    [("0 0 421px 10px", "exceeds"), ("0 0 50% 301px", "exceeds"), ("0 0 0 100%", "empty"), ("9px 0 5px 100%", "empty")],
)
def test_an_impossible_region_is_refused_with_the_reason(remove: Remove, cup: Array, roi: str, why: str) -> None:
    with pytest.raises(errors.BadOption, match=f"roi is .*{why}") as caught:
        remove(file(cup), roi=roi)
    assert "inside the image" in caught.value.details


def test_picture_without_a_subject_stays_in_place_without_an_error(remove: Remove) -> None:
    empty = np.dstack([np.full((40, 60, 3), 200, dtype=np.uint8), np.zeros((40, 60), dtype=np.uint8)])
    for asked in (
        {"crop": "1", "crop_margin": "10%"}, {"scale": "50%"}, {"position": "0"}, {"shadow": "drop"},
        {"shadow": "contact", "crop": "1"},
    ):  # fmt: skip
        result = remove(file(empty), **asked)
        assert result.foreground == Box(0, 0, 0, 0)
        assert pixels(result.data).shape == (40, 60, 4)
        assert pixels(result.data).max() == 0


def test_a_background_image_covers_the_canvas_from_its_middle(remove: Remove, cup: Array) -> None:
    ramp = np.repeat(np.arange(200, dtype=np.uint8)[None, :, None], 50, axis=0).repeat(3, axis=2)  # 200×50
    result = pixels(remove(file(cup), file(ramp)).data)
    nothing = pixels(remove(file(cup), output="mask").data) == 0
    assert result.shape == (HEIGHT, WIDTH, 3)
    # 50 px become 300: six times; of 1200 px the middle 420 are seen, 390 from the left.
    expected = np.clip((np.arange(WIDTH) + 390 + 0.5) / 6 - 0.5, 65, 134)
    assert np.abs(result[..., 0] - expected[None])[nothing].max() <= 1.01


def test_a_background_image_of_the_same_size_is_taken_bit_for_bit(remove: Remove, cup: Array) -> None:
    other = np.ascontiguousarray(cup[::-1, ::-1])
    result = pixels(remove(file(cup), file(other)).data)
    matte = pixels(remove(file(cup), output="mask").data)
    assert np.array_equal(result[matte == 0], other[matte == 0])
    assert np.array_equal(result[matte == 255], cup[matte == 255])


def test_a_background_images_own_transparency_is_kept_and_jpeg_fills_it(remove: Remove, cup: Array) -> None:
    behind = file(np.full((30, 42, 4), (10, 200, 30, 128), dtype=np.uint8))
    result = pixels(remove(file(cup), behind).data)
    nothing = pixels(remove(file(cup), output="mask").data) == 0
    assert set(np.unique(result[..., 3][nothing])) == {128}
    assert np.abs(result[nothing][:, :3].astype(int) - (10, 200, 30)).max() <= 1
    filled = pixels(remove(file(cup), behind, format="jpeg", quality=100).data)
    assert np.abs(filled[5, 5].astype(int) - (132, 227, 142)).max() <= 3


def test_a_background_image_is_turned_upright(remove: Remove, cup: Array) -> None:
    halves = np.zeros((40, 40, 3), dtype=np.uint8)
    # Its right half is white; turned by 90° clockwise, its lower half.
    halves[:, 20:] = 255
    exif = Image.Exif()
    exif[0x0112] = 6
    result = pixels(remove(file(cup), encoded(Image.fromarray(halves), "PNG", exif=exif)).data)
    assert result[2, 2].max() <= 2
    assert result[-3, 2].min() >= 253


def test_a_background_image_is_checked_like_the_photo(remove: Remove, cup: Array) -> None:
    with pytest.raises(UnsupportedFormat):
        remove(file(cup), b"%PDF-1.7")
    with pytest.raises(CorruptImage):
        remove(file(cup), file(cup)[:500])
    with pytest.raises(ImageTooSmall):
        remove(file(cup), file(cup[:8]))
    with pytest.raises(errors.EmptyImage):
        remove(file(cup), b"")


def test_background_colour_and_image_together_are_refused(remove: Remove, cup: Array) -> None:
    with pytest.raises(errors.BadOption, match="background and background_image"):
        remove(file(cup), file(cup), background="red")


@pytest.mark.slow
def test_the_background_images_pixels_count_for_admission(segmenter: RembgSegmenter, cup: Array) -> None:
    asked: list[float] = []

    class Noting(Admission):
        def slot(self, megapixels: float, watch: Any) -> Any:
            asked.append(megapixels)
            return super().slot(megapixels, watch)

    def run(behind: bytes | None, **raw: object) -> None:
        remover = Remover(Remembering(segmenter), ImageLimits(), Noting(1, 0))
        remover.remove(file(cup), Options.parse(raw), background=behind)

    run(None)
    run(file(cup))
    run(None, crop=True, crop_margin="50%")
    own = WIDTH * HEIGHT / 1e6
    assert asked == pytest.approx([own, 2 * own, 4 * own])


def shade(remove: Remove, cup: Array, **raw: Any) -> Array:
    """How dark the canvas is beside the subject: the alpha where the matte is 0."""
    alpha = pixels(remove(file(cup), **raw).data)[..., 3]
    return np.where(pixels(remove(file(cup), output="mask").data) == 0, alpha, 0).astype(np.uint8)


def test_a_drop_shadow_is_the_subjects_shape_lower_and_softer(remove: Remove, cup: Array) -> None:
    dark = shade(remove, cup, shadow="drop")
    box = remove(file(cup)).foreground
    below, above = dark[box.bottom : box.bottom + 8].max(), dark[box.top - 8 : box.top].max()
    assert 40 < below <= 128
    assert above < below / 2
    assert dark[: box.top - 30].max() == 0
    assert pixels(remove(file(cup), shadow="drop").data)[..., :3][dark > 0].max() == 0  # it is black


def test_a_contact_shadow_lies_at_the_feet_only(remove: Remove, cup: Array) -> None:
    dark = shade(remove, cup, shadow="contact")
    box = remove(file(cup)).foreground
    assert dark[box.bottom - 8 : box.bottom + 8].max() > 60
    assert dark[: box.top + box.height // 2].max() == 0


def test_opacity_scales_a_shadow_from_none_to_black(remove: Remove, cup: Array) -> None:
    darkest = [int(shade(remove, cup, shadow="drop", shadow_opacity=o).max()) for o in (25, 50, 100)]
    assert darkest[1] == pytest.approx(2 * darkest[0], abs=2)
    assert darkest[2] == pytest.approx(4 * darkest[0], abs=4)
    assert remove(file(cup), shadow="drop", shadow_opacity=0).data == remove(file(cup)).data


@pytest.mark.long
@pytest.mark.slow
def test_a_shadow_looks_the_same_at_every_size(remove: Remove, photo: Load) -> None:
    """The same cut-out (by its own alpha) at 1, 2 and 4 times the size, its shadow shrunk to the same."""
    found = []
    for times in (1, 2, 4):
        y, x = np.mgrid[: 300 * times, : 300 * times]
        alpha = np.where((x - 150 * times) ** 2 + (y - 150 * times) ** 2 < (70 * times) ** 2, 255, 0)
        colours = np.asarray(photo("coffee").resize((300 * times, 300 * times)))
        result = remove(file(np.dstack([colours, alpha.astype(np.uint8)])), shadow="drop", output="cutout")
        layer = Image.fromarray(pixels(result.data)[..., 3]).resize((300, 300), Image.Resampling.BOX)
        found.append(np.asarray(layer).astype(int)[221:260])
    assert found[0].max() > 40
    assert np.abs(found[0] - found[1]).max() <= 6
    assert np.abs(found[0] - found[2]).max() <= 6


@pytest.mark.parametrize("kind", ["drop", "contact"])
@pytest.mark.slow
def test_a_crop_grows_so_that_the_shadow_is_not_cut(remove: Remove, cup: Array, kind: str) -> None:
    bare, result = remove(file(cup), crop="1"), remove(file(cup), crop="1", shadow=kind)
    alpha = pixels(result.data)[..., 3].copy()
    assert result.height > bare.height
    assert result.foreground[2:] == bare.foreground[2:]  # the shadow is not the subject
    alpha[result.foreground.slices] = 0
    edges = (alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1])
    assert max(int(edge.max()) for edge in edges) <= 16
    assert np.array_equal(
        pixels(remove(file(cup), crop="1", output="mask", shadow=kind).data),
        pixels(remove(file(cup), crop="1", output="mask").data),
    )


def test_a_resized_mask_is_the_resized_cutouts_alpha(remove: Remove, cup: Array) -> None:
    for asked in ({"scale": "80%"}, {"max_width": 97}, {"crop": "1", "max_height": 50}):
        mask = pixels(remove(file(cup), output="mask", **asked).data)
        assert np.array_equal(mask, pixels(remove(file(cup), **asked).data)[..., 3])


@pytest.mark.slow
def test_a_long_thin_picture_and_a_tiny_subject_are_fine(remove: Remove) -> None:
    thin = np.zeros((16, 40_000, 4), dtype=np.uint8)
    thin[:, 100:39_000] = 255
    shadowed = pixels(remove(file(np.pad(thin, ((8, 8), (0, 0), (0, 0)))), shadow="drop").data)[..., 3]
    assert shadowed.shape == (32, 40_000)
    assert shadowed[25, 20_000] > 20 < shadowed[25, 38_900]
    pole = np.ascontiguousarray(thin.swapaxes(0, 1))
    for kind in ("drop", "contact"):
        options = Options.parse({"crop": "1", "shadow": kind})
        canvas = compose(Photo(pole[..., :3], None), pole[..., 3], options)
        assert canvas.foreground[2:] == (16, 38_900)
        assert canvas.width < 80
        assert canvas.height < 39_100
        assert largest_canvas(16, 40_000, options) < 16 * 40_000 * 4
    dot = np.full((64, 64, 4), 255, dtype=np.uint8)
    dot[..., 3] = 0
    dot[30:32, 30:32, 3] = 255
    for asked in ({"scale": "100%"}, {"crop": "1", "shadow": "contact"}, {"shadow": "drop", "max_width": 3}):
        assert remove(file(dot), **asked).data
