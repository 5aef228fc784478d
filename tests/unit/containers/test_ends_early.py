"""The container shows whether a file is incomplete, whatever the decoder says."""

from collections.abc import Callable
from functools import partial
from typing import Final

import pytest
from PIL import Image

from services.containers.ends_early import ends_early
from services.containers.sniff import sniff
from tests.support.pictures import corpus
from tests.support.pictures.hostile import tiff_strips

WHOLE: Final[dict[str, Callable[[], bytes]]] = {
    **{form: partial(corpus.good, form) for form in corpus.FORMATS},
    "progressive JPEG": lambda: corpus.encode(corpus.photo(), "JPEG", progressive=True),
    "JPEG with a preview in its EXIF": lambda: corpus.repeated(
        corpus.segment(0xE1, b"Exif\0\0" + corpus.encode(corpus.photo(16, 16), "JPEG")), 1
    ),
    "lossless WebP": lambda: corpus.encode(corpus.photo(), "WEBP", lossless=True),
    "WebP with alpha": lambda: corpus.encode(corpus.photo().convert("RGBA"), "WEBP"),
    "AVIF with alpha": lambda: corpus.encode(Image.new("RGBA", (64, 48), (9, 9, 9, 99)), "AVIF"),
    "compressed TIFF": lambda: corpus.encode(corpus.photo(), "TIFF", compression="tiff_lzw"),
    "BigTIFF": lambda: tiff_strips(64, big=True),
}


@pytest.mark.parametrize("name", WHOLE)
def test_whole_file_does_not_end_early(name: str) -> None:
    data = WHOLE[name]()
    assert not ends_early(data, sniff(data).name)


@pytest.mark.parametrize("name", [name for name in WHOLE if "TIFF" not in name])
def test_file_cut_anywhere_ends_early(name: str) -> None:
    data = WHOLE[name]()
    cuts = {len(data) * tenth // 10 for tenth in range(1, 10)} | {40, len(data) - 1}
    assert [cut for cut in sorted(cuts) if not ends_early(data[:cut], sniff(data).name)] == []


@pytest.mark.parametrize(("name", "cut"), [("TIFF", 40), ("BigTIFF", 40), ("compressed TIFF", 9000)])
def test_tiff_cut_in_front_of_its_directorys_end_ends_early(name: str, cut: int) -> None:
    assert ends_early(WHOLE[name]()[:cut], "tiff")


def test_other_formats_say_nothing() -> None:
    assert not ends_early(b"", "pdf")
