"""Reads the options of a picture from the command line: `-O NAME=VALUE`, and the ending of `-o`."""

from pathlib import Path, PurePath
from typing import Final

import click

from services.errors import BadOption, ModelNotFound, UnknownOption
from services.imaging.formats import Format, usable_formats
from services.imaging.options import BACKGROUND_IMAGE, Options, option_names

SUFFIXES: Final = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"}
)
option = click.option(
    "-O",
    "--option",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help=f"One of: {', '.join((*option_names(), BACKGROUND_IMAGE))}; the last one takes a file's path.",
)

animated = click.option(
    "--animated", is_flag=True, help="All frames of a GIF, APNG or animated WebP; the same as -O animated=true."
)


def with_animated(pairs: tuple[str, ...], animated: bool) -> tuple[str, ...]:
    """Return the options with what `--animated` means."""
    return (*pairs, "animated=true") if animated else pairs


def format_for(chosen: Format, picture: PurePath) -> Format:
    """Return the format of a picture's result: `auto` follows the picture's name, so that a result's name is known."""
    return chosen.chosen_for(picture.suffix.lower().removeprefix("."))


def parse_options(pairs: tuple[str, ...], target: Path | None) -> tuple[Options, bytes | None]:
    """Return the options, and the file of the background image. Raises `click.UsageError`."""
    given: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"-O takes NAME=VALUE, not {pair!r}")
        if name != BACKGROUND_IMAGE and not _is_utf8(pair):
            raise click.UsageError(f"-O {pair!r} is not UTF-8")
        given[name] = value
    if "format" not in given and target and (ending := _result_ending(target, animated="animated" in given)):
        given["format"] = ending
    background = str(given.pop(BACKGROUND_IMAGE, ""))
    try:
        options = Options.parse(given)
    except (BadOption, UnknownOption, ModelNotFound) as exc:
        # Without the solution, which leads to a server's pages: click names --help.
        raise click.UsageError(str(exc)) from exc
    return options, _read_background(background) if background else None


def _is_utf8(text: str) -> bool:
    """Return whether a word was UTF-8: Python keeps other bytes as surrogates."""
    return not any("\ud800" <= character <= "\udfff" for character in text)


def _result_ending(target: Path, *, animated: bool) -> str:
    """Return the format that a file's ending names; "" for an ending that is no picture's."""
    ending = target.suffix.lower()
    if ending not in (*SUFFIXES, ".zip"):
        return ""
    endings = [f".{f.extension}" for f in (*usable_formats(), *([Format.GIF] if animated else []))]
    if ending not in (*endings, ".jpeg"):
        raise click.UsageError(f"results can be {', '.join(endings)}, not {ending}")
    return ending.removeprefix(".")


def _read_background(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as exc:
        raise click.UsageError(f"{BACKGROUND_IMAGE} can't be read: {name} ({exc.strerror})") from exc
