"""The removers that `remove` keeps: one for each model, warm after the first picture."""

import threading
from typing import Final

from library.remover import Remover

_warm: Final[dict[str | None, Remover]] = {}
_lock: Final = threading.Lock()


def new_session(model_name: str | None = None) -> Remover:
    """Return a remover for `remove(session=…)`, as rembg's `new_session` does. Its model loads with its first picture.

    None is the model of the settings (`REMBG_MODEL_NAME`).
    """
    return Remover(model_name)


def session_remover(session: object) -> Remover:
    """Return the remover of a session: a `Remover`, a model's name, a session of rembg's, or None for the settings'.

    Raises `TypeError` for anything else.
    """
    if isinstance(session, Remover):
        return session
    name = session if isinstance(session, str) else getattr(session, "model_name", None)
    if session is not None and not isinstance(name, str):
        raise TypeError(f"a session is a Remover, a model's name or a session of rembg, not {type(session).__name__}")
    with _lock:
        if name not in _warm:
            _warm[name] = Remover(name)
        return _warm[name]
