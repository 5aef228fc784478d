"""Corrects what Pillow reads wrongly in a TIFF."""

from collections.abc import Mapping
from typing import Any, Final

from PIL import Image, TiffImagePlugin

BITS, COMPRESSION, PLANES = 258, 259, 284
NONE: Final = 1
SEPARATE: Final = 2
# Pillow names a plane that is not a channel of the picture by the next letter that it has.
CHANNELS: Final = frozenset("RGBACMYK")


def tiff_tags(image: Image.Image) -> Mapping[int, Any]:
    """Return the tags of a TIFF; nothing for another format."""
    return image.tag_v2 if isinstance(image, TiffImagePlugin.TiffImageFile) else {}


def correct_planes(image: Image.Image) -> None:
    """Let uncompressed planes of 16 bits be read as that: Pillow takes each byte for a value."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return
    tags, tiles = image.tag_v2, []
    if tags.get(PLANES) != SEPARATE or set(tags.get(BITS, ())) != {16} or tags.get(COMPRESSION, NONE) != NONE:
        return
    order = "L" if tags.prefix == b"II" else "B"
    for tile in image.tile:
        if isinstance(tile.args, tuple) and tile.args[0] in CHANNELS:
            tiles.append(tile._replace(args=(f"{tile.args[0]};16{order}", *tile.args[1:])))
    image.tile = tiles
