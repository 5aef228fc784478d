"""Recognises a file's format by its content; names and declared types are never trusted."""

import re
from dataclasses import dataclass, field
from typing import Final

from services.containers.tiff import is_raw_photo


@dataclass(frozen=True)
class Kind:
    """A format: its name (`jpeg`, …; empty for an unknown image), a label to show, and what to send instead."""

    name: str
    label: str
    instead: str = field(default="", compare=False)


_RAW: Final = Kind("", "a camera's raw file", "Develop it in a photo program and export it as JPEG or PNG")
_ZIP: Final = Kind("", "a ZIP archive", "Send archives to POST /api/remove/batch, or unpack it and send its images")
_AS_TEXT: Final = Kind(
    "", "an image whose bytes were changed as if they were text", "Read the file as bytes, and send them unchanged"
)
_BASE64: Final = Kind(
    "", "base64 text", "Send the bytes that it stands for, or the text as JSON to POST /remove-background-base64"
)
_MAGIC: Final = (
    (b"\xff\xd8\xff", Kind("jpeg", "JPEG")),
    (b"\x89PNG\r\n\x1a\n", Kind("png", "PNG")),
    (b"GIF87a", Kind("gif", "GIF")),
    (b"GIF89a", Kind("gif", "GIF")),
    (b"BM", Kind("bmp", "BMP")),
    (b"II*\x00", Kind("tiff", "TIFF")),
    (b"MM\x00*", Kind("tiff", "TIFF")),
    (b"II+\x00", Kind("tiff", "TIFF")),
    (b"MM\x00+", Kind("tiff", "TIFF")),
    (b"FUJIFILMCCD-RAW", _RAW),
    (b"IIRO", _RAW),
    (b"IIRS", _RAW),
    (b"MMOR", _RAW),
    (b"IIU\x00", _RAW),
    (b"\x00\x00\x00\x0cJXL ", Kind("", "a JPEG XL image")),
    (b"\xff\x0a", Kind("", "a JPEG XL image")),
    (b"\x00\x00\x00\x0cjP  ", Kind("", "a JPEG 2000 image")),
    (b"\xff\x4f\xff\x51", Kind("", "a JPEG 2000 image")),
    (b"8BPS", Kind("", "a Photoshop document")),
    (b"\x00\x00\x01\x00", Kind("", "an icon (ICO)")),
    (b"icns", Kind("", "an icon (ICNS)")),
    (b"%PDF", Kind("", "a PDF")),
    (b"%!PS", Kind("", "PostScript")),
    (b"PK\x03\x04", _ZIP),
    (b"PK\x05\x06", _ZIP),
    (b"\x1f\x8b", Kind("", "gzip data")),
    (b"Rar!", Kind("", "a RAR archive")),
    (b"7z\xbc\xaf", Kind("", "a 7-Zip archive")),
    (b"\x7fELF", Kind("", "an ELF program")),
    (b"MZ", Kind("", "a Windows program")),
    (b"\x1aE\xdf\xa3", Kind("", "a Matroska or WebM video")),
    (b"OggS", Kind("", "an Ogg file")),
    # PNG and JPEG that were decoded as Latin-1 or UTF-8 and encoded again, and a PNG with other line ends.
    (b"\xc2\x89PNG", _AS_TEXT),
    (b"\xef\xbf\xbdPNG", _AS_TEXT),
    (b"\xc3\xbf\xc3\x98\xc3\xbf", _AS_TEXT),
    (b"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd", _AS_TEXT),
    (b"\x89PNG\n", _AS_TEXT),
    (b"\x89PNG\r\r", _AS_TEXT),
    (b"data:image/", _BASE64),
    (b"iVBORw0KGgo", _BASE64),
    (b"/9j/", _BASE64),
    (b"UklGR", _BASE64),
    (b"R0lGOD", _BASE64),
    (b"ID3", Kind("", "an MP3 file")),
)
_AVIF_BRANDS: Final = (b"avif", b"avis")
_HEIC_BRANDS: Final = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")
_TEXT: Final = bytes({7, 8, 9, 10, 12, 13, 27} | set(range(0x20, 0x100)) - {0x7F})


def sniff(data: bytes) -> Kind:
    """Return the format that `data` starts as."""
    head = data[:1024]
    if head[:4] == b"RIFF":
        return Kind("webp", "WebP") if head[8:12] == b"WEBP" else Kind("", "a RIFF file (WAV or AVI)")
    if head[4:8] == b"ftyp":
        return _iso_media(head)
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return _RAW if kind.name == "tiff" and is_raw_photo(data) else kind
    return _text(head)


def _iso_media(head: bytes) -> Kind:
    """Distinguish AVIF, HEIC and MP4, which share one container, by their brands (ISO/IEC 14496-12, 4.3)."""
    end = min(int.from_bytes(head[:4], "big"), len(head))
    brands = [head[8:12], *(head[i : i + 4] for i in range(16, end, 4))]
    if any(brand in _AVIF_BRANDS for brand in brands):
        return Kind("avif", "AVIF")
    if any(brand in _HEIC_BRANDS for brand in brands):
        return Kind("heic", "HEIC")
    if b"crx " in brands:
        return _RAW
    return Kind("", "an MP4 or similar video")


def _text(head: bytes) -> Kind:
    if re.match(rb"P[1-7]\s+(\d|#|WIDTH)", head):
        return Kind("", "a PNM image (PBM, PGM, PPM or PAM)")
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if b"<svg" in text:
        return Kind("", "an SVG drawing")
    if text.startswith((b"<!doctype html", b"<html", b"<head", b"<body")):
        return Kind("", "an HTML page")
    if text.startswith(b"<?xml"):
        return Kind("", "an XML document")
    if text.startswith((b"{", b"[")):
        return Kind("", "JSON or other text")
    if not head.translate(None, _TEXT):
        return Kind("", "text")
    return Kind("", "unknown data")
