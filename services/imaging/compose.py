"""Composes photo and matte into a canvas of the final size.

Order: crop, or scale and position, together with the largest size; then the shadow; then the background.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.imaging.blend import cover, gradient, over, place, place_matte
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.ground import ground_on_canvas
from services.imaging.layout import Layout, plan
from services.imaging.options import Options, Output, Shadow
from services.imaging.rasters import Matte, Photo
from services.imaging.region import visible_box
from services.imaging.shadow import cast_shadow, shadow_area
from services.imaging.values import Colour

WHITE: Final[Colour] = (255, 255, 255, 255)
BLACK: Final[Colour] = (0, 0, 0, 255)


@dataclass(frozen=True)
class Canvas:
    """A picture to encode: `pixels` is height × width × 3 (RGB) or height × width (grey); `alpha` None is opaque.

    `foreground` is the subject's box on it, without its shadow. Colours under alpha 0 are the photo's, or 0; encoders
    write them as 0 (PNG), level them (WebP, AVIF) or keep them (ZIP).
    """

    pixels: NDArray[np.uint8]
    alpha: Matte | None
    foreground: Box

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def opaque(self) -> bool:
        """Return whether no pixel is transparent."""
        return self.alpha is None or int(self.alpha.min()) == 255


def compose(
    photo: Photo, matte: Matte, options: Options, background: Photo | None = None, union: Box | None = None
) -> Canvas:
    """Return the canvas that the options ask for; `background` is a picture behind the subject, or with
    `background_blur` the photo's own background. `union` is the box around the subjects of all frames of an animation,
    which are laid out alike.

    A cut-out keeps the photo's pixels bit for bit where it is opaque and nothing resamples. JPEG has no transparency:
    white fills what no background covers. A mask has neither shadow nor background.
    """
    subject = visible_box(matte)
    shadow = cast_shadow(matte, subject, options)
    dark_box = shadow.box if shadow else None
    if union is not None:
        subject = union
        dark_box = None if options.shadow is Shadow.NONE else shadow_area(union, options.shadow)
    layout = plan(photo.width, photo.height, subject, dark_box, options)
    if options.output is Output.MASK:
        mask = place_matte(matte, layout)
        return Canvas(mask, None, visible_box(mask))
    pixels, alpha = place(photo.pixels, matte, layout, keep_hidden=options.format is Format.ZIP)
    canvas = Canvas(pixels, alpha, visible_box(alpha))
    if shadow:
        dark = shadow.on_canvas(layout.canvas, layout.source, layout.target)
        canvas = _over(canvas, _filled(canvas, BLACK).pixels, dark)
    if behind := _behind(photo, layout, options, background):
        canvas = _over(canvas, behind.pixels, behind.alpha)
    if options.format is Format.JPEG and canvas.alpha is not None:
        canvas = _over(canvas, _filled(canvas, WHITE).pixels, None)
    if options.keep_alpha and canvas.alpha is None and options.format is not Format.JPEG:
        opaque = np.full((canvas.height, canvas.width), 255, dtype=np.uint8)
        canvas = Canvas(canvas.pixels, opaque, canvas.foreground)
    return canvas


def _behind(photo: Photo, layout: Layout, options: Options, background: Photo | None) -> Photo | None:
    """Return what fills the canvas behind the subject; None where nothing does."""
    if background is not None and options.background_blur is not None:
        return ground_on_canvas(background, Box(0, 0, photo.width, photo.height), layout)
    if background is not None:
        return cover(background, layout.canvas[2:])
    if options.background_gradient is not None:
        return Photo(gradient(layout.canvas[2:], options.background_gradient))
    if options.background is not None:
        return _filled(layout, options.background)
    return None


def _over(canvas: Canvas, under: NDArray[np.uint8], under_alpha: Matte | None) -> Canvas:
    assert canvas.alpha is not None
    pixels, alpha = over(canvas.pixels, canvas.alpha, under, under_alpha)
    return Canvas(pixels, alpha, canvas.foreground)


def _filled(canvas: Canvas | Layout, colour: Colour) -> Photo:
    """Return one colour in the canvas's size, as a view of one pixel that takes no memory."""
    shape = (canvas.height, canvas.width)
    pixels = np.broadcast_to(np.array(colour[:3], dtype=np.uint8), (*shape, 3))
    return Photo(pixels, None if colour[3] == 255 else np.broadcast_to(np.uint8(colour[3]), shape))
