"""How many models are kept, which one goes, and that one loads at a time."""

import gc
import threading
import weakref
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from services.capacity.deadline import Deadline
from services.errors import EngineUnavailable, ModelNotFound
from services.inference import registry as sessions
from services.inference.registry import Models
from services.inference.runtime import EngineSettings
from services.inference.segmenter import RembgSegmenter, load_segmenter
from tests.support.tiny_models import brightness, stand_in

NAMES = ("isnet-anime", "u2net", "silueta", "u2net_human_seg")
PLAIN = EngineSettings("onnxruntime", "f32", 1)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with tiny models of four names; the first is the default."""
    for name in NAMES:
        stand_in(name, tmp_path, monkeypatch)
    return tmp_path


def test_the_least_recently_used_goes_first_and_the_default_never(folder: Path) -> None:
    dropped: list[str] = []
    models = Models(
        NAMES, folder, PLAIN, max_loaded=3, on_change=lambda s, loaded: None if loaded else dropped.append(s.spec.name)
    )
    for name in (None, "u2net", "silueta", "u2net"):
        models.get(name, Deadline())
    models.get("u2net_human_seg", Deadline())
    assert dropped == ["silueta"]  # u2net was asked for after it
    models.get("silueta", Deadline())
    assert dropped == ["silueta", "u2net"]
    assert set(models.loaded()) == {"isnet-anime", "u2net_human_seg", "silueta"}
    assert models.ready()


def test_room_is_made_for_the_default_model_too(folder: Path) -> None:
    models = Models(NAMES, folder, PLAIN, max_loaded=2)
    models.get("u2net", Deadline())
    models.get("silueta", Deadline())
    models.get(None, Deadline())
    assert len(models.loaded()) == 2
    assert models.ready()


def test_a_session_at_work_outlives_its_place_and_then_goes(folder: Path) -> None:
    models = Models(NAMES, folder, PLAIN, max_loaded=2)
    held = models.get("u2net", Deadline())
    models.get("silueta", Deadline())
    assert "u2net" not in models.loaded()
    from PIL import Image

    assert held.mask(Image.linear_gradient("L").resize((320, 320)).convert("RGB"), Deadline()).max() == 255
    gone = weakref.ref(held)
    del held
    gc.collect()
    assert gone() is None


def test_two_models_are_not_loaded_at_the_same_time(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, lock, most = load_segmenter, threading.Lock(), []

    def watched(*args: Any) -> RembgSegmenter:
        assert lock.acquire(blocking=False), "another one is loading"
        try:
            most.append(args[0].name)
            return real(*args)
        finally:
            lock.release()

    monkeypatch.setattr(sessions, "load_segmenter", watched)
    models = Models(NAMES, folder, PLAIN, max_loaded=4)
    got: list[str] = []
    threads = [
        threading.Thread(target=lambda n=name: got.append(models.get(n, Deadline(60)).spec.name)) for name in NAMES * 3
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(got) == sorted(NAMES * 3)
    assert sorted(most) == sorted(NAMES)  # each of them once


def test_a_model_that_is_not_enabled_or_not_here_is_not_found_and_never_fetched(folder: Path) -> None:
    models = Models(NAMES[:3], folder, PLAIN)
    (folder / "silueta.onnx").unlink()
    for name in ("u2net_human_seg", "silueta", "nothing", "../u2net"):
        with pytest.raises(ModelNotFound, match=r"is not one of: isnet-anime, u2net$"):
            models.get(name, Deadline())
    assert models.loaded() == {}


def test_tier_is_another_name_of_its_model(folder: Path) -> None:
    models = Models(NAMES[:3], folder, PLAIN)
    models.set_tiers({"best": "silueta"})
    assert models.tiers == {"fast": "isnet-anime", "good": "isnet-anime", "best": "silueta"}
    assert [models.check(name) for name in (None, "fast", "best", "u2net")] == [
        *("isnet-anime", "isnet-anime", "silueta", "u2net")
    ]
    assert models.get("best", Deadline()).name == "silueta"
    (folder / "silueta.onnx").unlink()
    with pytest.raises(ModelNotFound, match=r"'silueta' \(the tier best\) is not one of: isnet-anime, u2net$"):
        models.check("best")


def test_model_that_has_a_tiers_name_wins(folder: Path) -> None:
    (folder / "u2net.onnx").rename(folder / "best.onnx")
    models = Models(["isnet-anime", "best"], folder, PLAIN)
    models.set_tiers({"best": "isnet-anime"})
    assert models.check("best") == "best"


def test_default_model_is_the_substitute_of_known_ones_that_are_not_usable(folder: Path) -> None:
    models = Models(NAMES[:3], folder, PLAIN)
    (folder / "silueta.onnx").unlink()
    with capture_logs() as lines:
        asked = (None, "isnet-anime", "u2net", "nothing", "withoutbg", "silueta", "sam", "silueta")
        found = [models.substitute(name) for name in asked]
    assert found == ["", "", "", "", "", "isnet-anime", "isnet-anime", "isnet-anime"]
    assert [(line["log_level"], line["asked"]) for line in lines] == [("warning", "silueta"), ("warning", "sam")]


def test_default_model_is_the_substitute_of_a_tier_whose_file_is_missing(folder: Path) -> None:
    models = Models(NAMES[:3], folder, PLAIN)
    models.set_tiers({"best": "silueta"})
    assert [models.substitute(tier) for tier in ("fast", "good", "best")] == ["", "", ""]
    (folder / "silueta.onnx").unlink()
    assert [models.substitute(tier) for tier in ("fast", "good", "best")] == ["", "", "isnet-anime"]
    with pytest.raises(ModelNotFound, match="the tier best"):
        models.check("best")


def test_sam_is_here_when_both_of_its_files_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spec = stand_in("sam", tmp_path, monkeypatch)
    models = Models(["u2netp", "sam"], tmp_path, PLAIN)
    assert list(models.usable()) == ["sam"]
    assert models.get("sam", Deadline()).spec.takes_prompt
    (tmp_path / spec.files[1].name).unlink()
    assert list(models.usable()) == []


def test_an_encoder_of_another_kind_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from dataclasses import replace

    from services.inference.catalogue import CATALOGUE

    spec = stand_in("sam", tmp_path, monkeypatch)
    brightness(tmp_path / spec.files[0].name, 64)
    monkeypatch.setitem(CATALOGUE, "sam", replace(spec, files=tuple(replace(f, checksum="") for f in spec.files)))
    with pytest.raises(EngineUnavailable, match=r"the encoder of sam takes \[1, 3, 64, 64\]"):
        Models(["u2netp", "sam"], tmp_path, PLAIN).get("sam", Deadline())
