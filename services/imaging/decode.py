"""Decodes an image file into a photo: eight-bit sRGB pixels, upright, with the input's own transparency.

Two parts: `inspect` reads only the header and refuses what must not be decoded; `decode` makes the pixels.
"""

import io
import warnings
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final, Self

import numpy as np
import simplejpeg
from PIL import AvifImagePlugin, Image

from services.containers.ends_early import ends_early
from services.containers.errors import CorruptImage
from services.containers.heif import heif_pixels
from services.containers.jpeg_guard import refuse_time_bombs
from services.containers.png_guard import refuse_many_chunks
from services.containers.sniff import sniff
from services.containers.tiff import tiff_pixels
from services.containers.unusual import unusual_kind
from services.errors import EmptyImage, ServiceError, UploadTooLarge
from services.imaging.errors import ImageTooSmall, TooManyPixels, UnsupportedFormat
from services.imaging.rasters import Matte, Photo, Pixels, upright
from services.imaging.reading.icc import is_srgb, to_srgb
from services.imaging.reading.tiff import correct_planes
from services.imaging.reading.wide_grey import wide_grey

FORMATS: Final = ("jpeg", "png", "webp", "bmp", "tiff", "gif", "avif", "heic")
PILLOW_IDS: Final = {name: "HEIF" if name == "heic" else name.upper() for name in FORMATS}
ORIENTATION: Final = 0x0112
CUT_OFF: Final = "Copy or download the file again, until it is complete"


@dataclass(frozen=True)
class FrameLimits:
    """Limits of an animation: its frames, and the pixels of all of them. `as_job` frames are taken by a job, where that
    is more.
    """

    most: int = 300
    pixels: int = 200_000_000
    as_job: int = 0


@dataclass(frozen=True)
class ImageLimits:
    """Limits of what is decoded: bytes of the file, pixels of the picture, its shorter side in px, formats, and frames
    of an animation.
    """

    max_bytes: int = 16 * 1024 * 1024
    max_pixels: int = 50_000_000
    min_side: int = 16
    formats: tuple[str, ...] = FORMATS
    frames: FrameLimits = FrameLimits()

    def capped(self, pixels: int) -> Self:
        """Return the same limits with at most this many pixels."""
        return replace(self, max_pixels=min(self.max_pixels, pixels))


@dataclass(frozen=True)
class Source:
    """An image whose header was read and found acceptable; its pixels are not decoded yet."""

    format: str
    width: int
    height: int
    data: bytes = field(repr=False)
    image: Image.Image = field(repr=False)
    decoded_pixels: int
    """Pixels that a decoder makes: more than `width` × `height` where tiles are larger than the picture."""

    @property
    def megapixels(self) -> float:
        return self.decoded_pixels / 1e6

    @property
    def size_bytes(self) -> int:
        return len(self.data)


def inspect(data: bytes, limits: ImageLimits) -> Source:
    """Read the image's format and size from its header alone.

    Raises `EmptyImage`, `UploadTooLarge`, `UnsupportedFormat`, `CorruptImage`, `TooManyPixels`, `ImageTooSmall`.
    """
    if not data:
        raise EmptyImage("0 bytes were received")
    if len(data) > limits.max_bytes:
        raise UploadTooLarge(f"{len(data)} bytes were received; allowed: {limits.max_bytes}")
    kind = sniff(data)
    if kind.name not in limits.formats:
        accepted = ", ".join(limits.formats)
        raise UnsupportedFormat(f"found {kind.label}; accepted: {accepted}", kind.instead)
    # A container can make a decoder work on more than the picture's own size.
    hidden = _read_container(data, kind.name)
    if hidden > limits.max_pixels:
        raise TooManyPixels(f"its data hold {hidden} pixels; allowed: {limits.max_pixels}")
    image = _open(data, kind.name)
    width, height = image.size
    if width * height > limits.max_pixels:
        raise TooManyPixels(f"{width}×{height} is {width * height} pixels; allowed: {limits.max_pixels}")
    if min(width, height) < limits.min_side:
        raise ImageTooSmall(f"{width}×{height} px; the shorter side must have at least {limits.min_side}")
    return Source(kind.name, width, height, data, image, max(width * height, hidden))


def _read_container(data: bytes, name: str) -> int:
    """Return the pixels that decoding makes, as far as the container alone says; else 0. Raises `CorruptImage`."""
    match name:
        case "jpeg":
            refuse_time_bombs(data)
        case "png":
            refuse_many_chunks(data)
        case "tiff":
            return tiff_pixels(data)
        case "avif" | "heic":
            return heif_pixels(data)
    return 0


def decode(source: Source) -> Photo:
    """Decode an inspected image: first frame, eight bits, sRGB, upright. Raises `CorruptImage`, `UnsupportedFormat`.

    EXIF orientation is applied; an ICC profile is converted to sRGB; every mode that Pillow opens is handled. The
    caller owns the result; `source.image` is closed.
    """
    with source.image as image:
        try:
            fast = _fast_jpeg(source)
            if fast is not None:
                return upright(Photo(fast), orientation_of(image))
            image.load()
            orientation = orientation_of(image)
            photo = _to_photo(image)
        except MemoryError:
            raise
        except Exception as exc:
            # Pillow's decoders raise almost anything for damaged data (its own fuzzers catch Exception).
            raise _refused(exc, source.data, source.format, f"the {source.format} data are damaged") from exc
    return upright(photo, orientation)


def decode_frame(data: bytes, kind: str, size: tuple[int, int]) -> Photo:
    """Decode the file of one frame of an animation, of this (width, height). Raises `CorruptImage`."""
    with _open(data, kind) as image:
        if image.size != size:
            raise CorruptImage(f"its data hold {image.width}×{image.height} px instead of {size[0]}×{size[1]}")
        try:
            image.load()
            return _to_photo(image)
        except MemoryError:
            raise
        except Exception as exc:
            raise CorruptImage("its data are damaged") from exc


def _refused(exc: Exception, data: bytes, name: str, otherwise: str) -> ServiceError:
    """Return the error of a file that a decoder refuses. Pillow says in words that some files end too early."""
    if unusual := unusual_kind(data, name):
        return UnsupportedFormat(f"found {unusual.label}", unusual.instead)
    if "truncated" in str(exc) or ends_early(data, name):
        return CorruptImage(f"the {name} data end before the picture is complete", CUT_OFF)
    return CorruptImage(otherwise)


def _fast_jpeg(source: Source) -> Pixels | None:
    """Decode a plain JPEG by libjpeg-turbo: the same bits as Pillow's, in a third of the time.

    None for any other image, and for one that libjpeg-turbo warns about: Pillow then decides.
    """
    if source.format != "jpeg" or source.image.mode != "RGB" or not is_srgb(source.image):
        return None
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(source.data, "RGB", fastdct=False, fastupsample=False, strict=True)
    except ValueError:
        return None
    return pixels if pixels.shape[:2] == (source.height, source.width) else None


def _open(data: bytes, name: str) -> Image.Image:
    _prepare_pillow()
    try:
        image = Image.open(io.BytesIO(data), formats=[PILLOW_IDS[name]])
    except MemoryError:
        raise
    except Exception as exc:
        raise _refused(exc, data, name, f"it starts as {name}, but the file is incomplete or damaged") from exc
    correct_planes(image)
    return image


@cache
def _prepare_pillow() -> None:
    """Set Pillow up once per process: a HEIC opener, no pixel limit (`inspect` has one), no warnings."""
    import pi_heif

    pi_heif.register_heif_opener()
    # By default these two start threads for every image: one for each of the host's CPUs, and four.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    pi_heif.options.DECODE_THREADS = 1
    Image.MAX_IMAGE_PIXELS = None
    # Its complaints about callers' broken EXIF and TIFF tags do not belong in our log.
    warnings.filterwarnings("ignore", category=UserWarning, module="PIL")


def _to_photo(image: Image.Image) -> Photo:
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        return wide_grey(image)
    if image.mode in ("RGBa", "La"):
        image = image.convert(image.mode.upper())  # TIFF's associated alpha: premultiplied
    alpha = _alpha(image)
    return Photo(np.ascontiguousarray(to_srgb(image)), alpha)


def _alpha(image: Image.Image) -> Matte | None:
    """Return the picture's own transparency, None when it is opaque everywhere."""
    if not (image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info):
        return None
    alpha = np.asarray(image.convert("RGBA").getchannel("A"))
    return None if alpha.min() == 255 else alpha


def orientation_of(image: Image.Image) -> int:
    """Return the EXIF orientation 1 to 8; 1 where there is none or the EXIF block is broken."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except Exception:  # noqa: BLE001 - a broken EXIF block raises anything and says nothing about the pixels
        return 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1
