"""Removes image backgrounds in process: `from bgremove import remove, Remover`.

`remove` takes the arguments of rembg's `remove`, and this service's options as keywords. Nothing is loaded before the
first call. `main` is the command `bgremove`.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Literal, Unpack, overload

from library.remover import Item, Remover
from library.sessions import new_session, session_remover
from services.errors import ServiceError

if TYPE_CHECKING:
    from library.keywords import RembgKeywords, SharedOptions
    from library.kinds import Array, File, Image, Picture

__all__ = ["Item", "Remover", "ServiceError", "new_session", "remove"]


@overload
def remove(data: Picture, *rembg: Any, force_return_bytes: Literal[True], **more: Unpack[RembgKeywords]) -> bytes: ...
@overload
def remove(
    data: File, *rembg: Any, force_return_bytes: Literal[False] = False, **more: Unpack[RembgKeywords]
) -> bytes: ...
@overload
def remove(
    data: Image, *rembg: Any, force_return_bytes: Literal[False] = False, **more: Unpack[RembgKeywords]
) -> Image: ...
@overload
def remove(
    data: Array, *rembg: Any, force_return_bytes: Literal[False] = False, **more: Unpack[RembgKeywords]
) -> Array: ...
# The overloads take rembg's arguments by place as they come.
def remove(  # type: ignore[misc]
    data: Picture,
    alpha_matting: bool = False,
    alpha_matting_foreground_threshold: int = 240,  # noqa: ARG001 - rembg's
    alpha_matting_background_threshold: int = 10,  # noqa: ARG001 - rembg's
    alpha_matting_erode_size: int = 10,  # noqa: ARG001 - rembg's
    session: Any = None,
    only_mask: bool = False,
    post_process_mask: bool = False,
    decontaminate: bool | None = None,
    vitmatte: bool = False,
    vitmatte_model: str | None = None,  # noqa: ARG001 - rembg's
    bgcolor: tuple[int, int, int, int] | None = None,
    force_return_bytes: bool = False,
    **options: Unpack[SharedOptions],
) -> bytes | Image | Array:
    """Return the picture without its background, in the kind that came: a file's bytes, a PIL image, or an array.

    `data` is the bytes or the path of an image file (both give bytes), a PIL image, or an array of height × width (× 3
    or 4) uint8. The arguments up to `force_return_bytes` are rembg's:

    - `alpha_matting`: the finest edges, slow (`edges="matting"`).
    - `alpha_matting_foreground_threshold`, `alpha_matting_background_threshold`, `alpha_matting_erode_size`: accepted
      without effect; the matting finds its thresholds itself.
    - `session`: what `new_session` returns, a `Remover`, a model's name, or a session of rembg's (its model is used).
    - `only_mask`: only the mask, in grey (`output="mask"`).
    - `post_process_mask`: a hard mask with a smooth outline (`smooth=True`); with `alpha_matting` the matte stays soft.
    - `decontaminate`: done unless it is False.
    - `vitmatte`: only False; there is no ViTMatte here. `vitmatte_model` is ignored.
    - `bgcolor`: red, green, blue, alpha of a colour behind the subject; the result keeps its alpha channel.
    - `force_return_bytes`: a file's bytes, whatever came.

    `options` are those of the service, and `background_image` (a picture of any kind).

    Raises `ServiceError` with `code` and `solution`, `OSError` for a path that can't be read, `TypeError` for data of
    another kind, and `ValueError` for wrong settings.
    """
    from library.rembg_arguments import translate

    rembg = {
        "alpha_matting": alpha_matting,
        "only_mask": only_mask,
        "post_process_mask": post_process_mask,
        "decontaminate": decontaminate,
        "vitmatte": vitmatte,
        "bgcolor": bgcolor,
    }
    chosen: dict[str, Any] = translate(rembg, options)
    return session_remover(session).remove(data, force_return_bytes=force_return_bytes, **chosen)


def main() -> None:
    """Run the command line of an installed wheel."""
    from paths import ROOT

    # Gunicorn, Celery and the sweeper are processes of their own, which find their module by this.
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    from cli import main as command_line

    command_line(prog_name="bgremove")
