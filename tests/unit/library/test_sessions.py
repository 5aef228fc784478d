"""Sessions: each model has one warm remover."""

from types import SimpleNamespace

import pytest

from library.remover import Remover
from library.sessions import new_session, session_remover


def test_same_model_gives_the_same_remover() -> None:
    assert session_remover(None) is session_remover(None)
    assert session_remover("u2net") is session_remover(SimpleNamespace(model_name="u2net"))
    assert session_remover("u2net") is not session_remover(None)


def test_remover_is_its_own_session() -> None:
    mine = new_session("u2net")
    assert session_remover(mine) is mine
    assert mine.model == "u2net"


def test_other_session_is_a_type_error() -> None:
    with pytest.raises(TypeError, match=r"a session is a Remover, .*, not int"):
        session_remover(5)


def test_number_of_jobs_is_checked() -> None:
    with pytest.raises(ValueError, match="jobs is 0; allowed: 1 or more"):
        Remover(jobs=0)
