"""Where the program keeps its data."""

from pathlib import Path

import pytest

import paths
from config import load_settings
from tests.support.waiting import ROOT


def test_clone_keeps_its_data_beside_its_code(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("BGREMOVE_HOME", raising=False)
    monkeypatch.chdir(tmp_path)
    assert paths.data_home() == paths.ROOT == ROOT


def test_variable_names_another_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("BGREMOVE_HOME", str(tmp_path))
    assert paths.data_home() == tmp_path


def test_relative_settings_do_not_depend_on_the_current_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    given = {
        "rembg_session_path": "my-models",
        "database_url": "sqlite:///my/keys.db",
        "storage_url": "file:my/objects",
    }
    settings = load_settings(**given)
    assert settings.rembg_session_path == paths.HOME / "my-models"
    assert settings.database_url == f"sqlite:///{paths.HOME}/my/keys.db"
    assert settings.storage_url == f"file:{paths.HOME}/my/objects"


def test_absolute_settings_stay_as_they_are(tmp_path: Path) -> None:
    settings = load_settings(rembg_session_path=tmp_path, storage_url=f"file:{tmp_path}")
    assert (settings.rembg_session_path, settings.storage_url) == (tmp_path, f"file:{tmp_path}")
