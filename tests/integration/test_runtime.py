"""Inference engines: selection, replacement with a warning, precision, and stopping a run."""

import contextlib
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from services.capacity.deadline import Deadline
from services.errors import ClientGone, DeadlineExceeded, EngineUnavailable
from services.inference import registry as sessions
from services.inference import runtime as engine
from services.inference.catalogue import CATALOGUE
from services.inference.openvino import has_openvino
from services.inference.processor import has_bf16, has_int8
from services.inference.record import INT8_LIMIT, INT8_WORST_LIMIT
from services.inference.registry import Models
from services.inference.runtime import EngineSettings
from services.inference.segmenter import RembgSegmenter, load_segmenter
from tests.support.gunicorn import Gunicorn
from tests.support.waiting import ROOT, poll

Load = Callable[[str], Image.Image]
SPEC = CATALOGUE["u2netp"]
MODELS = ROOT / "models"


def small(photo: Load, name: str = "astronaut") -> Image.Image:
    return photo(name).resize((320, 320), Image.Resampling.LANCZOS)


def load(**settings: object) -> RembgSegmenter:
    return load_segmenter(SPEC, MODELS, EngineSettings(threads=2, **settings))  # type: ignore[arg-type]


def test_onnxruntime_engine_can_be_selected(photo: Load) -> None:
    found = load(engine="onnxruntime")
    assert (found.engine, found.precision, found.warning) == ("onnxruntime", "f32", "")
    assert found.mask(small(photo), Deadline()).shape == (320, 320)


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are looked at in /proc")
def test_run_pins_no_thread_to_a_processor(photo: Load) -> None:
    # Sessions of other tests in this process may have pinned threads of their own.
    others = {task.name for task in Path("/proc/self/task").iterdir()}
    found, over = load(), threading.Event()
    allowed, seen = os.sched_getaffinity(0), set()

    def watch() -> None:
        while not over.is_set():
            for task in Path("/proc/self/task").iterdir():
                if task.name in others:
                    continue
                with contextlib.suppress(ProcessLookupError):
                    seen.add(frozenset(os.sched_getaffinity(int(task.name))))

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        for _ in range(3):
            found.mask(small(photo), Deadline())
        over.set()
        watching.result()
    assert seen == {frozenset(allowed)}


@pytest.mark.long
@pytest.mark.skipif(not has_openvino(), reason="OpenVINO is not installed")
def test_openvino_f32_masks_match_onnxruntime(photo: Load) -> None:
    plain, fast = load(engine="onnxruntime"), load(engine="openvino", precision="f32")
    assert (fast.engine, fast.precision, fast.warning) == ("openvino", "f32", "")
    for name in ("astronaut", "chelsea", "coffee"):
        masks = [s.mask(small(photo, name), Deadline()).astype(int) for s in (plain, fast)]
        assert np.abs(masks[0] - masks[1]).max() <= 1


@pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16")
@pytest.mark.long
def test_bf16_matches_f32_masks(photo: Load) -> None:
    exact, fast = load(precision="f32"), load(precision="bf16")
    assert (fast.engine, fast.precision) == ("openvino", "bf16")
    differences = []
    for name in ("astronaut", "chelsea", "coffee", "motorcycle_left", "rocket"):
        masks = [s.mask(small(photo, name), Deadline()).astype(float) for s in (exact, fast)]
        differences.append(np.abs(masks[0] - masks[1]).mean() / 255)
    assert np.mean(differences) < 0.0015
    assert max(differences) < 0.005


@pytest.mark.skipif(not has_int8(), reason="this processor has no int8")
def test_int8_is_chosen_automatically_and_keeps_within_its_budget(photo: Load) -> None:
    exact, fast = load(precision="f32"), load()
    assert (fast.engine, fast.precision.partition("+")[0]) == ("openvino", "int8")
    differences = []
    for name in ("astronaut", "chelsea", "coffee", "motorcycle_left", "rocket"):
        # Views that no scale was measured on.
        view = ImageOps.mirror(ImageOps.crop(photo(name), 40)).resize((320, 320), Image.Resampling.LANCZOS)
        masks = [s.mask(view, Deadline()).astype(float) for s in (exact, fast)]
        differences.append(np.abs(masks[0] - masks[1]).mean() / 255)
    assert np.mean(differences) <= INT8_LIMIT
    assert max(differences) <= INT8_WORST_LIMIT


@pytest.mark.skipif(not has_bf16(), reason="this processor has no bf16")
def test_bf16_without_a_valid_record_is_used_only_on_request(tmp_path: Path) -> None:
    shutil.copy(SPEC.path(MODELS), tmp_path)
    assert load_segmenter(SPEC, tmp_path, EngineSettings(threads=2)).precision == "f32"
    assert load_segmenter(SPEC, tmp_path, EngineSettings(precision="bf16", threads=2)).precision == "bf16"


def test_engine_that_is_not_installed_is_replaced_with_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "has_openvino", lambda: False)
    found = load(engine="openvino")
    assert (found.engine, found.precision) == ("onnxruntime", "f32")
    assert found.warning == "openvino is not installed"


def test_cuda_missing_from_the_build_is_an_error() -> None:
    with pytest.raises(EngineUnavailable, match="cuda is not in this build of onnxruntime"):
        load(engine="cuda")


def test_service_does_not_start_without_the_gpu_that_it_names() -> None:
    server = Gunicorn(ready=False, INFERENCE_ENGINE="cuda")
    with server:
        assert server.process.wait(60) != 0
        assert "INFERENCE_ENGINE is 'cuda': cuda is not in this build of onnxruntime" in server.log()


def test_failing_engine_is_replaced_with_a_warning(monkeypatch: pytest.MonkeyPatch, photo: Load) -> None:
    real = engine.rembg_session
    monkeypatch.setattr(engine, "has_openvino", lambda: True)

    def refuse(*args: object) -> object:
        if "CPUExecutionProvider" not in args[2]:  # type: ignore[operator]
            raise RuntimeError("this graph is not for me")
        return real(*args)  # type: ignore[arg-type]

    def lose(spec: object, path: object, _providers: object, threads: object) -> object:
        return real(spec, path, ["CPUExecutionProvider"], threads)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "rembg_session", refuse)
    found = load(engine="openvino", precision="f32")
    assert (found.engine, found.warning) == ("onnxruntime", "openvino refused u2netp in f32 (RuntimeError)")
    assert found.mask(small(photo), Deadline()).max() == 255
    monkeypatch.setattr(engine, "rembg_session", lose)
    found = load(engine="openvino", precision="f32")
    assert found.engine == "onnxruntime"
    assert found.warning.startswith("openvino was lost while u2netp was loaded")


def test_non_model_file_raises_an_error(tmp_path: Path) -> None:
    silueta = CATALOGUE["silueta"]
    with pytest.raises(EngineUnavailable, match="can't be read"):
        load_segmenter(silueta, tmp_path, EngineSettings())
    silueta.path(tmp_path).write_bytes(b"no model")
    with pytest.raises(EngineUnavailable, match="MD5"):
        load_segmenter(silueta, tmp_path, EngineSettings())
    unchecked = CATALOGUE["birefnet-general-fp16"]
    unchecked.path(tmp_path).write_bytes(b"no model")
    with pytest.raises(EngineUnavailable, match="refused birefnet-general-fp16"):
        load_segmenter(unchecked, tmp_path, EngineSettings())
    SPEC.path(tmp_path).write_bytes(SPEC.path(MODELS).read_bytes()[:-1])
    with pytest.raises(EngineUnavailable, match="SHA-256"):
        load_segmenter(SPEC, tmp_path, EngineSettings())


ENGINES = ["onnxruntime", *(["openvino"] if has_openvino() else [])]


@pytest.mark.parametrize("name", ENGINES)
def test_deadline_stops_a_run_inside_the_model(name: str, photo: Load) -> None:
    found = load(engine=name, precision="f32")
    assert found.engine == name
    image = small(photo)
    whole = found.mask(image, Deadline())
    with pytest.raises(DeadlineExceeded, match="stopped in the model"):
        found.mask(image, Deadline(0.02))
    # The session still works.
    assert np.array_equal(found.mask(image, Deadline(60)), whole)


@pytest.mark.parametrize("name", ENGINES)
def test_disconnected_caller_stops_a_run_inside_the_model(name: str, photo: Load) -> None:
    found = load(engine=name, precision="f32")
    # The caller is connected when the run begins and gone at the next check.
    checks = iter([False])
    with pytest.raises(ClientGone, match="stopped in the model"):
        found.mask(small(photo), Deadline(60, gone=lambda: next(checks, True)))
    assert found.mask(small(photo), Deadline(60)).any()


def test_unknown_default_model_fails_with_an_explanation(tmp_path: Path) -> None:
    models = Models(["no-such-model"], tmp_path, EngineSettings())
    models.start()
    assert models.wait() is False
    assert models.failure().startswith("no-such-model is not a known model (u2netp")


def test_model_file_added_later_is_loaded_without_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = Models(["u2netp"], tmp_path, EngineSettings("onnxruntime", "f32", 2))
    models.start()
    assert models.wait() is False
    shutil.copy(SPEC.path(MODELS), tmp_path)
    models.retry_when_due()
    # The first retry is not due yet.
    assert not models.ready()
    monkeypatch.setattr(sessions, "RETRY_SECONDS", 0)
    models.retry_when_due()
    poll(models.ready)


@pytest.mark.parametrize("seconds", [0.1, 0.3, 0.5])
def test_process_that_ends_while_its_model_loads_ends_cleanly(seconds: float) -> None:
    program = f"""
import time
from bootstrap.removal import make_models
from bootstrap.settings import load_settings
make_models(load_settings()).start()
time.sleep({seconds})
"""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0
