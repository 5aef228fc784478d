"""The types of keywords: the service's options as Python writes them, and rembg's arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict

if TYPE_CHECKING:
    from library.kinds import Picture


class SharedOptions(TypedDict, total=False):
    """The service's options, except for `decontaminate`, which rembg has too; and `background_image`.

    None is the same as absent. A text is taken as in a form: `crop_margin="10%"`.
    """

    format: Literal["png", "webp", "jpeg", "jpg", "avif", "zip", "gif", "auto"] | None
    quality: int | None
    dpi: int | None
    max_width: int | None
    max_height: int | None
    max_pixels: int | None
    preset: str | None
    model: str | None
    prompt: str | None
    detail: Literal["auto", "off", "always"] | None
    output: Literal["cutout", "mask"] | None
    edges: Literal["soft", "refined", "matting"] | None
    feather: float | None
    alpha_boost: float | None
    threshold: int | None
    smooth: bool | None
    background: str | tuple[int, int, int, int] | None
    background_gradient: str | None
    background_blur: float | None
    background_image: Picture | None
    keep_alpha: bool | None
    crop: bool | None
    crop_margin: str | None
    scale: str | None
    position: str | None
    canvas: str | None
    enlarge: Literal["always", "never"] | None
    roi: str | None
    shadow: Literal["none", "drop", "contact"] | None
    shadow_opacity: int | None
    animated: bool | None


class AllOptions(SharedOptions, total=False):
    """The service's options, and `background_image`."""

    decontaminate: bool | None


class RembgKeywords(AllOptions, total=False):
    """What rembg's `remove` takes by name, and the service's options."""

    alpha_matting: bool
    alpha_matting_foreground_threshold: int
    alpha_matting_background_threshold: int
    alpha_matting_erode_size: int
    session: Any
    only_mask: bool
    post_process_mask: bool
    vitmatte: bool
    vitmatte_model: str | None
    bgcolor: tuple[int, int, int, int] | None
