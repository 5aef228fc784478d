"""The folders that a program may read and write: nothing outside them, not even by a link."""

from collections.abc import Sequence
from pathlib import Path


class OutsideRoots(ValueError):
    """A path leads outside every root."""


class Roots:
    """Named folders. Paths are absolute, or relative to the first one."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """`folders` is not empty."""
        self.folders = [folder.resolve(strict=True) for folder in folders]

    def inside(self, path: str) -> Path:
        """Return the path with every link followed. Raises `OutsideRoots`; the path need not exist."""
        try:
            found = (self.folders[0] / path).resolve()
        # A NUL, or links in a circle.
        except (OSError, RuntimeError, ValueError) as exc:
            raise OutsideRoots(f"{path!r:.200} is not a path") from exc
        if not any(found.is_relative_to(folder) for folder in self.folders):
            allowed = ", ".join(map(str, self.folders))
            raise OutsideRoots(f"{path!r:.200} is outside the folders that are open to you: {allowed}")
        return found
