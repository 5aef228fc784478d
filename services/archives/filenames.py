"""File names that callers send become names that do no harm, anywhere they are shown or written to."""

import re
import unicodedata
from pathlib import PurePosixPath
from typing import Final

MAX_NAME_CHARS: Final = 100


def harmless_stem(filename: str) -> str:
    """A caller's file name made harmless: its last part without ending, no control characters, bounded."""
    name = PurePosixPath(filename.replace("\\", "/").replace("\0", "")).stem
    visible = "".join(c for c in name if unicodedata.category(c)[0] != "C" and (c == " " or not c.isspace()))
    clean = re.sub(r'[<>:"/\\|?*;%]', "_", visible).strip(" .")
    return clean[:MAX_NAME_CHARS] or "image"


class DistinctNames:
    """Harmless names, each given once: the second `photo` is `photo-2`. Case makes no difference, since it makes none
    on the disks of half the world."""

    def __init__(self) -> None:
        self._taken: set[str] = set()

    def of(self, filename: str, extension: str) -> str:
        """`<stem>.<extension>`, or the first of `<stem>-2.<extension>`, … that is free."""
        stem = harmless_stem(filename)
        number, name = 1, f"{stem}.{extension}"
        while _folded(name) in self._taken:
            number += 1
            name = f"{stem}-{number}.{extension}"
        self._taken.add(_folded(name))
        return name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
