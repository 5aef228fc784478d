"""File names become safe and distinct."""

import pytest

from services.archives.filenames import DistinctNames, harmless_stem


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
        ("a:b*c?.png", "a_b_c_"),
    ],
)
def test_a_file_name_is_made_safe(name: str, stem: str) -> None:
    assert harmless_stem(name) == stem


def test_names_that_differ_by_case_or_form_are_made_distinct() -> None:
    names = DistinctNames()
    given = [names.of(name, "png") for name in ("a.jpg", "a.png", "x/A.jpg", "a-2.jpg", "u\u0308.jpg", "\u00fc.jpg")]
    assert given == ["a.png", "a-2.png", "A-3.png", "a-2-2.png", "u\u0308.png", "\u00fc-2.png"]
