"""Makes callers' file names safe to show and to write, and distinct within an archive."""

import re
import unicodedata
from collections.abc import Set
from pathlib import PurePosixPath
from typing import Final

MAX_NAME_CHARS: Final = 100
# Of one part of a path, in UTF-8: file systems take 255, and a number and an ending follow.
MAX_NAME_BYTES: Final = 200
MAX_PATH_CHARS: Final = 200
# Endings of images and results; another one, as in `v1.2 final`, is part of the name.
ENDINGS: Final = frozenset(
    {"png", "jpg", "jpeg", "jfif", "webp", "avif", "heic", "heif", "gif", "bmp", "tif", "tiff", "zip"}
)
# Windows takes these for devices, in any folder and with any ending.
DEVICES: Final = re.compile(
    r"(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)", re.IGNORECASE
)
UNSAFE: Final = frozenset('<>:"/\\|?*;%')


def harmless_stem(filename: str) -> str:
    """Return the last part of a file name without extension and control characters, bounded in length.

    What Unicode's compatibility forms turn into an unsafe character or a dot, such as U+FF0F into `/`, counts as one.
    """
    return _harmless(PurePosixPath(filename.replace("\\", "/").replace("\0", "")).stem)


def relative_path(filename: str) -> str:
    """Return a file name as it was sent, with folders and ending, but relative, printable and bounded in length.

    It is for reports, in which callers look for the name that they sent. Of a long name the end is kept.
    """
    visible = "".join(c for c in filename.replace("\\", "/") if unicodedata.category(c)[0] != "C")
    parts = [part for part in visible.split("/") if part.strip() not in ("", ".", "..")]
    return "/".join(parts)[-MAX_PATH_CHARS:].lstrip("/") or "image"


def harmless_path(filename: str) -> str:
    """Return the relative path of a file name, with every part as safe and bounded as `harmless_stem`."""
    return "/".join(_harmless(part) for part in relative_path(filename).split("/"))


def folder_of(path: str) -> str:
    """Return the folders of a relative path with a slash at their end, or ""."""
    folder, slash, _ = path.rpartition("/")
    return folder + slash


def without_ending(path: str) -> str:
    """Return a path without the ending of its image."""
    stem, _, ending = path.rpartition(".")
    return stem if ending.lower() in ENDINGS and stem and not stem.endswith("/") else path


def _harmless(name: str) -> str:
    visible = "".join(c for c in name if unicodedata.category(c)[0] != "C" and (c == " " or not c.isspace()))
    clean = "".join("_" if _becomes_unsafe(c) else c for c in visible).strip(" .")
    short = clean[:MAX_NAME_CHARS].encode()[:MAX_NAME_BYTES].decode(errors="ignore").rstrip(" .") or "image"
    return f"_{short}" if DEVICES.match(short) else short


def _becomes_unsafe(character: str) -> bool:
    plain = unicodedata.normalize("NFKD", character)
    return not UNSAFE.isdisjoint(plain) or ("." in plain and character != ".")


class DistinctNames:
    """Safe names, each used once: the second `photo` becomes `photo-2`.

    Names that differ only by case count as equal, as they do on many file systems. A folder gets no file's name, and a
    file no folder's: such archives can't be unpacked.
    """

    def __init__(self, *used: str) -> None:
        """`used` are the names of files that are in the archive besides."""
        self._files = set(map(_folded, used))
        self._folders: set[str] = set()

    def of(self, filename: str, extension: str) -> str:
        """Return `<stem>.<extension>`, or the first of `<stem>-2.<extension>`, … that is free."""
        return self.of_stem(harmless_stem(filename), extension)

    def of_stem(self, stem: str, extension: str) -> str:
        """Return the same for a stem that is safe already, and may have folders before it."""
        *folders, last = stem.split("/")
        path = ""
        for folder in folders:
            path = _first_free(path + folder, "", self._files)
            self._folders.add(_folded(path))
            path += "/"
        name = _first_free(path + last, f".{extension}", self._files, self._folders)
        self._files.add(_folded(name))
        return name


def _first_free(stem: str, ending: str, *taken: Set[str]) -> str:
    number, name = 1, stem + ending
    while any(_folded(name) in names for names in taken):
        number += 1
        name = f"{stem}-{number}{ending}"
    return name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()
