"""Bringing models: from a mirror, a file, rembg's downloader; checked, never half written, never in a request."""

import ast
import hashlib
import shutil
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from services.inference.catalogue import CATALOGUE, ModelFile
from services.inference.download import fetch
from services.inference.runtime import import_rembg
from tests.support.commands import cli
from tests.support.waiting import ROOT, free_port

BYTES = b"these bytes stand for a model" * 1000


@dataclass
class Mirror:
    """A real HTTP server. `files`: its content; `announce`: a false length; `length` false: no Content-Length."""

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    announce: int = 0
    length: bool = True
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    found = Mirror()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            found.asked.append(self.path)
            data = found.files.get(self.path)
            self.send_response(200 if data is not None else 404)
            if found.length:
                self.send_header("Content-Length", str(found.announce or len(data or b"")))
            self.end_headers()
            self.wfile.write(data or b"")

        def log_message(self, *_: Any) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        found.url = f"http://127.0.0.1:{server.server_port}/rembg"
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield found
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """The catalogue, with checksums of `BYTES`: one by SHA-256, one by MD5, one of two files."""
    sha = f"sha256:{hashlib.sha256(BYTES).hexdigest()}"
    md5 = f"md5:{hashlib.md5(BYTES, usedforsecurity=False).hexdigest()}"
    for name, checksum in (("bria-rmbg", sha), ("birefnet-cod", md5), ("sam", sha), ("u2net", md5)):
        spec = CATALOGUE[name]
        files = tuple(replace(file, checksum=checksum) for file in spec.files)
        monkeypatch.setitem(CATALOGUE, name, replace(spec, files=files))


def nothing_was_left(folder: Path) -> bool:
    return not folder.exists() or not list(folder.iterdir())


def test_a_mirror_has_the_files_of_rembgs_release(mirror: Mirror, tmp_path: Path) -> None:
    mirror.files["/rembg/BiRefNet-COD-epoch_125.onnx"] = BYTES
    folder = tmp_path / "new/models"
    assert fetch("birefnet-cod", folder, mirror=f"{mirror.url}/") == folder / "birefnet-cod.onnx"
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("birefnet-cod.onnx", BYTES)]
    fetch("birefnet-cod", folder, mirror=mirror.url)
    # It is here and right: nothing is asked for again.
    assert len(mirror.asked) == 1
    (folder / "birefnet-cod.onnx").write_bytes(b"damaged")
    fetch("birefnet-cod", folder, mirror=mirror.url)
    assert (folder / "birefnet-cod.onnx").read_bytes() == BYTES


def test_model_of_two_files_is_fetched_completely_or_not_at_all(mirror: Mirror, tmp_path: Path) -> None:
    encoder, decoder = (file.name for file in CATALOGUE["sam"].files)
    mirror.files[f"/rembg/{encoder}"] = BYTES
    with pytest.raises(RuntimeError, match=rf"the mirror answered 404 Not Found for http://.*{decoder}"):
        fetch("sam", tmp_path, mirror=mirror.url)
    assert nothing_was_left(tmp_path)
    mirror.files[f"/rembg/{decoder}"] = BYTES
    assert fetch("sam", tmp_path, mirror=mirror.url).name == encoder
    assert sorted(path.name for path in tmp_path.iterdir()) == [decoder, encoder]


def bad_bytes(mirror: Mirror) -> None:
    mirror.files["/rembg/bria-rmbg-2.0.onnx"] = BYTES[:-1] + b"!"


def cut_short(mirror: Mirror) -> None:
    mirror.files["/rembg/bria-rmbg-2.0.onnx"] = BYTES[:5000]
    mirror.announce = len(BYTES)


def announced_too_large(mirror: Mirror) -> None:
    mirror.files["/rembg/bria-rmbg-2.0.onnx"] = BYTES
    mirror.announce = 10**12


def too_large(mirror: Mirror) -> None:
    mirror.files["/rembg/bria-rmbg-2.0.onnx"] = BYTES * 200
    mirror.length = False


@pytest.mark.parametrize(
    ("lie", "says"),
    [
        (
            bad_bytes,
            r"is not the known bria-rmbg: its SHA-256 is not the known one \(29000 bytes\); nothing was written",
        ),
        (cut_short, r"was cut short: not all of its 29000 bytes arrived"),
        (announced_too_large, r"is too large for a model: 1000000000000 bytes and more; allowed: 2000000"),
        (too_large, r"is too large for a model: \d+ bytes and more; allowed: 2000000"),
    ],
)
def test_a_mirror_that_sends_something_else_leaves_nothing(
    mirror: Mirror, tmp_path: Path, lie: Callable[[Mirror], None], says: str
) -> None:
    lie(mirror)
    with pytest.raises(RuntimeError, match=says):
        fetch("bria-rmbg", tmp_path, mirror=mirror.url, max_bytes=2_000_000)
    assert nothing_was_left(tmp_path)


def test_a_mirror_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    url = f"http://user:secret@127.0.0.1:{free_port()}/rembg"
    with pytest.raises(
        RuntimeError, match=r"http://127\.0\.0\.1:\d+/rembg/u2net\.onnx can't be downloaded .*MODEL_MIRROR_URL"
    ) as caught:
        fetch("u2net", tmp_path, mirror=url)
    assert "secret" not in str(caught.value)
    assert nothing_was_left(tmp_path)


def test_a_file_or_a_folder_is_taken_when_it_is_the_right_one(tmp_path: Path) -> None:
    folder, source = tmp_path / "models", tmp_path / "download"
    source.mkdir()
    (source / "some name.onnx").write_bytes(BYTES)
    assert fetch("u2net", folder, source=source / "some name.onnx").read_bytes() == BYTES
    with pytest.raises(ValueError, match="sam has 2 files: give FILE=/path/to/the/folder"):
        fetch("sam", folder, source=source / "some name.onnx")
    with pytest.raises(RuntimeError, match="can't be read: No such file"):
        fetch("sam", folder, source=source)
    for file in CATALOGUE["sam"].files:
        (source / file.name).write_bytes(BYTES)
    fetch("sam", folder, source=source)
    (source / "other.onnx").write_bytes(b"other")
    with pytest.raises(
        RuntimeError, match=r"the file received as birefnet-cod\.onnx is not the known birefnet-cod: its MD5"
    ):
        fetch("birefnet-cod", folder, source=source / "other.onnx")
    names = {"u2net.onnx", *(file.name for file in CATALOGUE["sam"].files)}
    assert {path.name for path in folder.iterdir()} == names


def test_a_custom_model_comes_with_its_description(tmp_path: Path) -> None:
    folder, source = tmp_path / "models", tmp_path / "mine.onnx"
    source.write_bytes(BYTES)
    with pytest.raises(ValueError, match=r"a custom model needs mine\.json next to it"):
        fetch("mine", folder, source=source)
    text = '{"purpose": "x", "licence": "y", "input_size": 64, "mean": [0, 0, 0], "std": [1, 1, 1], "sha256": "%s"}'
    (tmp_path / "mine.json").write_text(text % ("0" * 64))
    with pytest.raises(RuntimeError, match="is not the known mine: its SHA-256"):
        fetch("mine", folder, source=source)
    assert nothing_was_left(folder)
    (tmp_path / "mine.json").write_text(text % hashlib.sha256(BYTES).hexdigest())
    fetch("mine", folder, source=source)
    assert sorted(path.name for path in folder.iterdir()) == ["mine.json", "mine.onnx"]
    (folder / "mine.onnx").unlink()
    with pytest.raises(ValueError, match="mine is a custom model: give FILE="):
        fetch("mine", folder)


def test_unpublished_model_is_explained(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="rembg makes it from birefnet-general"):
        fetch("birefnet-general-fp16", tmp_path)
    with pytest.raises(ValueError, match="nothing-like-it is not a known model"):
        fetch("nothing-like-it", tmp_path)


def test_rembgs_own_downloader_brings_the_rest(mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import_rembg()
    import pooch  # type: ignore[import-untyped]

    real, right = pooch.retrieve, CATALOGUE["u2net"].files[0].checksum

    def from_loopback(url: str, known_hash: str, **more: Any) -> Any:
        assert known_hash.startswith("md5:")
        return real(url.replace("https://github.com/danielgatis", mirror.url), right, **{**more, "progressbar": False})

    monkeypatch.setattr(pooch, "retrieve", from_loopback)
    mirror.files["/rembg/rembg/releases/download/v0.0.0/u2net.onnx"] = BYTES
    assert fetch("u2net", tmp_path).read_bytes() == BYTES
    assert [path.name for path in tmp_path.iterdir()] == ["u2net.onnx"]
    mirror.files["/rembg/rembg/releases/download/v0.0.0/u2net.onnx"] = b"damaged"
    (tmp_path / "u2net.onnx").unlink()
    with pytest.raises(
        RuntimeError, match=r"rembg could not download u2net \(ValueError: .*MODEL_MIRROR_URL, or give FILE="
    ):
        fetch("u2net", tmp_path)
    assert nothing_was_left(tmp_path)


def test_failed_download_names_the_offline_alternatives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RuntimeError, match=r"rembg could not download u2net .*MODEL_MIRROR_URL, or give FILE="):
        fetch("u2net", tmp_path)
    assert nothing_was_left(tmp_path)


@pytest.mark.slow
def test_fetch_command_takes_a_file_and_explains_a_wrong_one(tmp_path: Path) -> None:
    done = cli(
        "models", "fetch", "u2net", "--file", ROOT / "README.md", cwd=tmp_path, REMBG_SESSION_PATH=tmp_path / "m"
    )
    assert done.returncode == 1
    assert b"Error: the file received as u2net.onnx is not the known u2net: its MD5" in done.stderr
    done = cli(
        "models",
        "fetch",
        "u2netp",
        "--file",
        ROOT / "models/u2netp.onnx",
        cwd=tmp_path,
        REMBG_SESSION_PATH=tmp_path / "m",
    )
    assert done.returncode == 0, done.stderr
    assert [path.name for path in (tmp_path / "m").iterdir()] == ["u2netp.onnx"]


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_make_model_takes_a_name_and_a_file() -> None:
    import subprocess

    command = ["make", "-n", "model"]
    plain = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=60).stdout
    assert "cli.py models fetch u2netp && " in plain
    assert "cli.py models prepare u2netp" in plain
    named = subprocess.run(
        [*command, "NAME=sam", "FILE=/a b/c"], cwd=ROOT, check=True, capture_output=True, text=True, timeout=60
    ).stdout
    assert 'cli.py models fetch "sam" --file "/a b/c"' in named
    assert "prepare" not in named


@pytest.mark.slow
def test_only_the_command_line_can_download_and_no_model_is_loaded_without_its_name() -> None:
    folders = ("commands", "services", "routes")
    for path in [*ROOT.glob("*.py"), *(path for name in folders for path in (ROOT / name).rglob("*.py"))]:
        tree = ast.parse(path.read_text())
        modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
        assert "new_session" not in names, path
        assert ("services.inference.download" in modules) is (path == ROOT / "commands/models.py"), path


def test_file_without_a_known_checksum_is_always_replaced(tmp_path: Path) -> None:
    assert CATALOGUE["birefnet-general-fp16"].files == (ModelFile("birefnet-general-fp16.onnx"),)
    source = tmp_path / "fp16.onnx"
    for data in (b"one", b"two"):
        source.write_bytes(data)
        assert fetch("birefnet-general-fp16", tmp_path / "m", source=source).read_bytes() == data
