"""The README's before-and-after picture, made by the product itself: `python docs/pictures.py`."""

import io
import subprocess
import sys
from pathlib import Path

from PIL import Image, ImageDraw

ROOT = Path(__file__).parent.parent
PHOTOS = ("astronaut", "chelsea", "coffee")  # in the public domain; scikit-image carries them
HEIGHT, GAP, CELL = 300, 12, 12


def main() -> None:
    """Each photo above its cut-out, on a checkerboard."""
    import skimage

    data = Path(skimage.__file__).parent / "data"
    columns = [(Image.open(data / f"{name}.png").convert("RGB"), cutout(data / f"{name}.png")) for name in PHOTOS]
    widths = [round(before.width * HEIGHT / before.height) for before, _ in columns]
    sheet = Image.new("RGB", (sum(widths) + GAP * (len(widths) + 1), 2 * HEIGHT + 3 * GAP), "white")
    left = GAP
    for (before, after), width in zip(columns, widths, strict=True):
        size = (width, HEIGHT)
        sheet.paste(before.resize(size, Image.Resampling.LANCZOS), (left, GAP))
        small = after.resize(size, Image.Resampling.LANCZOS)
        ground = checkerboard(size)
        ground.paste(small, mask=small)
        sheet.paste(ground, (left, HEIGHT + 2 * GAP))
        left += width + GAP
    sheet.save(ROOT / "docs/before-after.jpg", quality=85, optimize=True)


def cutout(photo: Path) -> Image.Image:
    """What `python cli.py remove` makes of the photo."""
    command = [sys.executable, str(ROOT / "cli.py"), "remove", "-"]
    done = subprocess.run(command, input=photo.read_bytes(), capture_output=True, check=True, cwd=ROOT)  # noqa: S603
    return Image.open(io.BytesIO(done.stdout))


def checkerboard(size: tuple[int, int]) -> Image.Image:
    """Grey and white squares, as editors show transparency."""
    board = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(board)
    for x in range(0, size[0], CELL):
        for y in range((x // CELL % 2) * CELL, size[1], 2 * CELL):
            draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), fill=(214, 219, 226))
    return board


if __name__ == "__main__":
    main()
