"""Make hundreds of different photographs: crops of scikit-image's at mixed sizes, or the files of a folder."""

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
import skimage
from PIL import Image, ImageEnhance, ImageOps

BASES = ("astronaut", "chelsea", "coffee", "motorcycle_left", "motorcycle_right", "rocket")
# 1.1 to 3 megapixels.
SIZES = ((1200, 900), (900, 1200), (1280, 1280), (1600, 1200), (1800, 1200), (2000, 1500))
ENDINGS = (".jpg", ".jpeg", ".png", ".webp")


def photographs(count: int, folder: Path, given: Path | None = None) -> list[Path]:
    """Write `count` files with different bytes into `folder`, from the photographs in `given` if it is set."""
    folder.mkdir()
    files = [folder / f"{number:05}.jpg" for number in range(1, count + 1)]
    sources = sorted(path for path in given.rglob("*") if path.suffix.lower() in ENDINGS) if given else []
    if given and not sources:
        raise SystemExit(f"{given} holds no {', '.join(ENDINGS)}")
    for number, file in enumerate(files):
        file.write_bytes(numbered_copy(sources, number) if sources else crop(number))
    return files


def numbered_copy(sources: Sequence[Path], number: int) -> bytes:
    """Return one of the photographs; each repetition gets different bytes after its end, which decoders ignore."""
    repetition, index = divmod(number, len(sources))
    suffix = repetition.to_bytes(4, "big") if repetition else b""
    return sources[index].read_bytes() + suffix


def crop(number: int) -> bytes:
    """Return a crop of a photograph as a JPEG, at random mirrored and brightened. `number` seeds the choices."""
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
    """Return a photograph of scikit-image."""
    with Image.open(Path(skimage.__file__).parent / f"data/{name}.{'jpg' if name == 'rocket' else 'png'}") as image:
        return image.convert("RGB")
