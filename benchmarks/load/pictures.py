"""Photographs by the hundred, no two alike: pieces of scikit-image's, at mixed sizes, or those of a folder."""

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageEnhance, ImageOps

BASES = ("astronaut", "chelsea", "coffee", "motorcycle_left", "motorcycle_right", "rocket")
SIZES = ((1200, 900), (900, 1200), (1280, 1280), (1600, 1200), (1800, 1200), (2000, 1500))  # 1.1 to 3 megapixels
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


def photographs(count: int, folder: Path, given: Path | None = None) -> list[Path]:
    """So many files, all with different bytes: written into `folder`, from the photos in `given` if there are any."""
    folder.mkdir()
    files = [folder / f"{number:05}.jpg" for number in range(1, count + 1)]
    sources = sorted(path for path in given.rglob("*") if path.suffix.lower() in ENDINGS) if given else []
    if given and not sources:
        raise SystemExit(f"{given} holds no {', '.join(ENDINGS)}")
    for number, file in enumerate(files):
        file.write_bytes(taken_from(sources, number) if sources else made(number))
    return files


def taken_from(sources: Sequence[Path], number: int) -> bytes:
    """One of the photos; where they come round again, with bytes behind its end that no decoder looks at."""
    again, place = divmod(number, len(sources))
    return sources[place].read_bytes() + again.to_bytes(4, "big") * bool(again)


def made(number: int) -> bytes:
    """A piece of a photograph, perhaps mirrored, in its own light, as a JPEG; the same for the same number."""
    rng = np.random.default_rng(number)
    base = photograph(BASES[number % len(BASES)])
    width, height = SIZES[int(rng.integers(len(SIZES)))]
    shape = min(base.width / width, base.height / height) * rng.uniform(0.75, 1.0)
    left = int(rng.integers(0, base.width - int(width * shape) + 1))
    top = int(rng.integers(0, base.height - int(height * shape) + 1))
    box = (left, top, left + int(width * shape), top + int(height * shape))
    piece = base.resize((width, height), Image.Resampling.BICUBIC, box)
    piece = ImageOps.mirror(piece) if rng.random() < 0.5 else piece
    piece = ImageEnhance.Brightness(piece).enhance(rng.uniform(0.85, 1.15))
    out = io.BytesIO()
    piece.save(out, "JPEG", quality=int(rng.integers(82, 93)), comment=f"{number}".encode())
    return out.getvalue()


@cache
def photograph(name: str) -> Image.Image:
    with Image.open(Path(skimage.__file__).parent / f"data/{name}.{'jpg' if name == 'rocket' else 'png'}") as image:
        return image.convert("RGB")
