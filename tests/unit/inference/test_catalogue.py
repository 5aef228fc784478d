"""The catalogue is rembg's own list, and each of its models goes through the pipeline."""

import re
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from services.errors import BadOption, EngineUnavailable
from services.imaging.errors import NoSubject
from services.inference.catalogue import CATALOGUE
from services.inference.prepare import prepare
from services.inference.runtime import import_rembg, rembg_class
from tests.support.images import encoded, pixels
from tests.support.models import picture, remove
from tests.support.tiny_models import stand_in
from tests.support.waiting import ROOT


def test_the_catalogue_holds_every_model_of_rembg_that_stays_on_this_machine() -> None:
    import_rembg()
    from rembg.sessions import sessions

    local = {name for name, session in sessions.items() if session.is_local()}
    # A user's own model file, which this project describes with a JSON file next to it.
    described = {"u2net_custom", "dis_custom", "ben_custom"}
    assert set(CATALOGUE) == local - described
    assert not set(CATALOGUE) & {"withoutbg", "atlascloud"}


def test_checksums_and_names_in_the_release_are_rembgs_own() -> None:
    import_rembg()
    import hashlib
    import inspect

    for spec in CATALOGUE.values():
        source = inspect.getsource(inspect.getmodule(rembg_class(spec.name)))  # type: ignore[arg-type]
        for file in spec.files:
            if spec.name == "u2netp":
                md5 = hashlib.md5(spec.path(ROOT / "models").read_bytes(), usedforsecurity=False).hexdigest()
                assert f"md5:{md5}" in source
            else:
                assert file.checksum in source
            assert file.remote in source
        if side := re.findall(r"\((\d+), \1\)", source):
            assert {int(text) for text in side} == {spec.input_size}


def test_every_model_has_a_licence_and_a_commercial_use() -> None:
    for spec in CATALOGUE.values():
        assert spec.purpose
        assert spec.licence in ("Apache-2.0", "MIT", "CC-BY-NC-4.0")
        assert spec.commercial.startswith("yes") is (spec.licence != "CC-BY-NC-4.0")
    assert CATALOGUE["bria-rmbg"].commercial == "only with a licence of BRIA AI"


def test_guide_has_every_model_with_its_licence() -> None:
    section = (ROOT / "docs/guides/models.md").read_text()
    rows = {row.split("|")[1].strip(" `"): row for row in section.splitlines() if row.startswith("| `")}
    assert set(rows) == set(CATALOGUE)
    for name, row in rows.items():
        spec = CATALOGUE[name]
        assert [cell.strip() for cell in row.split("|")[2:5]] == [spec.purpose, spec.licence, spec.commercial]


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in CATALOGUE if n not in ("u2netp", "sam", "u2net_cloth_seg")])
def test_every_model_runs_through_the_pipeline(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in(name, tmp_path, monkeypatch)
    result = remove(tmp_path, picture(), model=name, output="mask")
    mask = pixels(result.data)
    assert (result.model, mask.shape) == (name, (360, 480))
    assert mask[150:210, 130:190].min() > 240
    assert mask[:, 260:].max() < 15
    assert mask[:100].max() < 15
    assert result.confidence > 0.9


def test_clothes_are_the_union_of_the_three_masks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in("u2net_cloth_seg", tmp_path, monkeypatch)
    image = Image.new("RGB", (300, 300))
    for index, colour in enumerate(("red", "lime", "blue")):
        ImageDraw.Draw(image).rectangle((100 * index + 20, 50, 100 * index + 60, 250), fill=colour)
    mask = pixels(remove(tmp_path, encoded(image, "PNG"), model="u2net_cloth_seg", output="mask").data)
    assert [int(mask[150, 100 * index + 40]) for index in range(3)] == [255, 255, 255]
    assert [int(mask[150, 100 * index + 85]) for index in range(3)] == [0, 0, 0]


def test_bf16_requires_the_mask_as_first_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sam", "u2net_cloth_seg", "birefnet-general-lite"):
        with pytest.raises(ValueError, match=f"{name} can't be prepared"):
            prepare(stand_in(name, tmp_path, monkeypatch), tmp_path, [], 1)


def test_a_model_that_is_not_the_known_file_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = stand_in("u2net", tmp_path, monkeypatch)
    with spec.path(tmp_path).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(EngineUnavailable, match="its SHA-256 is not the known one"):
        remove(tmp_path, picture(), model="u2net")


def test_an_image_without_a_subject_is_refused_where_one_is_required(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand_in("isnet-anime", tmp_path, monkeypatch)
    assert remove(tmp_path, picture(), require_subject=True, model="isnet-anime").width == 480
    image = Image.new("RGBA", (200, 200), (0, 0, 0, 0))  # nothing of it can be seen
    image.paste((255, 255, 255, 255), (0, 0, 5, 7))  # 35 of 40000 px
    with pytest.raises(NoSubject, match=r"^.*35 of 40000 pixels would be visible; 0\.1% of them"):
        remove(tmp_path, encoded(image, "PNG"), require_subject=True, model="isnet-anime")
    assert remove(tmp_path, encoded(image, "PNG"), model="isnet-anime").width == 200


def test_a_prompt_for_a_model_that_takes_none_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stand_in("u2net", tmp_path, monkeypatch)
    with pytest.raises(BadOption, match="allowed: prompt with model=sam; the model u2net takes none"):
        remove(tmp_path, picture(), model="u2net", prompt='[{"type": "point", "data": [5, 5], "label": 1}]')
