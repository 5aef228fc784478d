"""Make the pictures of the documentation with the command line: `python docs/pictures.py`."""

import io
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

ROOT = Path(__file__).parent.parent
# In the public domain; they come with scikit-image.
PHOTOS = ("astronaut", "chelsea", "coffee")
HEIGHT, GAP, CELL = 300, 12, 12
COMPOSED: Final = (
    ("scale=80%", "shadow=drop", "background=f2efe9"),
    ("scale=80%", "shadow=contact", "background=f2efe9"),
    ("crop=true", "crop_margin=5%"),
    ("scale=60%", "position=0% 100%"),
    ("crop=true", "background=steelblue", "shadow=drop"),
    ("scale=80%", "background_image={image}", "shadow=drop"),
)
WIDTH, COLUMNS, LINE = 300, 3, 18


def main() -> None:
    """Write both pictures into `docs/`."""
    import skimage

    data = Path(skimage.__file__).parent / "data"
    before_after(data)
    composition(data)


def before_after(data: Path) -> None:
    """Write `before-after.jpg`: each photo above its cut-out on a checkerboard."""
    columns = [(Image.open(data / f"{name}.png").convert("RGB"), cutout(data / f"{name}.png")) for name in PHOTOS]
    widths = [round(before.width * HEIGHT / before.height) for before, _ in columns]
    sheet = Image.new("RGB", (sum(widths) + GAP * (len(widths) + 1), 2 * HEIGHT + 3 * GAP), "white")
    left = GAP
    for (before, after), width in zip(columns, widths, strict=True):
        size = (width, HEIGHT)
        sheet.paste(before.resize(size, Image.Resampling.LANCZOS), (left, GAP))
        sheet.paste(on_checkerboard(after.resize(size, Image.Resampling.LANCZOS)), (left, HEIGHT + 2 * GAP))
        left += width + GAP
    sheet.save(ROOT / "docs/before-after.jpg", quality=85, optimize=True)


def composition(data: Path) -> None:
    """Write `composition.jpg`: one photo with shadows, crops, positions and backgrounds, each above its options."""
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "gravel.jpg"
        Image.open(data / "gravel.png").convert("RGB").resize((600, 600)).save(image)
        requested = [[option.format(image=image) for option in options] for options in COMPOSED]
        cells = [cutout(data / "coffee.png", *options, "max_width=300", "max_height=200") for options in requested]
    height, rows = 200 + LINE, -(-len(cells) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * WIDTH + (COLUMNS + 1) * GAP, rows * height + (rows + 1) * GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for index, (cell, options) in enumerate(zip(cells, COMPOSED, strict=True)):
        left, top = GAP + index % COLUMNS * (WIDTH + GAP), GAP + index // COLUMNS * (height + GAP)
        shown = on_checkerboard(cell)
        sheet.paste(shown, (left + (WIDTH - shown.width) // 2, top))
        draw.text((left, top + 204), "  ".join(options).format(image="gravel.jpg"), "black")
    sheet.save(ROOT / "docs/composition.jpg", quality=85, optimize=True)


def cutout(photo: Path, *options: str) -> Image.Image:
    """Return the result of `python cli.py remove` for the photo."""
    command = [sys.executable, str(ROOT / "cli.py"), "remove", "-"]
    for option in options:
        command += ["-O", option]
    done = subprocess.run(command, input=photo.read_bytes(), capture_output=True, check=True, cwd=ROOT)  # noqa: S603
    return Image.open(io.BytesIO(done.stdout))


def on_checkerboard(picture: Image.Image) -> Image.Image:
    """Return the picture on grey and white squares, as editors show transparency."""
    board = Image.new("RGB", picture.size, "white")
    draw = ImageDraw.Draw(board)
    for x in range(0, picture.width, CELL):
        for y in range((x // CELL % 2) * CELL, picture.height, 2 * CELL):
            draw.rectangle((x, y, x + CELL - 1, y + CELL - 1), fill=(214, 219, 226))
    board.paste(picture, mask=picture.getchannel("A") if picture.mode == "RGBA" else None)
    return board


if __name__ == "__main__":
    main()
