"""The page's brush gives the bytes that its definition gives."""

import itertools
import json
import random
import shutil
import subprocess
from collections.abc import Sequence

import numpy as np
import pytest

from tests.support.waiting import ROOT
from tests.web.brush_reference import Brush, Point, painted

pytestmark = pytest.mark.skipif(not shutil.which("node"), reason="there is no Node (on Debian: apt install nodejs)")

WIDTH, HEIGHT = 270, 50
MASK = bytes(random.Random(7).choices(range(256), k=WIDTH * HEIGHT))
BRUSHES = [Brush(0, 24, 1, 1), Brush(255, 31.5, 0, 0.6), Brush(0, 1, 1, 1), Brush(255, 60, 0.5, 0.33)]
# A crossing path that leaves the picture, with a point that comes twice.
PATH = [Point(20, 20), Point(130.25, 41), Point(130.25, 41), Point(262, -14), Point(255.5, 60), Point(90, 5.75)]
# A pen's size and opacity change along the path.
PEN = [Point(10, 35, 0.2, 0.1), Point(120, 30, 1, 0.9), Point(250, 40, 0.5, 1)]
Case = tuple[Sequence[Point], Brush]


def _page(cases: Sequence[Case]) -> list[bytes]:
    """Return the masks that the page's brush paints."""
    strokes = [{"points": points, "brush": brush._asdict()} for points, brush in cases]
    asked = {"width": WIDTH, "height": HEIGHT, "bytes": list(MASK), "cases": strokes}
    command = ["node", "--no-warnings", str(ROOT / "tests/web/brush.mjs")]
    out = subprocess.run(command, input=json.dumps(asked).encode(), stdout=subprocess.PIPE, check=True).stdout
    return [out[at : at + len(MASK)] for at in range(0, len(out), len(MASK))]


def _cut(points: Sequence[Point], parts: int) -> list[Point]:
    cut = [points[0]]
    for a, b in itertools.pairwise(points):
        shares = [i / parts for i in range(1, parts + 1)]
        cut += [Point(*(p + (q - p) * share for p, q in zip(a, b, strict=True))) for share in shares]
    return cut


def test_brush_gives_the_bytes_of_its_definition() -> None:
    cases = [(PATH, brush) for brush in BRUSHES] + [(PEN, BRUSHES[0]), (PEN, BRUSHES[3]), (PATH[:1], BRUSHES[1])]
    for page, (points, brush) in zip(_page(cases), cases, strict=True):
        assert page == painted(MASK, WIDTH, points, brush), (points, brush)


def test_path_cut_into_5_or_200_parts_differs_by_one_level_at_most() -> None:
    cases = [(_cut(PATH, parts), brush) for brush in BRUSHES for parts in (1, 5, 200)]
    masks = [np.frombuffer(page, np.uint8).astype(int) for page in _page(cases)]
    for one, five, many in zip(masks[::3], masks[1::3], masks[2::3], strict=True):
        assert np.abs(five - one).max() <= 1
        assert np.abs(many - one).max() <= 1
