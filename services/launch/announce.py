"""The text that `make run` prints when the service is ready: a command to paste."""

import importlib.util
import shlex
from pathlib import Path


def sample_photo() -> Path | None:
    """Return a photograph that is on every machine with scikit-image, which rembg needs."""
    spec = importlib.util.find_spec("skimage")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else None
    photo = folder / "astronaut.png" if folder else None
    return photo if photo and photo.is_file() else None


def announcement(port: int) -> str:
    """Return the addresses to open, and a curl command that works."""
    photo = sample_photo() or "photo.jpg"
    url = f"http://127.0.0.1:{port}"
    return (
        f"\nReady. The page: {url}  The documentation: {url}/docs\nTry it:\n\n"
        f"  curl --fail-with-body -F {shlex.quote(f'file=@{photo}')} {url}/remove-background -o cutout.png\n"
    )
