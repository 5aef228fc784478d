"""Everything that is downloaded is pinned: packages by hash, actions by commit, images by tag or digest."""

import re
import runpy
import sys
from pathlib import Path

import pytest

from tests.support.waiting import ROOT

DIGEST = f"sha256:{'ab' * 32}"
DOCKER = f"""#!{sys.executable}
import sys
if sys.argv[-1].startswith("nginx"):
    sys.exit("no such tag")
print("{DIGEST}")
"""


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "requirements-gpu.txt"])
def test_each_requirement_has_one_version_and_its_hashes(name: str) -> None:
    text = (ROOT / name).read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert len(lines) > (10 if "gpu" in name else 90)
    for line in lines:
        assert re.match(r"[\w.\[\]-]+==\S+ ", line), line
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line


def test_gpu_image_gets_the_same_versions() -> None:
    service, gpu = (
        set(re.findall(r"^(\S+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-gpu.txt")
    )
    added = {name for name, _ in gpu - service}
    assert all(name == "onnxruntime-gpu" or name.startswith("nvidia-") for name in added), added


def test_tools_and_services_get_the_same_versions() -> None:
    pins = [
        dict(re.findall(r"^(\S+)==(\S+)", (ROOT / name).read_text(), re.MULTILINE))
        for name in ("requirements.txt", "requirements-dev.txt")
    ]
    assert pins[0].items() <= pins[1].items()


@pytest.mark.parametrize("name", ["Makefile", "Dockerfile", "Dockerfile.gpu", "deploy/README.md"])
def test_every_installation_checks_hashes(name: str) -> None:
    lines = [
        line for line in (ROOT / name).read_text().splitlines() if re.search(r"install .*requirements\S*txt", line)
    ]
    assert lines
    assert all("--require-hashes" in line for line in lines)


def test_actions_are_pinned_by_commit_with_their_version_beside() -> None:
    used = [
        line
        for path in (ROOT / ".github/workflows").glob("*.yml")
        for line in path.read_text().splitlines()
        if "uses:" in line
    ]
    assert used
    assert all(re.search(r"@[0-9a-f]{40}  # v\d+\.\d+\.\d+$", line) for line in used)


def test_images_are_pinned_by_the_digest_of_their_registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "docker").write_text(DOCKER)
    (tmp_path / "docker").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    pinned = runpy.run_path(str(ROOT / "deploy/digests.py"))["pinned"]
    ours = "    image: background-remover:local\n    image: ${APP_IMAGE:-x:1}\n"
    once = pinned(f"FROM python:3 AS build\nFROM python:3\n{ours}")
    assert once == f"FROM python:3@{DIGEST} AS build\nFROM python:3@{DIGEST}\n{ours}"
    assert pinned(once) == once
    with pytest.raises(SystemExit, match="nginx:1 has no digest: no such tag"):
        pinned("    image: nginx:1\n")
