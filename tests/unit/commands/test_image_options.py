"""Options as the command line takes them."""

from pathlib import Path

import click
import pytest

from commands.image_options import format_for, parse_options, with_animated
from services.imaging.formats import Format


def test_animated_flag_is_the_option() -> None:
    assert with_animated(("quality=50",), animated=True) == ("quality=50", "animated=true")
    assert with_animated(("quality=50",), animated=False) == ("quality=50",)


def test_gif_is_the_ending_of_animations_only() -> None:
    options, _ = parse_options(("animated=true",), Path("out.gif"))
    assert options.format is Format.GIF
    with pytest.raises(click.UsageError, match=r"results can be .*, not \.gif"):
        parse_options((), Path("out.gif"))


def test_auto_follows_the_pictures_name_and_other_formats_do_not() -> None:
    assert format_for(Format.AUTO, Path("a.GIF")) is Format.WEBP
    assert format_for(Format.AUTO, Path("a.png")) is Format.PNG
    assert format_for(Format.JPEG, Path("a.gif")) is Format.JPEG


def test_ending_wins_over_the_format_of_a_preset() -> None:
    options, _ = parse_options(("preset=amazon",), Path("out.webp"))
    assert options.format is Format.WEBP
    assert parse_options(("preset=amazon",), Path("folder"))[0].format is Format.JPEG
