"""Pins the images of the Dockerfile and docker-compose.yml by digest: `make digests`.

Asks each image's registry for the digest of its tag. The tag stays, for people and for Dependabot.
"""

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
FILES: Final = ("Dockerfile", "Dockerfile.gpu", "docker-compose.yml")
OURS: Final = "background-remover"
IMAGE: Final = re.compile(r"^((?:FROM|\s+image:) )([^\s@]+)(?:@sha256:[0-9a-f]{64})?", re.MULTILINE)
DIGEST: Final = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(image: str) -> str:
    """Return the digest of an image's tag, as its registry has it now. Raises `SystemExit`."""
    command = ["docker", "buildx", "imagetools", "inspect", "--format", "{{.Manifest.Digest}}", image]
    # The images are those of our own files.
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    found = done.stdout.strip()
    if done.returncode or not DIGEST.fullmatch(found):
        raise SystemExit(f"{image} has no digest: {done.stderr.strip() or found or 'no answer'}")
    return found


def pinned(text: str) -> str:
    """Return the text with each image by digest."""

    def pin(match: re.Match[str]) -> str:
        before, image = match.groups()
        return match[0] if image.startswith((OURS, "${")) else f"{before}{image}@{digest_of(image)}"

    return IMAGE.sub(pin, text)


def main() -> int:
    """Rewrite the files, all or none."""
    texts = {ROOT / name: pinned((ROOT / name).read_text()) for name in FILES}
    for path, text in texts.items():
        path.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
