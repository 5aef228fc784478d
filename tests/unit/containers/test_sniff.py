"""Formats recognised by content."""

import base64
from collections.abc import Callable

import pytest
from PIL import Image

from services.containers.sniff import Kind, sniff
from tests.support.images import encoded
from tests.support.pictures import corpus


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"])
def test_accepted_formats_are_recognised(form: str) -> None:
    assert sniff(encoded(Image.new("RGB", (8, 8)), form)).name == form.lower()


def iso(major: bytes, *compatible: bytes) -> bytes:
    brands = b"".join(compatible)
    return (16 + len(brands)).to_bytes(4, "big") + b"ftyp" + major + b"\0\0\0\0" + brands + b"\0\0\0\x08avif"


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (iso(b"avif", b"mif1"), "avif"),
        (iso(b"mif1", b"miaf", b"avif"), "avif"),
        (iso(b"heic"), "heic"),
        (iso(b"mif1", b"heic"), "heic"),
        (iso(b"isom", b"mp41"), ""),
    ],
)
def test_iso_media_are_distinguished_by_their_brands(data: bytes, name: str) -> None:
    assert sniff(data).name == name


@pytest.mark.parametrize(
    ("data", "label"),
    [
        (b"", "text"),
        (b"Hello", "text"),
        (b"\xef\xbb\xbf <!DOCTYPE html>", "an HTML page"),
        (b"<?xml version='1.0'?><svg>", "an SVG drawing"),
        (b"<?xml version='1.0'?><feed>", "an XML document"),
        (b' {"a": 1}', "JSON or other text"),
        (b"%PDF-1.7", "a PDF"),
        (b"PK\x03\x04...", "a ZIP archive"),
        (b"RIFF\0\0\0\0WAVE", "a RIFF file (WAV or AVI)"),
        (b"\x00\x01\x02\x03", "unknown data"),
        (b"P6\n10 10\n255\n", "a PNM image (PBM, PGM, PPM or PAM)"),
        (b"P6 is text", "text"),
        (b"\0\0\x02\0\0\0\0\0", "unknown data"),
        (iso(b"crx ", b"isom"), "a camera's raw file"),
        (b"IIU\0\x18\0\0\0", "a camera's raw file"),
        (b"II*\0\x10\0\0\0CR\2\0", "a camera's raw file"),
    ],
)
def test_other_files_get_a_label_and_no_name(data: bytes, label: str) -> None:
    assert sniff(data) == Kind("", label)


@pytest.mark.parametrize("form", ["JPEG", "PNG"])
@pytest.mark.parametrize("decode", [lambda data: data.decode("latin-1"), lambda data: data.decode("utf-8", "replace")])
def test_image_that_was_sent_as_text_is_recognised(form: str, decode: Callable[[bytes], str]) -> None:
    found = sniff(decode(corpus.good(form)).encode())
    assert found.label == "an image whose bytes were changed as if they were text"
    assert "as bytes" in found.instead


@pytest.mark.parametrize("end", [b"\n", b"\r\r\n"])
def test_png_with_other_line_ends_is_recognised(end: bytes) -> None:
    assert "as if they were text" in sniff(corpus.good("PNG").replace(b"\r\n", end)).label


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF"])
@pytest.mark.parametrize("start", [b"", b"data:image/png;base64,"])
def test_base64_instead_of_bytes_is_recognised(form: str, start: bytes) -> None:
    found = sniff(start + base64.b64encode(corpus.good(form)))
    assert found.label == "base64 text"
    assert "/remove-background-base64" in found.instead


def test_truncated_signature_is_not_an_image() -> None:
    for data in (b"\xff\xd8", b"\x89PNG", b"RIFF\0\0\0\0WEB", b"GIF8"):
        assert sniff(data).name == ""


def test_only_the_start_of_a_file_counts() -> None:
    assert sniff(b"x" * 2000 + b"\xff\xd8\xff\0").label == "text"
