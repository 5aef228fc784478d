"""The wheel: its contents, and its command in any folder with data in the user's data folder."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from config import VERSION
from tests.support.waiting import ROOT


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The built wheel. The build's own tools come from the test requirements, not from a registry."""
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, timeout=120)
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as opened:
        yield opened


@pytest.fixture(scope="module")
def installed(wheel: zipfile.ZipFile, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel's files, unpacked; its requirements are those of this environment."""
    folder = tmp_path_factory.mktemp("site")
    wheel.extractall(folder)
    return folder


def bgremove(installed: Path, cwd: Path, *words: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder that is not the clone."""
    env = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    env |= {"HOME": str(cwd), "PYTHONPATH": str(installed), **settings}
    code = "import sys, background_remover; sys.argv[0] = 'bgremove'; background_remover.main()"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)


def test_wheel_holds_one_package_with_page_and_migrations(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.split("/")[0] for name in names} == {
        "background_remover",
        f"background_remover-{VERSION}.dist-info",
    }
    modules = {path.name for path in ROOT.glob("*.py")} - {"bgremove.py"}
    for name in (*modules, "web/index.html", "migrations/env.py", "services/imaging/pipeline.py", "routes/jobs.py"):
        assert f"background_remover/{name}" in names
    assert not any("test" in name or "__pycache__" in name for name in names)
    entry_points = wheel.read(f"background_remover-{VERSION}.dist-info/entry_points.txt").decode()
    assert "bgremove = background_remover:main" in entry_points


def test_installed_command_removes_a_background_from_any_folder(installed: Path, tmp_path: Path, jpeg: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    done = bgremove(
        installed, tmp_path, "remove", "photo.jpg", "-o", "out.png", REMBG_SESSION_PATH=str(ROOT / "models")
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


def test_installed_command_keeps_keys_in_the_users_data_folder(installed: Path, tmp_path: Path) -> None:
    first = bgremove(installed, tmp_path, "keys", "create", "--name", "first", XDG_DATA_HOME=str(tmp_path / "share"))
    assert first.returncode == 0, first.stderr
    assert f"sqlite:///{tmp_path}" in first.stderr
    assert "That database is new" in first.stderr
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    listed = bgremove(installed, elsewhere, "keys", "list", HOME=str(tmp_path), XDG_DATA_HOME=str(tmp_path / "share"))
    assert "first" in listed.stdout


def test_home_variable_names_the_data_folder(installed: Path, tmp_path: Path) -> None:
    done = bgremove(installed, tmp_path, "keys", "create", "--name", "x", BGREMOVE_HOME=str(tmp_path / "mine"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "mine/data/background-remover.db").exists()
