"""Every example in the README and the guides is run as it is, against a running service."""

import io
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from tests.support.gunicorn import Gunicorn
from tests.support.pictures.animations import disc
from tests.support.waiting import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/guides").glob("*.md"))]


GIVEN = ("photo.jpg", "clip.gif", "one.jpg", "matte.png", "part.png", "trimap.png")


def examples(language: str) -> list[str]:
    """The examples of a language that call the service, in the README and in the guides."""
    found = [text for page in PAGES for text in re.findall(rf"```{language}\n(.*?)```", page.read_text(), re.DOTALL)]
    return [text for text in found if "from bgremove import" not in text]


@pytest.fixture
def folder(tmp_path: Path, jpeg: bytes) -> Path:
    """Make a reader's folder: a photo, masks of it, a folder of photos, and the repository's environment."""
    (tmp_path / "photo.jpg").write_bytes(jpeg)
    with Image.open(io.BytesIO(jpeg)) as photo:
        photo.convert("L").save(tmp_path / "matte.png")
        photo.save(tmp_path / "part.png")
        Image.new("L", photo.size, 128).save(tmp_path / "trimap.png")
    (tmp_path / "clip.gif").write_bytes(disc(3))
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos/one.jpg").write_bytes(jpeg)
    (tmp_path / "cli.py").write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom cli import main\nmain()\n")
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    (tmp_path / ".venv/bin/python").chmod(0o755)
    (tmp_path / "models").symlink_to(ROOT / "models")
    return tmp_path


def results(folder: Path) -> list[Image.Image]:
    found = [path for path in folder.rglob("*.*") if path.suffix in (".png", ".jpg", ".webp")]
    made = [path for path in found if path.name not in GIVEN]
    assert made
    return [Image.open(path) for path in made]


def shell_examples() -> list[Any]:
    """The examples in bash. Those of the command line load the model for each command: the guides' are long."""
    readme = (ROOT / "README.md").read_text()
    return [
        pytest.param(
            text,
            marks=pytest.mark.long if "cli.py" in text and text not in readme else (),
            id=text.split("\n")[0][:60],
        )
        for text in examples("bash")
    ]


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
@pytest.mark.parametrize("example", shell_examples())
def test_shell_examples_run(folder: Path, server: Gunicorn, example: str) -> None:
    script = example.replace("http://localhost:5001", server.url)
    command = ["bash", "-euo", "pipefail", "-c", script]
    done = subprocess.run(command, cwd=folder, timeout=120, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    for image in results(folder):
        with image:
            image.load()
            # The clip is small, and its crops are smaller.
            assert getattr(image, "n_frames", 1) == 3 or max(image.size) in (512, 800)


@pytest.mark.parametrize(("number", "kind"), [(0, "WEBP"), (1, "JPEG")])
def test_python_example_runs(folder: Path, server: Gunicorn, number: int, kind: str) -> None:
    script = examples("python")[number].replace("http://localhost:5001", server.url)
    subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script], cwd=folder, check=True, timeout=60, capture_output=True
    )
    (image,) = results(folder)
    with image:
        assert (image.format, image.size) == (kind, (512, 512))


RUN_JS = """
const {{ readFileSync }} = require("fs");
const bytes = readFileSync("photo.jpg");
URL.createObjectURL = (blob) => blob;
{example}
{call}.then(async (found) => {{
  const size = typeof found === "string" ? found.length : (await found.arrayBuffer()).byteLength;
  console.log(typeof found === "string" ? found.slice(0, 22) : found.type, size);
}});
"""


@pytest.mark.skipif(not shutil.which("node"), reason="node is not installed")
@pytest.mark.parametrize(
    ("number", "call", "starts"),
    [
        (0, 'cutOut(new File([bytes], "photo.jpg", { type: "image/jpeg" }))', "image/png"),
        (1, 'cutOutBase64("data:image/jpeg;base64," + bytes.toString("base64"))', "data:image/webp;base64"),
    ],
)
def test_fetch_examples_run(folder: Path, server: Gunicorn, number: int, call: str, starts: str) -> None:
    example = examples("js")[number].replace("http://localhost:5001", server.url)
    script = RUN_JS.format(example=example, call=call)
    done = subprocess.run(["node", "-e", script], cwd=folder, check=True, timeout=60, capture_output=True, text=True)
    kind, size = done.stdout.split()
    assert kind == starts
    assert int(size) > 10_000
