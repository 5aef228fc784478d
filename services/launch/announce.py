"""The text that `make run` prints when the service is ready: a command to paste."""

import importlib.util
import shlex
from pathlib import Path
from typing import Final

LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
# HOST values that mean every address of the machine, and one of these addresses.
EVERY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def sample_photo() -> Path | None:
    """Return a photograph that is on every machine with scikit-image, which rembg needs."""
    spec = importlib.util.find_spec("skimage")
    folder = Path(spec.origin).parent / "data" if spec and spec.origin else None
    photo = folder / "astronaut.png" if folder else None
    return photo if photo and photo.is_file() else None


def announcement(host: str, port: int, command: str) -> str:
    """Return the addresses to open, a curl command that works, and, on loopback, what opens it to the network.

    `command` is how the service was started: `make run` or `bgremove serve`.
    """
    photo = sample_photo() or "photo.jpg"
    address = EVERY.get(host, host)
    url = f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"
    only_here = f"\nOnly this machine can reach it. To open it to the network: HOST=0.0.0.0 {command}\n"
    return (
        f"\nReady. The page: {url}  The documentation: {url}/docs\nTry it:\n\n"
        f"  curl --fail-with-body -F {shlex.quote(f'file=@{photo}')} {url}/remove-background -o cutout.png\n"
        f"{only_here if host in LOOPBACK else ''}"
    )
