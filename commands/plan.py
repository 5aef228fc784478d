"""Plans the work on a folder: its pictures, where their results go, and the files that are left out."""

import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from commands.image_options import SUFFIXES, format_for
from services.imaging.formats import Format

NO_PICTURE: Final = "no picture"
HIDDEN: Final = "hidden"
LINK: Final = "link"
UNREADABLE: Final = "unreadable folder"
UNREACHABLE: Final = "in a folder that can't be entered"


@dataclass(frozen=True)
class Picture:
    """A picture and the path of its result. `refused` says in words why it can't be worked on."""

    source: Path
    target: Path
    refused: str = ""

    def is_done(self) -> bool:
        """Return whether the result is there and not older than the picture."""
        try:
            return self.target.stat().st_mtime_ns >= self.source.stat().st_mtime_ns
        except OSError:
            return False


@dataclass
class Found:
    """The pictures below a folder, and the paths that were left out with the reason."""

    pictures: list[Path] = field(default_factory=list)
    left_out: list[tuple[Path, str]] = field(default_factory=list)


def find_pictures(folder: Path, *excluded: Path) -> Found:
    """Return the pictures below the folder, sorted, without the folders `excluded`. Links are not followed."""
    found = Found()
    outside = {path.resolve() for path in excluded}

    def note_error(error: OSError) -> None:
        found.left_out.append((Path(error.filename), UNREADABLE))

    for place, folders, files in os.walk(folder, onerror=note_error):
        here = Path(place)
        folders[:] = sorted(name for name in folders if not _leave_out(here / name, outside, found))
        for name in sorted(files):
            if reason := _reason(here / name):
                found.left_out.append((here / name, reason))
            else:
                found.pictures.append(here / name)
    found.pictures.sort()
    return found


def _leave_out(folder: Path, outside: set[Path], found: Found) -> bool:
    if folder.resolve() in outside:
        return True
    try:
        reason = LINK if folder.is_symlink() else HIDDEN if folder.name.startswith(".") else ""
    except PermissionError:
        reason = UNREACHABLE
    if reason:
        found.left_out.append((folder, reason))
    return bool(reason)


def _reason(path: Path) -> str:
    """Return why a file is left out; "" for a picture."""
    if path.name.startswith("."):
        return HIDDEN
    try:
        if path.is_symlink():
            return LINK
        return "" if path.suffix.lower() in SUFFIXES and path.is_file() else NO_PICTURE
    except PermissionError:
        return UNREACHABLE


def plan(pictures: list[Path], source: Path, target: Path, chosen: Format) -> list[Picture]:
    """Return the pictures with their results' paths: the same place below the target, `<name>-no-bg.<ending>`.

    The old ending becomes part of the name where pictures of one folder differ only in it. What would still meet
    another result, or replace a picture, is refused.
    """
    stems = Counter(_key(path.with_suffix("")) for path in pictures)
    inputs = {_key(path.resolve()) for path in pictures}
    taken: dict[str, Path] = {}
    planned = []
    for picture in pictures:
        has_twin = stems[_key(picture.with_suffix(""))] > 1
        stem = picture.name.replace(".", "-") if has_twin else picture.stem
        extension = format_for(chosen, picture).extension
        out = target / picture.parent.relative_to(source) / f"{stem}-no-bg.{extension}"
        planned.append(Picture(picture, out, _refusal(_key(out.resolve()), out, inputs, taken)))
        taken.setdefault(_key(out.resolve()), picture)
    return planned


def _refusal(key: str, out: Path, inputs: set[str], taken: dict[str, Path]) -> str:
    if key in inputs:
        return f"its result {out} would replace a picture; choose another folder with -o"
    if key in taken:
        return f"its result would have the same name as that of {taken[key]}; rename one of them"
    return ""


def _key(path: Path) -> str:
    """Return the path as the file system compares it: macOS and Windows ignore case."""
    return str(path).casefold() if sys.platform in ("darwin", "win32") else str(path)
