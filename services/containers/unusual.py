"""Names what is unusual about a whole file of an accepted format, which the decoder does not read.

Asked only where a decoder has refused the file.
"""

from typing import Final

from services.containers.jpeg_guard import jpeg_markers
from services.containers.sniff import Kind
from services.containers.tiff import first_values

# ITU-T T.81, B.1.1.3: how a JPEG is coded. The other codes between are tables.
FRAMES: Final = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
HIERARCHICAL: Final = frozenset({0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF})
JPEG_LS: Final = 0xF7
BITS, COMPRESSION, PLANES, SAMPLE_FORMAT = 258, 259, 284, 339
COMPRESSIONS: Final = {
    6: "old-style JPEG",
    34712: "JPEG 2000",
    33003: "JPEG 2000",
    33005: "JPEG 2000",
    34887: "LERC",
    50001: "WebP",
    50002: "JPEG XL",
    52546: "JPEG XL",
}
UNSIGNED: Final = 1
NUMBERS: Final = {UNSIGNED: "", 2: "signed ", 3: "floating-point "}
USUAL_BITS: Final = (1, 2, 4, 8, 16)
SEPARATE: Final = 2
PLAIN: Final = "Save it with 8 or 16 bits a channel, or as JPEG or PNG"


def unusual_kind(data: bytes, name: str) -> Kind | None:
    """Return what the file is, and what to send instead; None where nothing about it is unusual."""
    label = _jpeg(data) if name == "jpeg" else _tiff(data) if name == "tiff" else ""
    return Kind("", label, PLAIN) if label else None


def _jpeg(data: bytes) -> str:
    for marker, at in jpeg_markers(data):
        if marker == JPEG_LS:
            return "a JPEG-LS image"
        if marker in HIERARCHICAL:
            return "a hierarchical JPEG"
        if marker in FRAMES:
            bits = int.from_bytes(data[at + 2 : at + 3])
            return f"a JPEG with channels of {bits} bits" if 8 < bits <= 16 else ""
    return ""


def _tiff(data: bytes) -> str:
    found = first_values(data)
    bits, kind = found.get(BITS, 1), found.get(SAMPLE_FORMAT, UNSIGNED)
    if found.get(COMPRESSION) in COMPRESSIONS:
        return f"a TIFF compressed as {COMPRESSIONS[found[COMPRESSION]]}"
    if 0 < bits <= 64 and kind in NUMBERS and (bits not in USUAL_BITS or kind != UNSIGNED):
        return f"a TIFF with {NUMBERS[kind]}channels of {bits} bits"
    if bits == 16 and found.get(PLANES) == SEPARATE:
        return "a TIFF with a plane of 16 bits for each channel"
    return ""
