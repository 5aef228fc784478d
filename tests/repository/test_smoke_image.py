"""Build the image from scratch and try it, where that is possible: deploy/smoke/image.sh."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import ROOT

CANNOT = 77


@pytest.mark.slow
@pytest.mark.skipif(os.environ.get("IMAGE") != "1", reason="it takes minutes and 5 GB of disk: IMAGE=1 runs it")
def test_image_builds_from_nothing_and_works() -> None:
    script = ROOT / "deploy/smoke/image.sh"
    done = subprocess.run([script], capture_output=True, text=True, check=False, timeout=1800)
    if done.returncode == CANNOT:
        pytest.skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done.stderr[-3000:]
    for line in (
        r"[\d.]+ MB  on top of the base",
        r"\d+ sessions of rembg load",
        r"ready after \d+ ms",
        "the image works",
    ):
        assert re.search(line, done.stdout), done.stdout


def test_smoke_names_the_missing_tool_and_ends_with_77(tmp_path: Path) -> None:
    for tool in ("sed", "dirname"):
        found = shutil.which(tool)
        assert found
        (tmp_path / tool).symlink_to(found)
    command = ["/bin/bash", str(ROOT / "deploy/smoke/image.sh")]
    done = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (CANNOT, "smoke: not here: buildah is not installed\n")
