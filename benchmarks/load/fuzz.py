"""Send thousands of damaged images to a running service: `make fuzz` (FUZZ="--count 5000 --seed 7").

Photographs in every accepted format are damaged: a third at random, a third by extreme numbers in their headers, a
third PNG chunk by PNG chunk. A quarter of the cases are animations whose frames are all cut out. The files of
`tests/support/pictures/corpus.py` follow. Each response must be 200 or 4xx. Afterwards the worker processes must be
the same, no file may be left behind, and an intact image must give the same bytes as before.
"""

import argparse
import io
import random
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import pillow_heif
import requests
from PIL import Image
from rich.progress import track

from benchmarks.stages import photo
from tests.support.gunicorn import Gunicorn
from tests.support.pictures.corpus import FILES
from tests.support.pictures.damage import SIGNATURE, damaged_chunks, extreme_numbers
from tests.support.pictures.hostile import tiff_strips, tiff_tile

FORMATS = ("JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "AVIF")
SLOW_SECONDS = 10.0
ANIMATIONS = ("GIF", "PNG", "WEBP")
OUTPUTS = ("webp", "png", "gif")


def main() -> None:
    """Send all cases. At the first wrong response, exits with 1 and prints the seed of the case."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 30))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}")
    originals, statuses = images(), Counter[int]()
    with tempfile.TemporaryDirectory() as scratch, Gunicorn(TMPDIR=scratch) as server:
        url, good = f"{server.url}/remove-background", originals[0]
        expected, pids, files = send(url, good).content, server.workers(), sorted(Path(scratch).rglob("*"))
        for seed in track(range(chosen.seed, chosen.seed + chosen.count), description="damaged"):
            moves = seed % 4 == 0
            options = {"animated": "true", "format": random.Random(seed).choice(OUTPUTS)} if moves else {}
            statuses[check(url, case(animations() if moves else originals, seed), f"seed {seed}", options)] += 1
        for file in track(FILES, description="corpus"):
            statuses[check(url, file.make(), file.name)] += 1
        assert server.workers() == pids, "a worker died"
        assert sorted(Path(scratch).rglob("*")) == files, "a file was left behind"
        assert send(url, good).content == expected, "an intact image gave other bytes"
    print(f"{sum(statuses.values())} sent: {dict(statuses)}. Same workers, no file left, intact image unchanged.")


def images() -> list[bytes]:
    """Return one photograph in every accepted format, and TIFF files with tiles, strips and 64-bit offsets."""
    image = Image.open(io.BytesIO(photo(320, 240)))
    found = []
    for form in FORMATS:
        out = io.BytesIO()
        image.save(out, form)
        found.append(out.getvalue())
    out = io.BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=60)
    return [*found, out.getvalue(), tiff_tile(48), tiff_tile(48, order=">", big=True), tiff_strips(64, big=True)]


@cache
def animations() -> list[bytes]:
    """Return three moving frames in every form, with differing durations, and disposal where the form has it."""
    image = Image.open(io.BytesIO(photo(96, 72)))
    frames = [image, image.rotate(20), image.rotate(40)]
    found = []
    for form in ANIMATIONS:
        out = io.BytesIO()
        disposal = {} if form == "WEBP" else {"disposal": [0, 1, 2]}
        frames[0].save(out, form, save_all=True, append_images=frames[1:], duration=[30, 40, 100], loop=0, **disposal)
        found.append(out.getvalue())
    return found


def case(originals: list[bytes], seed: int) -> bytes:
    """Return the damaged image of a seed."""
    match seed % 3:
        case 0:
            return extreme_numbers(random.Random(seed).choice(originals), seed)
        case 1:
            return damaged_chunks(next(image for image in originals if image.startswith(SIGNATURE)), seed)
        case _:
            return damaged(originals, seed)


def damaged(originals: list[bytes], seed: int) -> bytes:
    """Return one of the images with one to four kinds of damage.

    Bytes are changed, removed, duplicated or overwritten; the file is truncated or continued with another one.
    """
    chance = random.Random(seed)
    data = bytearray(chance.choice(originals))
    for _ in range(chance.randint(1, 4)):
        # Headers are a small part of a file, and most of the parser's code reads them.
        at = chance.randrange(min(len(data), chance.choice((64, 1024, len(data)))))
        length = chance.choice((1, 2, 4, 16, 256))
        match chance.randrange(6):
            case 0:
                data[at] = chance.randrange(256)
            case 1:
                del data[at : at + length]
            case 2:
                data[at:at] = data[at : at + length]
            case 3:
                data[at : at + length] = bytes([chance.choice((0, 255, 127))]) * length
            case 4:
                data = data[: max(1, at)] + bytearray(chance.choice(originals)[at:])
            case _:
                data = data[: max(1, at)]
        if not data:
            return b"\0"
    return bytes(data)


def check(url: str, data: bytes, name: str, options: Mapping[str, str] = MappingProxyType({})) -> int:
    """Send a case; return the status. Exits if it is neither 200 nor 4xx, or if the response took too long."""
    start = time.monotonic()
    answer = send(url, data, options)
    if answer.status_code != 200 and not 400 <= answer.status_code < 500:
        raise SystemExit(f"{name}: {answer.status_code} {answer.text[:300]}")
    if time.monotonic() - start > SLOW_SECONDS:
        raise SystemExit(f"{name}: took {time.monotonic() - start:.1f} s")
    return answer.status_code


def send(url: str, data: bytes, options: Mapping[str, str] = MappingProxyType({})) -> requests.Response:
    """Post a file with options."""
    return requests.post(url, files={"file": ("a.jpg", data)}, data=options, timeout=90)


if __name__ == "__main__":
    main()
