"""What is unusual about a file is named, and nothing about a usual one."""

import pytest

from services.containers.sniff import sniff
from services.containers.unusual import unusual_kind
from tests.support.pictures import corpus
from tests.support.pictures.hostile import SHORT, tiff

UNUSUAL = {
    "a JPEG with channels of 12 bits": corpus.with_frame(corpus.good("JPEG"), 0xC1, 12),
    "a JPEG with channels of 16 bits": corpus.with_frame(corpus.good("JPEG"), 0xC3, 16),
    "a hierarchical JPEG": corpus.with_frame(corpus.good("JPEG"), 0xC5),
    "a JPEG-LS image": b"\xff\xd8" + corpus.segment(0xF7, b"\x08\0\x40\0\x60\x01\x01\x11\0"),
    "a TIFF compressed as WebP": corpus.grey_tiff(compression=50001),
    "a TIFF with channels of 32 bits": tiff({258: (SHORT, [32, 32, 32])}, b""),
    "a TIFF with floating-point channels of 64 bits": tiff({258: (SHORT, [64]), 339: (SHORT, [3])}, b""),
    "a TIFF with a plane of 16 bits for each channel": tiff({258: (SHORT, [16] * 4), 284: (SHORT, [2])}, b""),
}


@pytest.mark.parametrize("label", UNUSUAL)
def test_unusual_file_is_named(label: str) -> None:
    found = unusual_kind(UNUSUAL[label], "tiff" if "TIFF" in label else "jpeg")
    assert found is not None
    assert found.label == label
    assert found.instead


@pytest.mark.parametrize("form", corpus.FORMATS)
def test_usual_file_is_not(form: str) -> None:
    data = corpus.good(form)
    assert unusual_kind(data, sniff(data).name) is None


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_damaged_file_is_not(form: str) -> None:
    assert unusual_kind(corpus.cut(form, 0.1), form.lower()) is None
    assert unusual_kind(b"", form.lower()) is None
