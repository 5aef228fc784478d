"""What `make run` prints when the service is ready: a line to paste."""

import importlib.util
import shlex
import sys
import threading
from pathlib import Path
from typing import Protocol


class Ready(Protocol):
    """What is waited for; `sessions.Models` is one."""

    def wait(self) -> bool: ...


def announce_when_ready(models: Ready, port: int) -> None:
    """Print the line as soon as the model is warm, without holding up the server."""
    threading.Thread(target=_announce, args=(models, port), name="announce", daemon=True).start()


def sample_photo() -> Path | None:
    """A photograph that is on every machine with scikit-image (rembg needs it)."""
    spec = importlib.util.find_spec("skimage")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else None
    photo = folder / "astronaut.png" if folder else None
    return photo if photo and photo.is_file() else None


def announcement(port: int) -> str:
    """What to open, and a command to paste."""
    photo = sample_photo() or "photo.jpg"
    url = f"http://127.0.0.1:{port}"
    return (
        f"\nReady. The page: {url}  The documentation: {url}/docs\nTry it:\n\n"
        f"  curl -f -F {shlex.quote(f'file=@{photo}')} {url}/remove-background -o cutout.png\n"
    )


def _announce(models: Ready, port: int) -> None:
    if models.wait():  # the log says why not
        print(announcement(port), file=sys.stderr, flush=True)
