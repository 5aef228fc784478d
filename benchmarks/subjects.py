"""Cut-outs with known alpha, and backgrounds to put them on: photographs' subjects and drawn ones with hard edges.

Photographs are scikit-image's; their subjects are cut out once by closed-form matting, and from then on their alpha is
exactly known, since the composite is made with it. The others are drawn at three times the size and averaged, so that a
hair of half a pixel's width has an alpha of one half.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import skimage
from numpy.typing import NDArray

DATA: Final = Path(skimage.__file__).parent / "data"
WIDTH, HEIGHT = 1600, 1200
FINE: Final = 3  # drawn at so many times the size
SEED: Final = 20261

Array = NDArray[Any]


@dataclass(frozen=True)
class Subject:
    """`colour` (height × width × 3) and `alpha` (height × width), both 0 to 1; colour is not premultiplied."""

    name: str
    colour: Array
    alpha: Array


class Drawing:
    """A sheet to draw on at three times the size: what is drawn is opaque, the rest is not there."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self._colour = np.zeros((HEIGHT * FINE, WIDTH * FINE, 3), np.uint8)
        self._alpha = np.zeros((HEIGHT * FINE, WIDTH * FINE), np.uint8)

    def line(self, points: Array, colour: tuple[int, int, int], width: float) -> None:
        fine = np.rint(points * FINE).astype(np.int32).reshape(-1, 1, 2)
        thick = max(1, round(width * FINE))
        cv2.polylines(self._colour, [fine], False, colour, thick)
        cv2.polylines(self._alpha, [fine], False, 255, thick)

    def area(self, points: Array, fill: Array | tuple[int, int, int]) -> None:
        """A polygon, filled with a colour or with a picture laid over the whole sheet."""
        shape = np.zeros_like(self._alpha)
        cv2.fillPoly(shape, [np.rint(points * FINE).astype(np.int32)], 255)
        if isinstance(fill, tuple):
            self._colour[shape > 0] = fill
        else:
            large = cv2.resize(fill, (WIDTH * FINE, HEIGHT * FINE), interpolation=cv2.INTER_LINEAR)
            self._colour[shape > 0] = large[shape > 0]
        self._alpha |= shape

    def hole(self, points: Array) -> None:
        cv2.fillPoly(self._alpha, [np.rint(points * FINE).astype(np.int32)], 0)

    def done(self, name: str) -> Subject:
        return _averaged(name, self._colour, self._alpha)


def _averaged(name: str, colour: Array, alpha: Array) -> Subject:
    weight = alpha.astype(np.float32) / 255
    weighed = cv2.resize(
        colour.astype(np.float32) / 255 * weight[..., None], (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA
    )
    small = cv2.resize(weight, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    return Subject(name, weighed / np.maximum(small, 1e-3)[..., None], small)


def photograph(name: str, width: int = WIDTH, height: int = HEIGHT) -> Array:
    """A photograph of scikit-image as RGB, cut to the aspect ratio and resized."""
    image = np.asarray(cv2.imread(str(next(DATA.glob(f"{name}.*")))))[..., ::-1]
    tall, wide = image.shape[:2]
    scale = max(width / wide, height / tall)
    image = cv2.resize(image, (round(wide * scale) + 1, round(tall * scale) + 1), interpolation=cv2.INTER_CUBIC)
    top, left = (image.shape[0] - height) // 2, (image.shape[1] - width) // 2
    return np.ascontiguousarray(image[top : top + height, left : left + width])


def circle(x: float, y: float, rx: float, ry: float | None = None, turns: int = 180) -> Array:
    angles = np.linspace(0, 2 * np.pi, turns)
    return np.stack([x + rx * np.cos(angles), y + (ry or rx) * np.sin(angles)], axis=1)


def _strand(rng: np.random.Generator, start: Array, angle: float, length: float, curl: float) -> Array:
    """A line that leaves `start` at `angle` and bends at random."""
    steps = 14
    turns = angle + np.cumsum(rng.normal(0, curl, steps)) + np.linspace(0, rng.normal(0, 3 * curl), steps)
    moves = np.stack([np.cos(turns), np.sin(turns)], axis=1) * (length / steps)
    return np.concatenate([start[None], start + np.cumsum(moves, axis=0)])


def _shade(rng: np.random.Generator, colour: tuple[int, int, int], spread: int) -> tuple[int, int, int]:
    shift = int(rng.integers(-spread, spread + 1))
    red, green, blue = (int(np.clip(v + shift, 0, 255)) for v in colour)
    return red, green, blue


def long_hair(person: Subject) -> Subject:
    """A photographed person, with strands drawn from her head outwards."""
    sheet = Drawing(SEED + 1)
    for _ in range(1500):
        angle = sheet.rng.uniform(-np.pi * 1.15, np.pi * 0.15)
        start = np.array([720 + 140 * np.cos(angle), 210 + 165 * np.sin(angle)])
        outwards = angle + sheet.rng.normal(0, 0.35)
        colour = _shade(sheet.rng, (124, 92, 56), 40)
        length = sheet.rng.uniform(40, 260)
        sheet.line(_strand(sheet.rng, start, outwards, length, 0.11), colour, sheet.rng.uniform(0.4, 1.5))
    hair = sheet.done("long hair")
    cover = person.alpha + hair.alpha * (1 - person.alpha)
    mixed = person.colour * person.alpha[..., None] + hair.colour * (hair.alpha * (1 - person.alpha))[..., None]
    return Subject("long hair", mixed / np.maximum(cover, 1e-3)[..., None], cover)


def fur() -> Subject:
    sheet = Drawing(SEED + 2)
    coat = cv2.resize(photograph("chelsea")[0:360, 560:1040], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    sheet.area(circle(800, 760, 400, 320), coat)
    sheet.area(circle(800, 430, 230, 210), coat)
    for x in (640, 960):
        sheet.area(np.array([[x - 75, 330], [x + 75, 330], [x + (x - 800) * 0.5, 140]], float), coat)
    for cx, cy, rx, ry, many in ((800, 760, 400, 320, 9000), (800, 430, 230, 210, 4000)):
        for angle in sheet.rng.uniform(0, 2 * np.pi, many):
            start = np.array([cx + rx * 0.97 * np.cos(angle), cy + ry * 0.97 * np.sin(angle)])
            x, y = np.clip(start.astype(int), 0, [WIDTH - 1, HEIGHT - 1])
            colour = _shade(sheet.rng, tuple(int(v) for v in coat[y, x]), 25)  # type: ignore[arg-type]
            sheet.line(
                _strand(sheet.rng, start, angle + 0.5, sheet.rng.uniform(20, 62), 0.08),
                colour,
                sheet.rng.uniform(0.5, 1.5),
            )
    for x in (725, 875):
        sheet.area(circle(x, 410, 34), (200, 190, 60))
        sheet.area(circle(x, 410, 12, 30), (15, 15, 15))
    sheet.area(circle(800, 500, 26, 18), (190, 110, 110))
    return sheet.done("fur")


def glass() -> Subject:
    """A goblet: clear in the middle, denser at the rim, with highlights. As in a studio."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    half = np.interp(
        y, [150, 250, 450, 600, 640, 700, 950, 1000, 1060, 1080], [225, 245, 250, 140, 60, 18, 18, 60, 210, 215]
    ).astype(np.float32)
    across = np.abs(x - 800) / half
    inside = (
        np.clip((half - np.abs(x - 800)) / 1.2 + 0.5, 0, 1)
        * np.clip((y - 150) / 1.2, 0, 1)
        * np.clip((1080 - y) / 1.2, 0, 1)
    )
    alpha = np.clip(0.18 + 0.75 * across**6, 0, 1)
    alpha = np.where(y > 620, np.maximum(alpha, 0.55), alpha)
    wine = np.clip((y - 330) / 3, 0, 1) * (y < 630) * np.clip((half - 14 - np.abs(x - 800)) / 3, 0, 1)
    alpha = np.maximum(alpha, 0.93 * wine)
    light = np.exp(-(((x - 690) / 22) ** 2) - ((y - 330) / 130) ** 2)
    alpha = np.maximum(alpha, light) * inside
    colour = np.empty((HEIGHT, WIDTH, 3), np.float32)
    colour[:] = (0.85, 0.9, 0.93)
    colour = colour * (1 - wine[..., None]) + wine[..., None] * np.array([0.45, 0.03, 0.1], np.float32)
    colour = colour * (1 - light[..., None]) + light[..., None]
    return Subject("glass", colour.astype(np.float32), alpha.astype(np.float32))


def bicycle() -> Subject:
    sheet = Drawing(SEED + 4)
    for x in (430, 1170):
        for radius, width, colour in ((270, 30, (25, 25, 28)), (250, 10, (190, 195, 200))):
            sheet.line(circle(x, 780, radius), colour, width)
        for k, angle in enumerate(np.linspace(0, 2 * np.pi, 25)[:-1]):
            hub = angle + (0.55 if k % 2 else -0.55)
            ends = [
                [x + 26 * np.cos(hub), 780 + 26 * np.sin(hub)],
                [x + 246 * np.cos(angle), 780 + 246 * np.sin(angle)],
            ]
            sheet.line(np.array(ends), _shade(sheet.rng, (170, 175, 182), 30), 2.0)
        sheet.area(circle(x, 780, 30), (90, 92, 98))
    saddle, crank, head = [600, 420], [760, 800], [1050, 430]
    for ends, width in (
        ([saddle, crank], 26),
        ([crank, head], 26),
        ([[625, 480], head], 24),
        ([crank, [430, 780]], 18),
        ([[615, 470], [430, 780]], 16),
        ([head, [1170, 780]], 24),
        ([head, [1020, 330]], 20),
    ):
        sheet.line(np.array(ends, float), (176, 30, 38), width)
    sheet.area(np.array([[520, 400], [700, 390], [690, 425], [540, 440]], float), (30, 28, 28))
    sheet.line(np.array([[1020, 330], [960, 320], [1120, 300], [1160, 360]], float), (40, 40, 44), 18)
    sheet.line(circle(760, 800, 62), (60, 62, 66), 10)
    return sheet.done("bicycle")


def leaves() -> Subject:
    sheet = Drawing(SEED + 5)
    sheet.area(np.array([[620, 1190], [650, 900], [950, 900], [980, 1190]], float), photograph("brick"))
    for stem in range(15):
        path = _strand(
            sheet.rng,
            np.array([800.0 + 12 * (stem - 7), 905]),
            -np.pi / 2 + (stem - 7) * 0.13,
            sheet.rng.uniform(380, 700),
            0.05,
        )
        sheet.line(path, (70, 95, 40), 4)
        for k in range(3, len(path)):
            for side in (-1, 1):
                along = np.arctan2(*(path[k] - path[k - 1])[::-1]) + side * sheet.rng.uniform(0.5, 1.1)
                length, width = sheet.rng.uniform(55, 95), sheet.rng.uniform(13, 24)
                t = np.linspace(0, 1, 24)
                edge = np.concatenate(
                    [np.stack([t * length, width * np.sin(np.pi * t) * s], axis=1)[::s] for s in (1, -1)]
                )
                turn = np.array([[np.cos(along), np.sin(along)], [-np.sin(along), np.cos(along)]])
                sheet.area(edge @ turn + path[k], _shade(sheet.rng, (72, 124, 48), 40))
                sheet.line(np.stack([path[k], path[k] + turn[0] * length]), (120, 160, 90), 1.0)
    return sheet.done("leaves")


def thin_lines() -> Subject:
    """A mast with stays and a small boat under it."""
    sheet = Drawing(SEED + 6)
    sheet.area(np.array([[380, 940], [1260, 940], [1140, 1080], [500, 1080]], float), (150, 40, 35))
    sheet.area(np.array([[430, 910], [1230, 910], [1260, 940], [380, 940]], float), (235, 230, 220))
    sheet.line(np.array([[800.0, 920], [800, 110]]), (110, 80, 50), 9)
    for x, width in ((390, 2.0), (520, 1.2), (660, 1.0), (960, 1.0), (1100, 1.4), (1250, 2.0)):
        sheet.line(np.array([[800.0, 130], [x, 915]]), (70, 70, 74), width)
    for y in range(260, 900, 80):
        reach = (y - 130) * 0.35
        sheet.line(np.array([[800 - reach, y], [800 + reach, y]], float), (80, 78, 74), 1.3)
    sheet.area(np.array([[812, 190], [812, 850], [1080, 850]], float), photograph("gravel"))
    return sheet.done("thin lines")


def dandelion() -> Subject:
    sheet = Drawing(SEED + 7)
    sheet.line(np.array([[800.0, 560], [790, 800], [770, 1195]]), (120, 140, 70), 15)
    for angle in sheet.rng.uniform(0, 2 * np.pi, 800):
        reach = 330 * np.sqrt(sheet.rng.uniform(0.25, 1))
        tip = np.array([800 + reach * np.cos(angle), 430 + reach * np.sin(angle)])
        sheet.line(np.array([[800 + 45 * np.cos(angle), 430 + 45 * np.sin(angle)], tip]), (205, 205, 195), 0.9)
        for turn in np.linspace(-1.2, 1.2, 15):
            end = tip + 46 * np.array([np.cos(angle + turn), np.sin(angle + turn)])
            sheet.line(np.stack([tip, end]), _shade(sheet.rng, (235, 235, 230), 15), 0.55)
    sheet.area(circle(800, 430, 120), (110, 95, 60))
    return sheet.done("dandelion")


def chair() -> Subject:
    sheet = Drawing(SEED + 8)
    wood = cv2.convertScaleAbs(photograph("coffee"), alpha=0.8, beta=10)
    for x in (500, 1020):
        sheet.area(np.array([[x, 120], [x + 80, 120], [x + 80, 1150], [x, 1150]], float), wood)
    for y in range(150, 640, 110):
        sheet.area(np.array([[560, y], [1040, y + 6], [1040, y + 70], [560, y + 64]], float), wood)
    sheet.area(np.array([[470, 680], [1130, 680], [1170, 770], [430, 770]], float), wood)
    for x in (450, 1110):
        sheet.area(np.array([[x, 765], [x + 66, 765], [x + 56, 1175], [x + 8, 1175]], float), wood)
    sheet.line(np.array([[465.0, 980], [1130, 980]]), (80, 52, 30), 12)
    return sheet.done("chair")


def veil() -> Subject:
    """A figure under a thin cloth: broad half-transparent areas beside opaque ones."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    body = np.clip(1.2 - (((x - 800) / 190) ** 2 + ((y - 760) / 470) ** 2), 0, 0.02) * 50
    head = np.clip(1.2 - (((x - 800) / 110) ** 2 + ((y - 260) / 135) ** 2), 0, 0.02) * 50
    solid = np.maximum(body, head)
    reach = 160 + (y - 110) * 0.42
    cloth = np.clip((reach - np.abs(x - 800)) / 2.0, 0, 1) * np.clip((y - 110) / 2.0, 0, 1)
    folds = 0.42 + 0.14 * np.sin(x / 31 + 4 * np.sin(y / 190)) + 0.08 * np.sin(x / 9 + y / 70)
    alpha = np.clip(np.maximum(solid, cloth * folds), 0, 1)
    colour = np.empty((HEIGHT, WIDTH, 3), np.float32)
    colour[:] = (0.93, 0.92, 0.95)
    picture = photograph("astronaut").astype(np.float32) / 255
    colour = np.where(solid[..., None] > 0.5, 0.55 * picture + 0.45 * colour, colour)
    return Subject("veil", colour.astype(np.float32), alpha.astype(np.float32))


def ball() -> Subject:
    """A ball out of focus: an edge that is soft over 25 px."""
    y, x = np.mgrid[0:HEIGHT, 0:WIDTH].astype(np.float32)
    distance = np.hypot(x - 800, y - 600)
    alpha = np.clip((400 - distance) / 25 + 0.5, 0, 1)
    alpha = alpha * alpha * (3 - 2 * alpha)
    light = np.clip(1.15 - np.hypot(x - 660, y - 440) / 620, 0.15, 1)
    stripes = (np.sin((x + y) / 60) > 0).astype(np.float32)
    colour = np.stack([0.85 * light, (0.25 + 0.5 * stripes) * light, 0.18 * light], axis=2)
    return Subject("ball", cv2.GaussianBlur(colour, (0, 0), 8), alpha.astype(np.float32))


DRAWN: Final[tuple[Callable[[], Subject], ...]] = (
    fur,
    glass,
    bicycle,
    leaves,
    thin_lines,
    dandelion,
    chair,
    veil,
    ball,
)

PHOTOGRAPHED: Final = ("astronaut", "chelsea", "coffee", "motorcycle_left")
# Two backgrounds for each, before which the default model finds it: a mask that misses it says nothing about edges.
BACKGROUNDS: Final = {
    "astronaut": ("grass", "coffee"),
    "chelsea": ("brick", "rocket"),
    "coffee": ("ihc", "hubble_deep_field"),
    "motorcycle_left": ("brick", "retina"),
    "long hair": ("rocket", "brick"),
    "fur": ("retina", "gravel"),
    "glass": ("brick", "ihc"),
    "bicycle": ("coffee", "grass"),
    "leaves": ("coffee", "hubble_deep_field"),
    "thin lines": ("rocket", "brick"),
    "dandelion": ("retina", "coffee"),
    "chair": ("grass", "gravel"),
    "veil": ("grass", "retina"),
    "ball": ("astronaut", "brick"),
}


def photographed(name: str, cutout: Array) -> Subject:
    """A photograph's cut-out (RGBA) in the middle of the sheet, as high as it is."""
    size = (round(cutout.shape[1] * HEIGHT / cutout.shape[0]), HEIGHT)
    alpha = cutout[..., 3:].astype(np.float32) / 255
    weighed = np.dstack([cutout[..., :3].astype(np.float32) / 255 * alpha, alpha])
    large = np.clip(cv2.resize(weighed, size, interpolation=cv2.INTER_CUBIC), 0, 1)
    sheet = np.zeros((HEIGHT, WIDTH, 4), np.float32)
    beyond, left = max(0, (size[0] - WIDTH) // 2), max(0, (WIDTH - size[0]) // 2)
    sheet[:, left : left + size[0]] = large[:, beyond : beyond + WIDTH]
    return Subject(name, np.clip(sheet[..., :3] / np.maximum(sheet[..., 3:], 1e-3), 0, 1), sheet[..., 3])


def background(name: str) -> Array:
    """A photograph as it looks behind a subject in focus: a little blurred, and much where it has a subject itself."""
    sigma = 30 if name in PHOTOGRAPHED else 4
    return cv2.GaussianBlur(photograph(name), (0, 0), sigma).astype(np.float32) / 255


def over(subject: Subject, behind: Array) -> Array:
    """The subject before a background, with a camera's noise."""
    cover = subject.alpha[..., None]
    noise = np.random.default_rng(SEED).normal(0, 0.006, behind.shape).astype(np.float32)
    seen = subject.colour * cover + behind * (1 - cover) + noise
    return np.asarray(np.clip(seen * 255 + 0.5, 0, 255), dtype=np.uint8)


def composites(cutouts: dict[str, Array]) -> Iterator[tuple[str, Subject, Array]]:
    """(name, subject, picture) of every subject before two backgrounds."""
    made = [photographed(name, cutout) for name, cutout in cutouts.items()]
    for subject in (*made, long_hair(made[0]), *(draw() for draw in DRAWN)):
        for behind in BACKGROUNDS[subject.name]:
            yield f"{subject.name}-{behind}".replace(" ", "_"), subject, over(subject, background(behind))
