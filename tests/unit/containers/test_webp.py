"""The frames of an animated WebP, found without a decoder."""

import io
import struct

import pytest
from PIL import Image

from services.containers.errors import CorruptImage
from services.containers.frames import Disposal
from services.containers.webp import riff_chunk, riff_file, three_bytes, webp_file, webp_frames, webp_head
from tests.support.images import encoded
from tests.support.pictures.animations import disc, disc_frames


def test_canvas_and_plays_are_read() -> None:
    found = webp_head(disc(3, "WEBP", loop=4))
    assert found
    assert (found.width, found.height, found.plays) == (96, 64, 4)


def test_still_webp_has_no_head() -> None:
    assert webp_head(encoded(disc_frames(1)[0], "WEBP")) is None
    assert webp_head(encoded(disc_frames(1)[0].convert("RGBA"), "WEBP", exif=b"Exif\0\0MM")) is None


def test_times_are_read() -> None:
    data = disc(3, "WEBP", durations=[10, 0, 1234])
    assert [float(frame.duration) for frame in webp_frames(data)] == [0.01, 0, 1.234]


def test_places_disposal_and_blending_are_read() -> None:
    picture = encoded(Image.new("RGB", (4, 6)), "WEBP", lossless=True)[12:]
    control = three_bytes(1, 2, 3, 5, 70) + bytes([0x03])
    data = riff_file([riff_chunk(b"VP8X", b"\2\0\0\0" + three_bytes(19, 29)), riff_chunk(b"ANMF", control + picture)])
    (frame,) = webp_frames(data)
    assert (frame.left, frame.top, frame.width, frame.height) == (2, 4, 4, 6)
    assert (frame.disposal, frame.blends) == (Disposal.CLEAR, False)


@pytest.mark.parametrize("lossless", [True, False])
@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_file_of_a_frame_is_a_webp_of_its_size(lossless: bool, mode: str) -> None:
    pictures = [picture.convert(mode) for picture in disc_frames(3)]
    for picture in pictures if mode == "RGBA" else []:
        picture.putalpha(128)
    out = io.BytesIO()
    pictures[0].save(out, "WEBP", save_all=True, append_images=pictures[1:], lossless=lossless)
    data = out.getvalue()
    head = webp_head(data)
    assert head
    for frame in webp_frames(data):
        with Image.open(io.BytesIO(webp_file(data, head, frame))) as image:
            image.load()
            assert image.size == (frame.width, frame.height)
            assert (image.mode == "RGBA") >= (mode == "RGBA")


def test_profile_goes_into_the_file_of_each_frame() -> None:
    data = disc(2, "WEBP", icc_profile=b"profile")
    head = webp_head(data)
    assert head
    with Image.open(io.BytesIO(webp_file(data, head, list(webp_frames(data))[1]))) as image:
        assert image.info["icc_profile"] == b"profile"


def test_file_that_ends_early_is_cut_off() -> None:
    data = disc(3, "WEBP")
    places = [frame.parts[0] for frame in webp_frames(data)]
    for number, place in enumerate(places, 1):
        with pytest.raises(CorruptImage, match=f"cut off inside frame {number}"):
            list(webp_frames(data[: place.start + 10]))
    # Cut between two frames: the file's own size says so.
    with pytest.raises(CorruptImage, match="cut off inside frame 2"):
        list(webp_frames(data[: places[0].stop + (places[0].stop & 1)]))


def test_frame_without_data_is_refused() -> None:
    control = three_bytes(0, 0, 3, 5, 70) + b"\0"
    for inside in (b"", struct.pack("<4sI", b"VP8L", 99)):
        data = riff_file([riff_chunk(b"ANMF", control + inside)])
        with pytest.raises(CorruptImage, match="frame 1 has no data"):
            list(webp_frames(data))
