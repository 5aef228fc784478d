"""Drawn subjects for the quality benchmark: hair, fur, glass, spokes, leaves, thin lines, cloth and blur."""

from collections.abc import Callable
from typing import Final

import cv2
import numpy as np

from benchmarks.drawing import HEIGHT, SEED, WIDTH, Drawing, Subject, circle, photograph, shade, strand


def long_hair(person: Subject) -> Subject:
    """Add drawn strands of hair around the head of a photographed person."""
    sheet = Drawing(SEED + 1)
    for _ in range(1500):
        angle = sheet.rng.uniform(-np.pi * 1.15, np.pi * 0.15)
        start = np.array([720 + 140 * np.cos(angle), 210 + 165 * np.sin(angle)])
        outwards = angle + sheet.rng.normal(0, 0.35)
        colour = shade(sheet.rng, (124, 92, 56), 40)
        length = sheet.rng.uniform(40, 260)
        sheet.line(strand(sheet.rng, start, outwards, length, 0.11), colour, sheet.rng.uniform(0.4, 1.5))
    hair = sheet.finish("long hair")
    cover = person.alpha + hair.alpha * (1 - person.alpha)
    mixed = person.colour * person.alpha[..., None] + hair.colour * (hair.alpha * (1 - person.alpha))[..., None]
    return Subject("long hair", mixed / np.maximum(cover, 1e-3)[..., None], cover)


def fur() -> Subject:
    """Draw an animal with thousands of short hairs at its outline."""
    sheet = Drawing(SEED + 2)
    coat = cv2.resize(photograph("chelsea")[0:360, 560:1040], (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    sheet.area(circle(800, 760, 400, 320), coat)
    sheet.area(circle(800, 430, 230, 210), coat)
    for x in (640, 960):
        sheet.area(np.array([[x - 75, 330], [x + 75, 330], [x + (x - 800) * 0.5, 140]], float), coat)
    for cx, cy, rx, ry, hairs in ((800, 760, 400, 320, 9000), (800, 430, 230, 210, 4000)):
        for angle in sheet.rng.uniform(0, 2 * np.pi, hairs):
            start = np.array([cx + rx * 0.97 * np.cos(angle), cy + ry * 0.97 * np.sin(angle)])
            x, y = np.clip(start.astype(int), 0, [WIDTH - 1, HEIGHT - 1])
            red, green, blue = (int(value) for value in coat[y, x])
            colour = shade(sheet.rng, (red, green, blue), 25)
            sheet.line(
                strand(sheet.rng, start, angle + 0.5, sheet.rng.uniform(20, 62), 0.08),
                colour,
                sheet.rng.uniform(0.5, 1.5),
            )
    for x in (725, 875):
        sheet.area(circle(x, 410, 34), (200, 190, 60))
        sheet.area(circle(x, 410, 12, 30), (15, 15, 15))
    sheet.area(circle(800, 500, 26, 18), (190, 110, 110))
    return sheet.finish("fur")


def glass() -> Subject:
    """Draw a goblet: clear in the middle, denser at the rim, with highlights."""
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
    """Draw a bicycle with thin spokes."""
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
            sheet.line(np.array(ends), shade(sheet.rng, (170, 175, 182), 30), 2.0)
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
    return sheet.finish("bicycle")


def leaves() -> Subject:
    """Draw a potted plant with many small leaves."""
    sheet = Drawing(SEED + 5)
    sheet.area(np.array([[620, 1190], [650, 900], [950, 900], [980, 1190]], float), photograph("brick"))
    for stem in range(15):
        path = strand(
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
                sheet.area(edge @ turn + path[k], shade(sheet.rng, (72, 124, 48), 40))
                sheet.line(np.stack([path[k], path[k] + turn[0] * length]), (120, 160, 90), 1.0)
    return sheet.finish("leaves")


def thin_lines() -> Subject:
    """Draw a boat whose mast has stays of one to two pixels."""
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
    return sheet.finish("thin lines")


def dandelion() -> Subject:
    """Draw a dandelion's seed head with lines thinner than a pixel."""
    sheet = Drawing(SEED + 7)
    sheet.line(np.array([[800.0, 560], [790, 800], [770, 1195]]), (120, 140, 70), 15)
    for angle in sheet.rng.uniform(0, 2 * np.pi, 800):
        reach = 330 * np.sqrt(sheet.rng.uniform(0.25, 1))
        tip = np.array([800 + reach * np.cos(angle), 430 + reach * np.sin(angle)])
        sheet.line(np.array([[800 + 45 * np.cos(angle), 430 + 45 * np.sin(angle)], tip]), (205, 205, 195), 0.9)
        for turn in np.linspace(-1.2, 1.2, 15):
            end = tip + 46 * np.array([np.cos(angle + turn), np.sin(angle + turn)])
            sheet.line(np.stack([tip, end]), shade(sheet.rng, (235, 235, 230), 15), 0.55)
    sheet.area(circle(800, 430, 120), (110, 95, 60))
    return sheet.finish("dandelion")


def chair() -> Subject:
    """Draw a chair with gaps between its slats."""
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
    return sheet.finish("chair")


def veil() -> Subject:
    """Draw a figure under a thin cloth: large half-transparent areas next to opaque ones."""
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
    """Draw a ball out of focus: its edge is soft over 25 px."""
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
