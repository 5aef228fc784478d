"""Every kind of input comes out as what a person sees: compared pixel by pixel."""

import io
import struct
import zlib
from collections.abc import Callable

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageCms, ImageOps

from services import errors
from services.containers.errors import CorruptImage
from services.imaging.decode import ImageLimits, decode, inspect
from services.imaging.errors import ImageTooSmall, TooManyPixels, UnsupportedFormat
from services.imaging.rasters import Photo
from tests.support.images import encoded
from tests.support.pictures import corpus

Load = Callable[[str], Image.Image]
LIMITS = ImageLimits()


def read(data: bytes) -> Photo:
    return decode(inspect(data, LIMITS))


def difference(photo: Photo, expected: Image.Image) -> float:
    """Mean absolute difference of the colours, in levels of 255."""
    wanted = np.asarray(expected.convert("RGB"), dtype=np.int16)
    assert photo.pixels.shape == wanted.shape
    return float(np.abs(photo.pixels - wanted).mean())


def heic(image: Image.Image, **options: object) -> bytes:
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=90, **options)
    return out.getvalue()


@pytest.mark.parametrize("form", ["PNG", "BMP", "TIFF", "WEBP"])
def test_lossless_files_come_out_bit_for_bit(photo: Load, form: str) -> None:
    image = photo("chelsea")
    options = {"lossless": True} if form == "WEBP" else {}
    found = read(encoded(image, form, **options))
    assert difference(found, image) == 0
    assert found.alpha is None


@pytest.mark.parametrize(("form", "tolerance"), [("JPEG", 2.5), ("AVIF", 2.5), ("WEBP", 2.5), ("GIF", 6.0)])
def test_lossy_files_come_out_as_their_decoder_gives_them(photo: Load, form: str, tolerance: float) -> None:
    image = photo("chelsea")
    data = encoded(image, form, **({} if form == "GIF" else {"quality": 90}))
    found = read(data)
    assert difference(found, image) < tolerance
    with Image.open(io.BytesIO(data)) as reopened:
        assert difference(found, reopened) == 0


@pytest.mark.parametrize(
    "options",
    [
        {"subsampling": "4:4:4"},
        {"subsampling": "4:2:2", "progressive": True},
        {"subsampling": "4:2:0", "optimize": True},
        {"keep_rgb": True},
        {"quality": 1},
        {"restart_marker_blocks": 7},
        {"icc_profile": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()},
    ],
    ids=lambda options: str(options)[:40],  # a profile holds its creation time
)
def test_jpegs_come_out_bit_for_bit_as_pillow_decodes_them(photo: Load, options: dict[str, object]) -> None:
    for image in (photo("chelsea"), photo("chelsea").crop((0, 0, 77, 41)), photo("chelsea").convert("L")):
        data = encoded(image, "JPEG", **options)
        with Image.open(io.BytesIO(data)) as theirs:
            assert difference(read(data), theirs) == 0


def test_heic_comes_out_as_it_was_written(photo: Load) -> None:
    image = photo("chelsea").crop((0, 0, 448, 300))
    assert difference(read(heic(image)), image) < 1.5


def test_a_turned_heic_is_upright_once_and_not_twice(photo: Load) -> None:
    image = photo("chelsea").crop((0, 0, 448, 300))
    exif = Image.Exif()
    exif[0x0112] = 6
    data = heic(image, exif=exif.tobytes())
    # The turn is in the container, and again in EXIF, as phones write it.
    assert b"irot" in data
    assert difference(read(data), image.transpose(Image.Transpose.ROTATE_270)) < 1.5


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(photo: Load, form: str, orientation: int) -> None:
    image = photo("chelsea")
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encoded(image, form, exif=exif, **({"quality": 95} if form in ("JPEG", "WEBP", "AVIF") else {}))
    turned = image.copy()
    turned.getexif()[0x0112] = orientation
    assert difference(read(data), ImageOps.exif_transpose(turned)) < 2.5


@pytest.mark.filterwarnings("ignore:Corrupt EXIF:UserWarning")
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_broken_exif_does_not_spoil_a_good_picture(photo: Load) -> None:
    image = photo("chelsea")
    data = encoded(image, "JPEG", quality=95, exif=b"Exif\0\0II*\0\xff\xff\xff\x7fgarbage")
    assert difference(read(data), image) < 2.5


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_sixteen_bit_grey_keeps_its_tones_instead_of_turning_white(photo: Load, form: str) -> None:
    grey = photo("chelsea").convert("L")
    wide = Image.fromarray(np.asarray(grey).astype(np.uint16) * 257)
    assert wide.mode == "I;16"
    assert difference(read(encoded(wide, form)), grey) == 0


def test_thirty_two_bit_and_float_grey_keep_their_tones(photo: Load) -> None:
    grey = photo("chelsea").convert("L")
    levels = np.asarray(grey)
    whole = Image.fromarray(levels.astype(np.int32) * 257)
    unit = Image.fromarray(levels.astype(np.float32) / 255)
    assert difference(read(encoded(whole, "TIFF")), grey) == 0
    assert difference(read(encoded(unit, "TIFF")), grey) == 0


def test_sixteen_bit_colour_png_keeps_its_tones(photo: Load) -> None:
    image = photo("chelsea")
    assert difference(read(png16(image)), image) == 0


def png16(image: Image.Image) -> bytes:
    """An RGB PNG of 16 bits a sample, which Pillow can't write."""
    rows = np.asarray(image).astype(">u2") * 257
    raw = b"".join(b"\0" + row.tobytes() for row in rows)
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", image.width, image.height, 16, 2, 0, 0, 0))]
    chunks += [(b"IDAT", zlib.compress(raw)), (b"IEND", b"")]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def test_palette_and_one_bit_pictures_come_out_in_their_colours(photo: Load) -> None:
    palette = photo("chelsea").quantize(64)
    assert difference(read(encoded(palette, "PNG")), palette) == 0
    ink = photo("chelsea").convert("1")
    assert difference(read(encoded(ink, "PNG")), ink) == 0
    assert difference(read(encoded(ink, "TIFF")), ink) == 0


def test_cmyk_without_a_profile_comes_out_as_pillow_converts_it(photo: Load) -> None:
    cmyk = photo("chelsea").convert("CMYK")
    assert difference(read(encoded(cmyk, "TIFF")), cmyk) == 0
    assert difference(read(encoded(cmyk, "JPEG", quality=95)), photo("chelsea")) < 4


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_transparency_is_kept_beside_the_colours(photo: Load, mode: str) -> None:
    image = photo("chelsea")
    ramp = Image.linear_gradient("L").resize(image.size)
    image.putalpha(ramp)
    picture = image.convert(mode) if mode != "PA" else image.quantize(64)
    found = read(encoded(picture, "PNG"))
    assert found.alpha is not None
    assert np.array_equal(found.alpha, np.asarray(picture.convert("RGBA").getchannel("A")))
    assert difference(found, picture.convert("RGBA").convert("RGB")) == 0


def test_a_transparent_palette_entry_and_a_transparent_colour_are_transparency(photo: Load) -> None:
    palette = photo("chelsea").quantize(16)
    found = read(encoded(palette, "PNG", transparency=3))
    assert np.array_equal(found.alpha == 0, np.asarray(palette) == 3)
    image = Image.new("RGB", (32, 32), (10, 20, 30))
    image.paste((200, 0, 0), (0, 0, 16, 32))
    found = read(encoded(image, "PNG", transparency=(10, 20, 30)))
    assert found.alpha is not None
    assert found.alpha[:, :16].min() == 255
    assert found.alpha[:, 16:].max() == 0


def test_an_alpha_channel_that_is_opaque_everywhere_counts_as_none(photo: Load) -> None:
    assert read(encoded(photo("chelsea").convert("RGBA"), "PNG")).alpha is None


def test_transparent_webp_and_gif_keep_their_transparency() -> None:
    image = Image.new("RGBA", (40, 40), (200, 30, 30, 255))
    image.paste((0, 0, 0, 0), (0, 0, 20, 40))
    for form in ("WEBP", "GIF"):
        found = read(encoded(image, form))
        assert found.alpha is not None
        assert found.alpha[:, :20].max() == 0
        assert found.alpha[:, 20:].min() == 255


def profile_with(primaries: str) -> bytes:
    """A profile whose red and green are exchanged, so that a conversion can't go unseen; or plain sRGB."""
    plain = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    if primaries == "sRGB":
        return plain
    red, green = plain.index(b"rXYZ"), plain.index(b"gXYZ")
    swapped = bytearray(plain)
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    return bytes(swapped.replace(b"s\0R\0G\0B", b"t\0R\0G\0B").replace(b"sRGB", b"tRGB"))


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_colour_profile_is_converted_to_srgb(photo: Load, form: str) -> None:
    image = photo("chelsea")
    options = {"lossless": True} if form == "WEBP" else {"quality": 95} if form == "JPEG" else {}
    red, green, blue = image.split()
    exchanged = Image.merge("RGB", (green, red, blue))
    found = read(encoded(image, form, icc_profile=profile_with("swapped"), **options))
    assert difference(found, exchanged) < 4
    assert difference(found, image) > 8


def test_an_srgb_profile_changes_no_bit(photo: Load) -> None:
    image = photo("chelsea")
    assert difference(read(encoded(image, "PNG", icc_profile=profile_with("sRGB"))), image) == 0


def test_colour_profile_leaves_transparency_unchanged(photo: Load) -> None:
    image = photo("chelsea")
    ramp = Image.linear_gradient("L").resize(image.size)
    image.putalpha(ramp)
    found = read(encoded(image, "PNG", icc_profile=profile_with("swapped")))
    assert found.alpha is not None
    assert np.array_equal(found.alpha, np.asarray(ramp))


@pytest.mark.parametrize("profile", [b"no profile at all", b"\0" * 5_000_000], ids=["nonsense", "huge"])
def test_useless_colour_profile_is_ignored(photo: Load, profile: bytes) -> None:
    image = photo("chelsea")
    assert difference(read(encoded(image, "TIFF", icc_profile=profile)), image) == 0


def test_animation_decodes_to_its_first_frame(photo: Load) -> None:
    first, second = photo("chelsea").resize((90, 60)), Image.new("RGB", (90, 60), (0, 0, 255))
    for form, options in (("PNG", {}), ("WEBP", {"lossless": True})):
        data = encoded(first, form, save_all=True, append_images=[second] * 3, duration=100, **options)
        assert difference(read(data), first) == 0


def test_a_multi_picture_jpeg_counts_as_a_jpeg(photo: Load) -> None:
    data = encoded(photo("chelsea"), "MPO", save_all=True, append_images=[photo("chelsea")], quality=95)
    assert inspect(data, LIMITS).format == "jpeg"
    assert difference(read(data), photo("chelsea")) < 2.5


def test_format_is_detected_by_content_and_refused_unless_accepted(photo: Load) -> None:
    image = photo("chelsea")
    for form in ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF"):
        assert inspect(encoded(image, form), LIMITS).format == form.lower()
    with pytest.raises(UnsupportedFormat, match="found PNG; accepted: jpeg"):
        inspect(encoded(image, "PNG"), ImageLimits(formats=("jpeg",)))
    for data, found in ((b"%PDF-1.7", "a PDF"), (b"<svg xmlns=''/>", "an SVG"), (b"hello there", "text")):
        with pytest.raises(UnsupportedFormat, match=f"found {found}"):
            inspect(data, LIMITS)


def test_only_the_header_decides_the_size(photo: Load) -> None:
    small = ImageLimits(max_pixels=100 * 100, min_side=16, max_bytes=1_000_000)
    inspect(encoded(Image.new("RGB", (100, 100)), "PNG"), small)
    with pytest.raises(TooManyPixels, match="101×100 is 10100 pixels; allowed: 10000"):
        inspect(encoded(Image.new("RGB", (101, 100)), "PNG"), small)
    with pytest.raises(ImageTooSmall, match="15×100"):
        inspect(encoded(Image.new("RGB", (15, 100)), "PNG"), small)
    with pytest.raises(errors.UploadTooLarge, match="1000001 bytes"):
        inspect(b"\xff" * 1_000_001, small)
    with pytest.raises(errors.EmptyImage):
        inspect(b"", small)


def test_jpeg_built_to_stall_the_decoder_is_refused_immediately(photo: Load) -> None:
    data = encoded(photo("chelsea"), "JPEG", progressive=True)
    scan = data.rindex(b"\xff\xda")
    comments, blocks = b"\xff\xfe\x00\x02" * 20_000, b"\xff\xe1\x00\x02" * 2000
    many_scans = data[:-2] + data[scan:-2] * 200 + data[-2:]
    for bomb in (many_scans, data[:2] + blocks + data[2:], data[:2] + comments + data[2:]):
        with pytest.raises(CorruptImage, match="more than"):
            inspect(bomb, LIMITS)
    assert inspect(data, LIMITS).format == "jpeg"


@pytest.mark.parametrize("form", corpus.FORMATS)
@pytest.mark.parametrize("tenths", range(1, 10))
def test_file_cut_off_anywhere_is_called_so(form: str, tenths: int) -> None:
    data = corpus.good(form)
    with pytest.raises(CorruptImage, match="end before the picture is complete") as refused:
        read(data[: len(data) * tenths // 10])
    assert refused.value.solution == "Copy or download the file again, until it is complete"


def test_what_to_do_depends_on_what_is_wrong(photo: Load) -> None:
    data = encoded(photo("chelsea"), "PNG")
    middle = len(data) // 2
    for broken, details, solution in (
        (data[:middle], "the png data end before the picture is complete", "until it is complete"),
        (data[:middle] + b"\0\0" + data[middle + 2 :], "the png data are damaged", "save the image in an editor"),
    ):
        with pytest.raises(CorruptImage, match=details) as refused:
            read(broken)
        assert solution in refused.value.solution
    with pytest.raises(UnsupportedFormat, match="found a ZIP archive") as archive:
        inspect(b"PK\x03\x04", LIMITS)
    assert "/api/remove/batch" in archive.value.solution
