"""Frames drawn as whole pictures, as browsers show them."""

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.containers.animation import Animation, find_animation
from services.containers.errors import CorruptImage
from services.imaging.animation.frames import draw_frames
from services.imaging.rasters import Photo
from tests.support.pictures.animations import animation, apng_of_parts, disc, disc_frames, gif, shown

FORMS = {"GIF": "gif", "PNG": "png", "WEBP": "webp"}
Rgba = NDArray[np.uint8]


def found(data: bytes, kind: str) -> Animation:
    animation = find_animation(data, kind, 300)
    assert animation
    return animation


def rgba(photo: Photo) -> Rgba:
    alpha = np.full((photo.height, photo.width), 255, np.uint8) if photo.alpha is None else photo.alpha
    return np.dstack([photo.pixels, alpha])


def drawn(data: bytes, kind: str, orientation: int = 1) -> list[Rgba]:
    return [rgba(photo) for photo in draw_frames(found(data, kind), orientation)]


def same(one: Rgba, other: Rgba) -> bool:
    """Whether two pictures look the same; colours of what nobody sees do not count, rounding by one does not either."""
    alpha = np.abs(one[..., 3].astype(int) - other[..., 3]) <= 1
    colours = np.abs(one[..., :3].astype(int) - other[..., :3]).max(axis=2) <= 2
    return bool((alpha & (colours | (other[..., 3] == 0))).all())


@pytest.mark.parametrize("form", FORMS)
def test_frames_are_those_that_were_encoded(form: str) -> None:
    frames = drawn(disc(4, form), FORMS[form])
    assert len(frames) == 4
    for number, picture in enumerate(disc_frames(4)):
        assert same(frames[number], np.asarray(picture.convert("RGBA")))


@pytest.mark.parametrize("form", ["PNG", "WEBP"])
def test_see_through_frames_are_those_that_pillow_shows(form: str) -> None:
    pictures = [picture.convert("RGBA") for picture in disc_frames(4)]
    for number, picture in enumerate(pictures):
        picture.putalpha(Image.linear_gradient("L").resize(picture.size).rotate(90 * number))
    data = animation(pictures, form)
    for frame, (expected, _) in zip(drawn(data, FORMS[form]), shown(data), strict=True):
        assert same(frame, expected)


def red(size: tuple[int, int], hole: tuple[int, int, int, int] | None = None) -> Image.Image:
    """A palette picture: 0 is transparent, 1 red; `hole` is a transparent box."""
    image = Image.new("P", size, 1)
    image.putpalette([9, 9, 9, 255, 0, 0, 0, 0, 255])
    if hole:
        image.paste(0, hole)
    return image


def opaque(frame: Rgba) -> list[str]:
    """The picture as text: where it is opaque, and in which colour."""
    names = {b"\xff\0\0": "r", b"\0\0\xff": "b"}
    return ["".join(names.get(bytes(px[:3]), "?") if px[3] else "." for px in row) for row in frame]


def blue(size: tuple[int, int]) -> Image.Image:
    image = red(size)
    image.paste(2, (0, 0, *size))
    return image


@pytest.mark.parametrize(
    ("disposal", "last"),
    [(0, ["rrrr", "rbbr", "rr.b"]), (1, ["rrrr", "rbbr", "rr.b"]), (2, ["rrrr", "r..r", "rr.b"]),
     (3, ["rrrr", "rrrr", "rr.b"])],
)  # fmt: skip
def test_gif_frame_is_disposed_of_as_it_says(disposal: int, last: list[str]) -> None:
    first = red((4, 3), (2, 2, 3, 3))
    data = gif([(first, (0, 0), 1), (blue((2, 1)), (1, 1), disposal), (blue((1, 1)), (3, 2), 1)], (4, 3))
    frames = drawn(data, "gif")
    assert opaque(frames[0]) == ["rrrr", "rrrr", "rr.r"]
    assert opaque(frames[1]) == ["rrrr", "rbbr", "rr.r"]
    assert opaque(frames[2]) == last


def test_transparent_pixels_of_a_gif_show_the_frame_before() -> None:
    data = gif([(red((4, 2)), (0, 0), 1), (blue((4, 2)), (0, 0), 1)], (4, 2))
    assert opaque(drawn(data, "gif")[1]) == ["bbbb", "bbbb"]
    hole = blue((4, 2))
    hole.paste(0, (1, 0, 3, 1))
    data = gif([(red((4, 2)), (0, 0), 1), (hole, (0, 0), 1)], (4, 2))
    assert opaque(drawn(data, "gif")[1]) == ["brrb", "bbbb"]


def test_canvas_outside_of_the_first_frame_is_transparent() -> None:
    data = gif([(red((2, 1)), (1, 1), 1), (blue((1, 1)), (0, 0), 1)], (4, 3))
    assert [opaque(frame) for frame in drawn(data, "gif")] == [["....", ".rr.", "...."], ["b...", ".rr.", "...."]]


@pytest.mark.parametrize("disposal", [0, 1])
@pytest.mark.parametrize("blending", [0, 1])
def test_apng_frames_are_those_that_pillow_shows(disposal: int, blending: int) -> None:
    # Opaque or not at all: of see-through pixels Pillow blends the alpha too.
    first, half = Image.new("RGBA", (8, 6), (255, 0, 0, 255)), Image.new("RGBA", (4, 4), (0, 0, 255, 255))
    half.putpixel((1, 1), (0, 0, 0, 0))
    dot = Image.new("RGBA", (1, 1), (0, 255, 0, 255))
    data = apng_of_parts([(first, (0, 0), 0, 0), (half, (3, 1), disposal, blending), (dot, (0, 5), 0, 0)], (8, 6))
    for frame, (expected, _) in zip(drawn(data, "png"), shown(data), strict=True):
        assert same(frame, expected)


def test_orientation_is_undone_after_drawing() -> None:
    upright, turned = drawn(disc(2), "gif"), drawn(disc(2), "gif", 6)
    assert turned[1].shape[:2] == (96, 64)
    assert np.array_equal(np.rot90(upright[1], -1), turned[1])


@pytest.mark.parametrize("form", FORMS)
def test_damaged_frame_is_named_by_its_number(form: str) -> None:
    data = bytearray(disc(5, form))
    place = found(bytes(data), FORMS[form]).frames[2].parts[-1]
    data[place.start + 9 : place.stop - 2] = b"\x55" * (place.stop - place.start - 11)
    good: list[Photo] = []
    with pytest.raises(CorruptImage, match="frame 3 of 5: "):
        good.extend(draw_frames(found(bytes(data), FORMS[form]), 1))


def test_frame_of_another_size_than_announced_is_refused() -> None:
    data = bytearray(disc(2, "WEBP"))
    place = found(bytes(data), "webp").frames[1].parts[0]
    # The width in a lossless picture's own header.
    data[place.start + 9] ^= 1
    with pytest.raises(CorruptImage, match="frame 2 of 2: "):
        list(draw_frames(found(bytes(data), "webp"), 1))


def test_each_picture_is_the_callers_own() -> None:
    frames = list(draw_frames(found(disc(2), "gif"), 1))
    before = frames[1].pixels.copy()
    frames[0].pixels[:] = 0
    assert np.array_equal(frames[1].pixels, before)


def test_apng_frame_that_is_taken_back_leaves_what_was_there() -> None:
    first, part = Image.new("RGBA", (8, 6), (255, 0, 0, 255)), Image.new("RGBA", (4, 4), (0, 0, 255, 255))
    # Pillow keeps the part's pixels here.
    data = apng_of_parts([(first, (0, 0), 0, 0), (part, (3, 1), 2, 1), (part, (0, 0), 0, 0)], (8, 6))
    assert opaque(drawn(data, "png")[2]) == ["bbbbrrrr"] * 4 + ["rrrrrrrr"] * 2


def test_see_through_part_is_blended_with_a_see_through_frame() -> None:
    first, half = Image.new("RGBA", (8, 6), (255, 0, 0, 200)), Image.new("RGBA", (4, 4), (0, 0, 255, 100))
    data = apng_of_parts([(first, (0, 0), 0, 0), (half, (3, 1), 0, 1)], (8, 6))
    # Porter and Duff's "over": alpha 100 + 200·(1 − 100/255), red's share of it 200·(1 − 100/255).
    assert drawn(data, "png")[1][2, 4].tolist() == [140, 0, 115, 222]


def test_interlaced_gif_is_drawn_in_order() -> None:
    image = Image.linear_gradient("L").resize((24, 20)).convert("P")
    data = gif([(image, (0, 0), 1)] * 2, (24, 20))
    frame = found(data, "gif").frames[0]
    assert data[frame.parts[1]][-1] & 0x40
    assert (np.diff(drawn(data, "gif")[1][:, 5, 0].astype(int)) >= 0).all()
