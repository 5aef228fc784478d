"""Models over HTTP: enabled models, models installed later, the prompt of `sam`, and confidence."""

import base64
import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from services.inference.catalogue import CATALOGUE, digest
from tests.support import tiny_models
from tests.support.gunicorn import Gunicorn
from tests.support.images import pixels
from tests.support.models import describe, picture
from tests.support.waiting import ROOT

FP16 = "birefnet-general-fp16"
# The real `sam` is not available, so the server's catalogue gets the checksums of the tiny one.
PATCH = """
import dataclasses, sys
sys.path.insert(0, {root!r})
from services.inference.catalogue import CATALOGUE
sums = {sums!r}
spec = CATALOGUE["sam"]
files = tuple(dataclasses.replace(file, checksum=sums[file.name]) for file in spec.files)
CATALOGUE["sam"] = dataclasses.replace(spec, files=files)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model folder with u2netp, a tiny sam, and the description of a custom model without its file."""
    made = tmp_path_factory.mktemp("models")
    shutil.copy(ROOT / "models/u2netp.onnx", made)
    describe(made)
    tiny_models.sam(made)
    return made


@pytest.fixture(scope="module")
def server(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    sums = {file.name: f"sha256:{digest(folder / file.name)}" for file in CATALOGUE["sam"].files}
    site = tmp_path_factory.mktemp("site")
    (site / "sitecustomize.py").write_text(PATCH.format(root=str(ROOT), sums=sums))
    enabled = f"{FP16},mine,sam"
    with Gunicorn(
        REMBG_SESSION_PATH=folder, MODELS_ENABLED=enabled, MODEL_TIERS="best=mine", PYTHONPATH=site, MAX_LOADED_MODELS=2
    ) as running:
        yield running


def remove(server: Gunicorn, data: bytes, **options: object) -> requests.Response:
    return requests.post(f"{server.url}/remove-background", files={"file": data}, data=options, timeout=60)


def listed(server: Gunicorn) -> dict[str, dict[str, object]]:
    return {model["name"]: model for model in requests.get(f"{server.url}/models", timeout=10).json()["models"]}


@pytest.mark.parametrize("name", [FP16, "mine"])
def test_model_is_usable_once_its_file_exists(server: Gunicorn, folder: Path, name: str) -> None:
    answer = remove(server, picture(), model=name)
    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")
    assert answer.json()["details"].startswith(f"{name!r} is not one of: u2netp")
    assert name not in listed(server)
    if name == "mine":
        tiny_models.brightness(folder / "mine.onnx", 64)
    else:
        tiny_models.brightness(folder / f"{name}.onnx", 1024, gain=3)
    assert listed(server)[name]["loaded"] is False
    answer = remove(server, picture(), model=name, output="mask")
    assert answer.status_code == 200, answer.text
    mask = pixels(answer.content)
    assert (mask[180, 160], mask[180, 400]) == (255, 0)
    assert float(answer.headers["X-Confidence"]) > 0.8
    assert listed(server)[name]["loaded"] is True


def test_tier_answers_as_its_model_does_and_the_list_has_both_with_measured_seconds(
    server: Gunicorn, folder: Path
) -> None:
    tiny_models.brightness(folder / "mine.onnx", 64)
    listing = requests.get(f"{server.url}/models", timeout=10).json()
    assert listing["tiers"] == {"fast": "u2netp", "good": "u2netp", "best": "mine"}
    answers = [remove(server, picture(), model=name) for name in ("best", "mine")]
    assert answers[0].content == answers[1].content
    url = f"{server.url}/remove-background-base64"
    encoded = {"image": base64.b64encode(picture()).decode(), "model": "best"}
    assert requests.post(url, json=encoded, timeout=60).json()["model"] == "mine"
    assert 0 < float(str(listed(server)["mine"]["seconds"])) < 60


def test_known_but_disabled_model_is_not_found(server: Gunicorn) -> None:
    answer = remove(server, picture(), model="u2net")
    assert (answer.status_code, answer.json()["code"]) == (404, "model_not_found")


def test_list_shows_installed_and_available_models(server: Gunicorn, folder: Path) -> None:
    body = requests.get(f"{server.url}/models", timeout=10).json()
    found = {model["name"]: model for model in body["models"]}
    assert found["u2netp"] == {
        "name": "u2netp",
        "purpose": "general, small and fast",
        "licence": "Apache-2.0",
        "commercial_use": "yes",
        "input_size": 320,
        "about_mb": 5,
        "checksums": {"u2netp.onnx": CATALOGUE["u2netp"].files[0].checksum},
        "takes_prompt": False,
        "size_bytes": (folder / "u2netp.onnx").stat().st_size,
        "default": True,
        "loaded": True,
        "engine": found["u2netp"]["engine"],
        # The folder has no bf16 record.
        "precision": "f32",
        "seconds": found["u2netp"]["seconds"],
    }
    assert len(found["sam"]["checksums"]) == 2
    others = {model["name"]: model for model in body["not_here"]}
    assert others["bria-rmbg"]["commercial_use"] == "only with a licence of BRIA AI"
    assert set(found) | set(others) == {*CATALOGUE, *found}


def test_sam_accepts_a_prompt_in_form_query_and_json(server: Gunicorn) -> None:
    # The disc's centre is (341, 512).
    data = picture(1024, 1024)
    marks = [{"type": "point", "data": [341, 512], "label": 1}]
    by_form = remove(server, data, model="sam", prompt=json.dumps(marks))
    assert by_form.status_code == 200, by_form.text
    by_query = requests.post(
        f"{server.url}/remove-background",
        params={"model": "sam", "prompt": json.dumps(marks)},
        data=data,
        headers={"Content-Type": "image/png"},
        timeout=60,
    )
    url, image = f"{server.url}/remove-background-base64", base64.b64encode(data).decode()
    two = [*marks, {"type": "point", "data": [5, 5], "label": 0}]
    by_json = requests.post(url, json={"image": image, "model": "sam", "prompt": marks}, timeout=60).json()
    assert by_form.content == by_query.content == base64.b64decode(by_json["image"])
    assert by_json["confidence"] == float(by_form.headers["X-Confidence"]) > 0.8
    assert pixels(by_form.content)[512, 341, 3] == 255
    assert requests.post(url, json={"image": image, "model": "sam", "prompt": two}, timeout=60).status_code == 200


def test_second_prompt_for_a_photo_needs_no_encoder(server: Gunicorn) -> None:
    data = picture(700, 500)
    clicks = [json.dumps([{"type": "point", "data": [x, 250]}]) for x in (233, 600)]
    answers = [remove(server, data, model="sam", prompt=click) for click in clicks]
    assert [answer.headers["X-Embedding"] for answer in answers] == ["miss", "hit"]
    assert "X-Embedding" in answers[0].headers["Access-Control-Expose-Headers"]
    assert "X-Embedding" not in remove(server, data).headers


def test_invalid_prompt_is_refused(server: Gunicorn) -> None:
    outside = '[{"type": "point", "data": [481, 5], "label": 1}]'
    for options, says in (
        ({"prompt": outside}, "the model u2netp takes none"),
        ({"model": "sam", "prompt": outside}, "allowed: 0 to 480 across"),
        ({"model": "sam", "prompt": "here"}, "allowed: a JSON list"),
    ):
        answer = remove(server, picture(), **options)
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")
        assert says in answer.json()["details"]


def test_loaded_models_are_limited(server: Gunicorn, folder: Path) -> None:
    tiny_models.brightness(folder / "mine.onnx", 64)
    for name in ("mine", "sam", "mine"):
        assert remove(server, picture(), model=name).status_code == 200
        assert [model for model, facts in listed(server).items() if facts["loaded"]] == ["u2netp", name]
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    values = {line.split('model="')[1].split('"')[0]: line[-3:] for line in text.splitlines() if "model_info{" in line}
    assert (values["u2netp"], values["mine"], values["sam"]) == ("1.0", "1.0", "0.0")


def test_confidence_header_is_exposed_and_high_for_a_clear_photo(server: Gunicorn, jpeg: bytes) -> None:
    answer = requests.post(
        f"{server.url}/remove-background", files={"file": jpeg}, headers={"Origin": "https://shop.example"}, timeout=60
    )
    assert 0.9 < float(answer.headers["X-Confidence"]) <= 1
    assert "X-Confidence" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.long
def test_path_of_a_file_without_a_description_is_served_as_a_u2net(tmp_path: Path, jpeg: bytes) -> None:
    shutil.copy(ROOT / "models/u2netp.onnx", tmp_path / "ours.onnx")
    # An empty setting is the same as none.
    with Gunicorn(REMBG_MODEL_NAME=tmp_path / "ours.onnx", REMBG_SESSION_PATH="") as server:
        (model,) = requests.get(f"{server.url}/models", timeout=10).json()["models"]
        assert model["name"] == "ours"
        answer = requests.post(f"{server.url}/remove-background", files={"file": ("a.jpg", jpeg)}, timeout=60)
        assert answer.status_code == 200
        assert float(answer.headers["X-Confidence"]) > 0.5
