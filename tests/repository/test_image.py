"""Check what the image contains: the packages that serving imports, and of those the files that it opens."""

import importlib.metadata
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from services.inference.catalogue import CATALOGUE
from tests.support.tiny_models import stand_in
from tests.support.waiting import ROOT

REQUIREMENTS = runpy.run_path(str(ROOT / "deploy/image/requirements.py"))
SLIM = runpy.run_path(str(ROOT / "deploy/image/slim.py"))
PINNED = (ROOT / "requirements.txt").read_text()
ASKING_FOR_UNUSED = {"rembg", "onnxruntime", "openvino"}
BLOCK = """
import sys
blocked = set(sys.argv[1].split(","))
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in blocked:
            raise ModuleNotFoundError(f"the image has no {name}", name=name)
sys.meta_path.insert(0, Finder())
"""
OPEN = """
from pathlib import Path
from services.inference.catalogue import CATALOGUE
from services.inference.runtime import EngineSettings, open_session
for name, spec in CATALOGUE.items():
    opened = open_session(spec, spec.path(Path(sys.argv[2])), EngineSettings("onnxruntime", "f32", 2))
    print(name, opened.engine)
"""
SERVE = """
import runpy
conf = runpy.run_path("gunicorn.conf.py")
from services.inference.runtime import import_rembg
import_rembg()
conf["import_modules"](conf["SHARED_MODULES"])
conf["import_modules"](conf["JOB_MODULES"])
import celery.bin.celery, cli, routes.openapi, run, services.storage.s3, sweeper, worker
"""


def names(text: str) -> set[str]:
    return set(re.findall(r"^([\w.-]+)==", text, re.MULTILINE))


def blocked_modules() -> str:
    """Return the import names of the distributions that are left out, comma-separated."""
    left_out = REQUIREMENTS["NEVER_IMPORTED"]
    provided = importlib.metadata.packages_distributions()
    found = {module for module, owners in provided.items() if {re.sub("_", "-", o.lower()) for o in owners} <= left_out}
    assert {"scipy", "skimage", "numba", "onnx"} <= found
    return ",".join(sorted(found))


def without_them(script: str, *words: str | Path) -> list[str]:
    """Run the script where the modules that the image lacks can't be imported; return its lines."""
    command = [sys.executable, "-W", "ignore", "-c", BLOCK + script, blocked_modules(), *map(str, words)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.splitlines()


def test_image_leaves_out_only_what_rembg_and_onnxruntime_ask_for() -> None:
    kept = names(REQUIREMENTS["image_requirements"](PINNED))
    assert names(PINNED) - kept == REQUIREMENTS["NEVER_IMPORTED"]
    for name in kept - ASKING_FOR_UNUSED:
        try:
            wanted = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            # For another platform.
            continue
        needed = {re.split(r"[^\w.-]", line)[0].lower() for line in wanted if "extra ==" not in line}
        assert not needed & REQUIREMENTS["NEVER_IMPORTED"], name


def test_gpu_image_has_one_onnxruntime() -> None:
    kept = names(REQUIREMENTS["image_requirements"](PINNED, (ROOT / "requirements-gpu.txt").read_text()))
    assert "onnxruntime-gpu" in kept
    assert not kept & {"onnxruntime", "openvino"}
    assert not kept & REQUIREMENTS["NEVER_IMPORTED"]


def test_requirements_of_the_image_keep_their_hashes() -> None:
    for prepare in (False, True):
        text = REQUIREMENTS["image_requirements"](PINNED, prepare=prepare)
        assert all("--hash=sha256:" in entry for entry in re.split(r"^(?=\w)", text, flags=re.MULTILINE)[1:])
    assert names(REQUIREMENTS["image_requirements"](PINNED, prepare=True)) == REQUIREMENTS["TO_PREPARE"]


@pytest.mark.slow
def test_every_session_of_rembg_loads_without_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in CATALOGUE:
        stand_in(name, tmp_path, monkeypatch)
    assert without_them(OPEN, tmp_path) == [f"{name} onnxruntime" for name in CATALOGUE]


@pytest.mark.slow
def test_server_worker_and_command_line_start_without_them() -> None:
    without_them(SERVE)


def test_slimming_links_copies_and_removes_what_is_never_opened(tmp_path: Path) -> None:
    def write(name: str, text: str = "x") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    library = write("onnxruntime/capi/libx.so.1", "library")
    copy = write("onnxruntime/capi/libx.so.1.31", "library")
    other = write("onnxruntime/capi/libonnxruntime.so.1", "other")
    removed = [
        write("openvino/libs/libopenvino_intel_gpu_plugin.so"),
        write("openvino/libs/libopenvino_pytorch_frontend.so.2641"),
        write("numpy/_core/tests/test_x.py"),
        write("botocore/data/ec2/2016-11-15/service-2.json"),
    ]
    kept = [write("botocore/data/s3/2006-03-01/service-2.json"), write("botocore/data/endpoints.json"), other]
    kept += [
        write(f"openvino/libs/libopenvino_{name}.so") for name in ("intel_cpu_plugin", "onnx_frontend", "ir_frontend")
    ]
    assert SLIM["slim"](tmp_path) > 0
    assert not any(path.exists() for path in removed)
    assert all(path.exists() for path in kept)
    assert not library.is_symlink()
    assert copy.is_symlink()
    assert copy.read_text() == "library"


def test_dockerfiles_use_only_what_docker_buildah_and_podman_know() -> None:
    for path in ROOT.glob("Dockerfile*"):
        text = path.read_text()
        assert "--start-interval=" not in text
        assert not re.search(r"<<['\"]?\w", text), "Buildah 1.28 knows no here-documents"
        # The smoke test makes one base.
        assert len(set(re.findall(r"^FROM (\S+)", text, re.MULTILINE))) == 1
