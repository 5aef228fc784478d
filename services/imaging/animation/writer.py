"""Writes animations: the writer of a format takes one canvas at a time and keeps only what it has encoded."""

from fractions import Fraction
from typing import Protocol

from services.errors import BadOption
from services.imaging.animation.apng import ApngWriter
from services.imaging.animation.gif import GifWriter
from services.imaging.animation.webp import WebpWriter
from services.imaging.compose import Canvas
from services.imaging.formats import Format
from services.imaging.options import Options


class Writer(Protocol):
    """A file of several frames. All canvases have one size, and all have alpha or none has."""

    def add(self, canvas: Canvas, duration: Fraction) -> None:
        """Encode the next frame, which is shown for `duration` seconds."""

    def finish(self) -> bytes:
        """Return the file."""


def make_writer(options: Options, count: int, plays: int) -> Writer:
    """Return the writer of `options.format` for `count` frames that play `plays` times (0: for ever)."""
    if options.format is Format.WEBP:
        return WebpWriter(options, plays)
    if options.format is Format.PNG:
        return ApngWriter(options, count, plays)
    return GifWriter(plays)


def check_format(options: Options) -> None:
    """Raise `BadOption` for a format without animations."""
    if options.format not in (Format.WEBP, Format.PNG, Format.GIF):
        solution = "Choose one of these, or leave out animated for the first frame alone"
        raise BadOption("format", options.format.value, "webp, png, gif or auto for an animation", solution)
