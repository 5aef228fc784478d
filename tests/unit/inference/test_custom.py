"""Custom models: described by a JSON file, checked, run."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bootstrap.settings import load_settings
from config import ConfigError
from services.errors import EngineUnavailable
from services.inference.catalogue import CATALOGUE
from services.inference.custom import all_specs, find_spec
from tests.support.images import encoded, pixels
from tests.support.models import describe, picture, remove
from tests.support.tiny_models import brightness


def test_a_described_file_is_a_model(tmp_path: Path) -> None:
    brightness(tmp_path / "mine.onnx", 64)
    describe(tmp_path)
    result = remove(tmp_path, picture(), model="mine", output="mask")
    mask = pixels(result.data)
    assert (result.model, mask.shape) == ("mine", (360, 480))
    assert mask[180, 160] == 255
    assert mask[180, 400] == 0


def test_mean_deviation_activation_and_stretch_change_the_mask(tmp_path: Path) -> None:
    brightness(tmp_path / "mine.onnx", 64)
    image = Image.new("RGB", (64, 64), (102, 102, 102))  # 0.4
    # Without anything opaque, there would be no subject.
    image.paste((255, 255, 255), (0, 0, 16, 16))
    grey = encoded(image, "PNG")
    expected = {
        (0.0, 1.0, "none"): 102,
        (0.3, 0.5, "none"): 51,  # (0.4 - 0.3) / 0.5
        (0.5, 0.1, "none"): 0,  # below 0 is 0
        (0.4, 1.0, "sigmoid"): 128,
    }
    for (mean, std, activation), level in expected.items():
        describe(tmp_path, mean=[mean] * 3, std=[std] * 3, activation=activation, stretch=False)
        mask = pixels(remove(tmp_path, grey, model="mine", output="mask", edges="soft").data)
        assert abs(int(mask[32, 32]) - level) <= 1, (mean, std, activation)


def test_the_output_is_chosen_by_place_or_name(tmp_path: Path) -> None:
    brightness(tmp_path / "mine.onnx", 64, outputs=2)  # d1 is d0 turned round
    for output, inside in ((0, 255), ("d0", 255), (1, 0), ("d1", 0)):
        describe(tmp_path, output=output)
        assert pixels(remove(tmp_path, picture(), model="mine", output="mask").data)[180, 160] == inside


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"output": "d9"}, r"the model mine has no output 'd9': it has d0"),
        ({"output": 3}, r"the model mine has no output 3: it has d0"),
        ({"input_size": 128}, r"the model mine takes \[\[1, 3, 64, 64\]\], not one 1×3×128×128"),
        ({"sha256": "0" * 64}, r"the file of model mine is damaged: its SHA-256"),
    ],
)
def test_file_that_contradicts_its_description_is_refused(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    brightness(tmp_path / "mine.onnx", 64)
    describe(tmp_path, **changes)
    with pytest.raises(EngineUnavailable, match=says):
        remove(tmp_path, picture(), model="mine")


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"licence": None}, "licence: Field required"),
        ({"input_size": "320"}, "input_size: Input should be a valid integer"),
        ({"input_size": 9}, "input_size: Input should be greater than or equal to 32"),
        ({"std": [1, 0, 1]}, "std.1: Input should be greater than 0"),
        ({"mean": [0, 0]}, "mean.2: Field required"),
        ({"activation": "tanh"}, "activation: Input should be 'none' or 'sigmoid'"),
        ({"sha256": "abc"}, "sha256: String should match pattern"),
        ({"sigmoid": True}, "sigmoid: Extra inputs are not permitted"),
    ],
)
def test_wrong_description_stops_the_start_with_its_mistake(tmp_path: Path, changes: dict[str, Any], says: str) -> None:
    describe(tmp_path, **changes)
    with pytest.raises(ConfigError) as caught:
        load_settings(rembg_session_path=tmp_path, models_enabled="u2net,mine")
    assert f"mine.json is wrong: {says}" in str(caught.value)


def test_missing_or_malformed_description_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_text("{")
    with pytest.raises(ValueError, match=r"mine\.json is wrong: the file: Invalid JSON"):
        find_spec("mine", tmp_path)
    (tmp_path / "mine.json").write_text(" " * 70_000)
    with pytest.raises(ValueError, match=r"mine\.json is larger than 65536 bytes"):
        find_spec("mine", tmp_path)
    with pytest.raises(ValueError, match=r"a custom model needs nothing\.json next to it"):
        find_spec("nothing", tmp_path)


@pytest.mark.parametrize("name", ["../mine", "a/b", ".hidden", "u2netp.prepared", "x" * 65, "", "ä", "a\0"])
def test_a_name_that_could_be_a_path_or_a_prepared_file_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="can't be a model's name"):
        find_spec(name, tmp_path)


def test_rembgs_models_need_no_description_and_take_none(tmp_path: Path) -> None:
    describe(tmp_path, "u2net", purpose="something else")
    describe(tmp_path, "u2netp.prepared")
    describe(tmp_path)
    assert find_spec("u2net", tmp_path) is CATALOGUE["u2net"]
    assert [spec.name for spec in all_specs(tmp_path)] == [*CATALOGUE, "mine"]
    settings = load_settings(rembg_session_path=tmp_path, rembg_model_name="mine", models_enabled="sam")
    assert settings.models == ("mine", "sam")


def test_model_file_without_a_description_is_prepared_as_u2net(tmp_path: Path) -> None:
    (tmp_path / "mine.onnx").touch()
    spec = find_spec("mine", tmp_path)
    assert spec.input_size == 320
    assert spec.custom is not None
    assert spec.custom.mean == (0.485, 0.456, 0.406)
    describe(tmp_path, input_size=512)
    assert find_spec("mine", tmp_path).input_size == 512
