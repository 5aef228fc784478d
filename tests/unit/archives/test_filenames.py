"""File names become safe and distinct."""

import unicodedata
from typing import Literal

import pytest

from services.archives.filenames import (
    MAX_PATH_CHARS,
    DistinctNames,
    harmless_path,
    harmless_stem,
    relative_path,
    without_ending,
)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("photo.jpg", "photo"),
        ("../../etc/passwd", "passwd"),
        ("C:\\photos\\a.jpg", "a"),
        ("a\0b.jpg", "ab"),
        ("a\nb\u202egpj.exe", "abgpj"),
        ("..", "image"),
        ("", "image"),
        ("x" * 300 + ".png", "x" * 100),
        ("\u5199" * 120 + ".png", "\u5199" * 66),
        ("\U0001f600" * 60 + ".png", "\U0001f600" * 50),
        ("CON.jpg", "_CON"),
        ("nul", "_nul"),
        ("com7.tar.gz", "_com7.tar"),
        ("lpt\u00b2.png", "_lpt\u00b2"),
        ("console.png", "console"),
        ("a:b*c?.png", "a_b_c_"),
        ("..\uff0f..\uff0fetc\uff0fevil.jpg", "_.._etc_evil"),
        ("\u2025\uff3c\u2025\uff3cevil.jpg", "____evil"),
        ("a\uff02b\u226ec.jpg", "a_b_c"),
    ],
)
def test_a_file_name_is_made_safe(name: str, stem: str) -> None:
    assert harmless_stem(name) == stem


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("photo.jpg", "photo.jpg"),
        ("holiday/day 1/a:b.jpg", "holiday/day 1/a:b.jpg"),
        ("holiday\\a.jpg", "holiday/a.jpg"),
        ("/etc/./passwd", "etc/passwd"),
        ("../../etc/passwd", "etc/passwd"),
        ("a\0b\nc\u202egpj.exe", "abcgpj.exe"),
        ("..", "image"),
        ("", "image"),
        ("x" * 300 + "/y.png", "x" * (MAX_PATH_CHARS - 6) + "/y.png"),
    ],
)
def test_path_keeps_folders_and_ending(name: str, path: str) -> None:
    assert relative_path(name) == path


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("summer/shoes/a.jpg", "summer/shoes/a.jpg"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\photos\\a.jpg", "C_/photos/a.jpg"),
        ("a\nb/c\u202ed.jpg", "ab/cd.jpg"),
        ("..\uff0f../a.jpg", "_/a.jpg"),
        ("aux/prn .jpg", "_aux/_prn .jpg"),
        ("..", "image"),
        ("x" * 150 + "/" + "y" * 20 + ".jpg", "x" * 100 + "/" + "y" * 20 + ".jpg"),
    ],
)
def test_every_part_of_a_path_is_made_safe(name: str, path: str) -> None:
    assert harmless_path(name) == path


@pytest.mark.parametrize(
    ("path", "stem"),
    [
        ("x/a.jpg", "x/a"),
        ("a.b.PNG", "a.b"),
        ("v1.2 final", "v1.2 final"),
        ("x.jpg/a", "x.jpg/a"),
        ("x/.png", "x/.png"),
    ],
)
def test_only_the_ending_of_an_image_is_left_out(path: str, stem: str) -> None:
    assert without_ending(path) == stem


@pytest.mark.slow
def test_no_normal_form_makes_a_safe_name_unsafe() -> None:
    forms: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")
    every = (chr(code) for code in range(1, 0x110000) if not 0xD800 <= code <= 0xDFFF)
    changed = [
        character for character in every if any(not unicodedata.is_normalized(form, character) for form in forms)
    ]
    assert "\uff0f" in changed  # FULLWIDTH SOLIDUS
    found = "".join(harmless_stem(f"a{character}b") for character in changed)
    for form in forms:
        assert not set(unicodedata.normalize(form, found)) & set('<>:"/\\|?*;%\0\r\n')


def test_names_that_differ_by_case_or_form_are_made_distinct() -> None:
    names = DistinctNames()
    given = [names.of(name, "png") for name in ("a.jpg", "a.png", "x/A.jpg", "a-2.jpg", "u\u0308.jpg", "\u00fc.jpg")]
    assert given == ["a.png", "a-2.png", "A-3.png", "a-2-2.png", "u\u0308.png", "\u00fc-2.png"]


def test_no_folder_has_the_name_of_a_file() -> None:
    names = DistinctNames("metadata.json")
    given = [names.of_stem(stem, "png") for stem in ("a", "A.png/b", "a.png/c", "d.png/e", "D", "x/y", "x/y.png/z")]
    assert given == ["a.png", "A.png-2/b.png", "a.png-2/c.png", "d.png/e.png", "D-2.png", "x/y.png", "x/y.png-2/z.png"]
    assert names.of_stem("metadata.json/a", "png") == "metadata.json-2/a.png"
