"""Run published client libraries of remove.bg and other services against this one, with only their URL changed.

The packages are kept in pytest's cache. Without a registry or Node.js the tests are skipped.

`test_removebg.py` replays the requests of three more clients: the Ruby gem, the Go program, and removd, which needs a
native image library of 2019.
"""

import base64
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from tests.support.gunicorn import Gunicorn

# The first and the last package have the same import name.
PYPI = ("removebg==0.4", "remove-bg-api==0.2.1", "remove-bg==0.2.1")
NPM = ("remove.bg@1.3.0", "removebg-wrapper@1.0.3", "axios@1.21.1", "form-data@4.0.6")
INSTALL_SECONDS = 60
ENDPOINT = "https://api.remove.bg/v1.0/removebg"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, jpeg: bytes) -> Path:
    """The clients' folder: `photo.jpg`, `photo.b64`, and `no.jpg`, which is not an image."""
    found = tmp_path_factory.mktemp("clients")
    (found / "photo.jpg").write_bytes(jpeg)
    (found / "photo.b64").write_text(base64.b64encode(jpeg).decode())
    (found / "no.jpg").write_text("no image")
    return found


def install_problem(command: list[str]) -> str:
    """Run an installation for at most a minute; return the reason why it failed, or ""."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"not done after {INSTALL_SECONDS} s"
    return done.stderr[-300:] or f"exit status {done.returncode}" if done.returncode else ""


def fetched(request: pytest.FixtureRequest, name: str, command: Callable[[Path], list[str]]) -> Path:
    """Install packages into a cached folder unless they are there; return the folder."""
    cache = request.config.cache
    assert cache
    target = cache.mkdir("removebg-clients") / name
    if not (target / "done").exists():
        shutil.rmtree(target, ignore_errors=True)
        target.mkdir()
        problem = install_problem(command(target))
        if problem:
            missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
            missing(f"the registry did not deliver {name}: {problem}")
        (target / "done").touch()
    return target


def python_client(
    request: pytest.FixtureRequest, package: str, folder: Path, script: str
) -> subprocess.CompletedProcess[str]:
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", package]
    target = fetched(request, package, lambda place: [*pip, "--target", str(place)])
    env = {"PYTHONPATH": str(target), "PATH": "/usr/bin:/bin"}
    return subprocess.run(
        [sys.executable, "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=False
    )


def npm_client(request: pytest.FixtureRequest, folder: Path, script: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run a script with the packages.

    `remove.bg` and `removebg-wrapper` have no setting for the URL, so copies of them get another one.
    """
    if not shutil.which("npm") or not shutil.which("node"):
        pytest.skip("Node.js is not installed")
    npm = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"]
    target = fetched(request, "npm", lambda place: [*npm, str(place), *NPM])
    for package, file in (("remove.bg", "dist/index.js"), ("removebg-wrapper", "index.js")):
        text = (target / "node_modules" / package / file).read_text()
        # Otherwise the copy would call remove.bg itself.
        assert ENDPOINT in text
        (target / f"{package}.copy.js").write_text(text.replace(ENDPOINT, f"{url}/v1.0/removebg"))
    (target / "run.js").write_text(script)
    return subprocess.run(
        ["node", str(target / "run.js")], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )


def opened(path: Path) -> tuple[str | None, tuple[int, int], str]:
    with Image.open(path) as image:
        image.load()
        return image.format, image.size, image.mode


def test_python_removebg_works(request: pytest.FixtureRequest, server: Gunicorn, folder: Path) -> None:
    script = f"""
import removebg.removebg
removebg.removebg.API_ENDPOINT = "{server.url}/v1.0/removebg"
client = removebg.removebg.RemoveBg("any key", "error.log")
client.remove_background_from_img_file("photo.jpg")
client.remove_background_from_base64_img(open("photo.b64").read(), size="4k", new_file_name="b64.png", bg_color="fff")
try:
    client.remove_background_from_img_file("no.jpg")
except removebg.removebg.requests.HTTPError as error:
    print(error.response.json()["errors"][0]["title"])
"""
    done = python_client(request, "removebg==0.4", folder, script)
    assert (done.returncode, done.stdout) == (0, "Invalid file type\n"), done.stderr
    assert opened(folder / "photo.jpg_no_bg.png") == ("PNG", (500, 500), "RGBA")
    # Without transparent pixels the automatic format is JPEG, as on remove.bg.
    assert opened(folder / "b64.png") == ("JPEG", (512, 512), "RGB")


def test_python_remove_bg_api_works(request: pytest.FixtureRequest, server: Gunicorn, folder: Path) -> None:
    script = f"""
import remove_bg_api
remove_bg_api.API_URL = "{server.url}/v1.0"
client = remove_bg_api.RemoveBg("any key")
before = client.account.balance()
client.remove_bg_file("photo.jpg", out_path="api.png", raw=False)
assert client.remove_bg_base64(open("photo.b64").read()).startswith(b"\\x89PNG")
assert client.account.balance() == before > 0, before
assert client.account.free_api_calls() > 50
try:
    client.remove_bg_bytes(b"no image")
except remove_bg_api.Errors.ApiErrorCode400 as error:
    print("400")
"""
    done = python_client(request, "remove-bg-api==0.2.1", folder, script)
    assert (done.returncode, done.stdout) == (0, "400\n"), done.stderr
    assert opened(folder / "api.png") == ("PNG", (500, 500), "RGBA")


def test_python_remove_bg_works(request: pytest.FixtureRequest, server: Gunicorn, folder: Path) -> None:
    """The package imports a name that Python 3.10 removed, and three libraries for remove.bg's web site.

    The script replaces them: the API client does not need them.
    """
    script = f"""
import collections, collections.abc, sys
from unittest.mock import MagicMock
collections.Callable = collections.abc.Callable
sys.modules |= {{name: MagicMock() for name in ("bs4", "python_anticaptcha", "tempmail")}}
import removebg.constants
removebg.constants.API_ENDPOINT = "{server.url}/v1.0/"
client = removebg.RemoveBg(api_token="any key")
open("third.zip", "wb").write(client.remove_background_from_file("photo.jpg", size="full", format="zip"))
open("third.png", "wb").write(client.remove_background_from_base64(open("photo.b64").read(), crop="true"))
try:
    client.remove_background_from_base64("")
except removebg.constants.exceptions.InvalidParameters as error:
    print(error)
"""
    done = python_client(request, "remove-bg==0.2.1", folder, script)
    assert (done.returncode, done.stdout) == (0, "No image given\n"), done.stderr
    assert opened(folder / "third.png")[0] == "PNG"
    assert (folder / "third.zip").read_bytes().startswith(b"PK")


def test_withoutbgs_python_sdk_works(request: pytest.FixtureRequest, server: Gunicorn, folder: Path) -> None:
    script = f"""
import sys
from unittest.mock import MagicMock
# It is for models that run locally.
sys.modules["huggingface_hub"] = MagicMock()
from withoutbg.api import WithoutBGAPIClient
from withoutbg.exceptions import APIError
client = WithoutBGAPIClient("any key", base_url="{server.url}")
client.remove_background("photo.jpg").save("withoutbg.png")
print(client.get_usage()["credit"])
try:
    client._resize_for_api = lambda image: (image, image.size)
    client._encode_image = lambda image: "no base64!"
    client.remove_background("photo.jpg")
except APIError as error:
    print(error)
"""
    done = python_client(request, "withoutbg==1.3.0", folder, script)
    text = "API request failed: The image is not valid base64: "
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"99999\n{text}"), done.stdout
    assert opened(folder / "withoutbg.png") == ("PNG", (512, 512), "RGBA")


def test_clipdrops_python_client_works(request: pytest.FixtureRequest, server: Gunicorn, folder: Path) -> None:
    script = f"""
from pyclipdrop.client import ClipdropClient
from pyclipdrop.exceptions import APIRequestError
client = ClipdropClient("any key", base_url="{server.url}")
client.remove_background("photo.jpg", output_file="clipdrop.png", transparency_handling="discard_alpha_layer")
try:
    client.remove_background("no.jpg")
except APIRequestError as error:
    print(error)
"""
    done = python_client(request, "pyclipdrop==1.0.1", folder, script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("The request to the Clipdrop API failed: This is not an image"), done.stdout
    assert opened(folder / "clipdrop.png") == ("PNG", (512, 512), "RGBA")


@pytest.mark.parametrize("model", ["u2net", "sam"])
def test_napari_rembg_works(request: pytest.FixtureRequest, server: Gunicorn, folder: Path, model: str) -> None:
    script = f"""
import importlib.util, sys
import numpy as np
from PIL import Image
spec = importlib.util.find_spec("napari_rembg")
path = spec.submodule_search_locations[0] + "/segmentation_api_client.py"
source = importlib.util.spec_from_file_location("client", path)
client = importlib.util.module_from_spec(source)
source.loader.exec_module(client)
image = np.asarray(Image.open("photo.jpg"))
found = client.SegmentationAPIClient(endpoint="{server.url}/api/remove").predict_via_api(image, model_name="{model}")
print(found.shape, sorted(set(found.ravel().tolist())))
"""
    done = python_client(request, "napari-rembg==0.0.7", folder, script)
    assert (done.returncode, done.stdout) == (0, "(512, 512) [0, 1]\n"), done.stderr


def test_npm_remove_bg_works(request: pytest.FixtureRequest, server: Gunicorn, folder: Path) -> None:
    script = """
const client = require("./remove.bg.copy.js");
const { readFileSync } = require("fs");
(async () => {
  const common = { apiKey: "any key", size: "regular", type: "person", crop: true, scale: "50%", bg_color: "fff" };
  const one = await client.removeBackgroundFromImageFile({ ...common, path: "photo.jpg", outputFile: "npm.jpg" });
  const base64img = readFileSync("photo.b64", "utf8");
  const two = await client.removeBackgroundFromImageBase64({ apiKey: "any key", base64img, outputFile: "npm.png" });
  console.log(one.detectedType, one.creditsCharged, two.resultWidth, two.resultHeight, two.base64img.length > 1000);
  const errors = await client.removeBackgroundFromImageFile({ apiKey: "any key", path: "no.jpg" }).catch((e) => e);
  console.log(errors[0].code);
})();
"""
    done = npm_client(request, folder, script, server.url)
    assert (done.returncode, done.stdout) == (0, "person 0 500 500 true\ninvalid_file_type\n"), done.stderr
    assert opened(folder / "npm.png") == ("PNG", (500, 500), "RGBA")
    assert opened(folder / "npm.jpg")[0] == "JPEG"


def test_npm_removebg_wrapper_works(request: pytest.FixtureRequest, server: Gunicorn, folder: Path) -> None:
    script = """require("./removebg-wrapper.copy.js").rbFromImageFile("photo.jpg", "any key");"""
    done = npm_client(request, folder, script, server.url)
    assert done.returncode == 0, done.stderr
    assert opened(folder / "output.png") == ("PNG", (512, 512), "RGBA")


def test_documented_axios_example_works(request: pytest.FixtureRequest, server: Gunicorn, folder: Path) -> None:
    script = f"""
const axios = require("axios");
const FormData = require("form-data");
const fs = require("fs");
const form = new FormData();
form.append("size", "auto");
form.append("image_file", fs.createReadStream("photo.jpg"), "photo.jpg");
axios({{
  method: "post",
  url: "{server.url}/v1.0/removebg",
  data: form,
  responseType: "arraybuffer",
  headers: {{ ...form.getHeaders(), "X-Api-Key": "INSERT_YOUR_API_KEY_HERE" }},
  encoding: null,
}}).then((response) => {{
  if (response.status != 200) throw new Error(response.statusText);
  fs.writeFileSync("axios.png", response.data);
}});
"""
    done = npm_client(request, folder, script, server.url)
    assert done.returncode == 0, done.stderr
    assert opened(folder / "axios.png") == ("PNG", (512, 512), "RGBA")
