"""Fetches the default model where it is not on this machine yet."""

from config import Settings
from services.errors import EngineUnavailable, ModelNotFound


def fetch_missing(settings: Settings) -> None:
    """Put the files of the default model in place, checked.

    Raises `ModelNotFound` for a name that no model has, `EngineUnavailable` when the files can't be had.
    """
    from services.inference.custom import find_spec
    from services.inference.download import fetch

    folder = settings.rembg_session_path
    try:
        spec = find_spec(settings.rembg_model_name, folder)
    except ValueError as exc:
        raise ModelNotFound(str(exc)) from exc
    if spec.is_here(folder):
        return
    try:
        fetch(spec.name, folder, mirror=settings.model_mirror_url)
    except (ValueError, RuntimeError) as exc:
        raise EngineUnavailable(str(exc)) from exc
