"""The formats that results are written in."""

from enum import StrEnum
from functools import cache

from PIL import features


class Format(StrEnum):
    """How a result is encoded. `GIF` and `AUTO` are for animations: stills in them come from pictures of one frame."""

    PNG = "png"
    WEBP = "webp"
    JPEG = "jpeg"
    AVIF = "avif"
    ZIP = "zip"
    GIF = "gif"
    AUTO = "auto"

    @property
    def mimetype(self) -> str:
        return "application/zip" if self is Format.ZIP else f"image/{self.value}"

    @property
    def extension(self) -> str:
        return "jpg" if self is Format.JPEG else self.value

    @property
    def lossy(self) -> bool:
        return self not in (Format.PNG, Format.GIF)

    def chosen_for(self, original: str) -> "Format":
        """Return the format itself, or what `AUTO` means for a picture that came in the format `original`.

        A GIF becomes WebP as well: its own edges would be jagged.
        """
        if self is not Format.AUTO:
            return self
        return Format.WEBP if original in ("webp", "gif") else Format.PNG


@cache
def usable_formats() -> tuple[Format, ...]:
    """The formats of still pictures that can be written here: not every build of Pillow has AVIF."""
    stills = (f for f in Format if f not in (Format.GIF, Format.AUTO))
    return tuple(f for f in stills if f is not Format.AVIF or features.check("avif"))
