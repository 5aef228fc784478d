"""The formats that results are written in."""

from enum import StrEnum
from functools import cache

from PIL import features


class Format(StrEnum):
    """How a result is encoded."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpeg"
    AVIF = "avif"
    ZIP = "zip"

    @property
    def mimetype(self) -> str:
        return "application/zip" if self is Format.ZIP else f"image/{self.value}"

    @property
    def extension(self) -> str:
        return "jpg" if self is Format.JPEG else self.value

    @property
    def lossy(self) -> bool:
        return self is not Format.PNG


@cache
def usable_formats() -> tuple[Format, ...]:
    """The formats that can be written here: not every build of Pillow has AVIF."""
    return tuple(f for f in Format if f is not Format.AVIF or features.check("avif"))
