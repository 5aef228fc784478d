"""A model on OpenVINO in the shape of an ONNX Runtime session."""

import importlib.util
import shutil
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from services.inference.openvino import CACHE, PROVIDER, OpenVinoSession, Terminated, has_openvino
from tests.support.tiny_models import brightness, save
from tests.support.waiting import ROOT

pytestmark = pytest.mark.skipif(not has_openvino(), reason="OpenVINO is not installed")


def picture(value: float, side: int = 8) -> dict[str, Any]:
    return {"input.1": np.full((1, 3, side, side), value, np.float32)}


def session(folder: Path) -> OpenVinoSession:
    """A model of 8×8 px with two outputs: the brightness, and its negative."""
    return OpenVinoSession(brightness(folder / "bright.onnx", 8, outputs=2), "f32", 1)


def test_session_describes_itself_as_onnxruntime_does(tmp_path: Path) -> None:
    found = session(tmp_path)
    assert [(entry.name, entry.shape) for entry in found.get_inputs()] == [("input.1", [1, 3, 8, 8])]
    assert [entry.name for entry in found.get_outputs()] == ["d0", "d1"]
    assert found.get_providers() == [PROVIDER]


def test_unknown_sides_of_a_shape_are_text(tmp_path: Path) -> None:
    node = helper.make_node("Relu", ["x"], ["y"])
    path = save(tmp_path / "any.onnx", [node], {"x": ["height", "width", 3]}, {"y": ["height", "width", 3]})
    found = OpenVinoSession(path, "f32", 1)
    assert found.get_inputs()[0].shape == ["?", "?", 3]
    assert found.run(None, {"x": np.ones((2, 5, 3), np.float32)})[0].shape == (2, 5, 3)


def test_outputs_come_in_the_models_order_or_by_name(tmp_path: Path) -> None:
    found = session(tmp_path)
    assert [float(output.max()) for output in found.run(None, picture(0.5))] == [0.5, -0.5]
    (negative,) = found.run(["d1"], picture(0.5))
    assert negative.shape == (1, 1, 8, 8)
    assert (negative == -0.5).all()


def test_an_array_that_is_a_view_is_read_right(tmp_path: Path) -> None:
    rows = np.arange(3 * 64, dtype=np.float32).reshape(1, 8, 8, 3).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(session(tmp_path).run(None, {"input.1": rows})[0][0, 0], rows[0].mean(axis=0), rtol=1e-6)


def test_threads_get_their_own_results_which_stay(tmp_path: Path) -> None:
    found = session(tmp_path)
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(lambda value: found.run(None, picture(value))[0], range(40)))
    assert [float(result.max()) for result in results] == pytest.approx(list(range(40)))


def test_second_load_comes_from_the_cache_until_the_file_changes(tmp_path: Path) -> None:
    def cached(found: OpenVinoSession) -> bool:
        assert float(found.run(None, picture(0.5))[0].max()) in (0.5, 1.0)
        return bool(found._model.get_property("LOADED_FROM_CACHE"))

    path = brightness(tmp_path / "bright.onnx", 8)
    assert [cached(OpenVinoSession(path, "f32", 1)) for _ in range(2)] == [False, True]
    brightness(path, 8, gain=2)
    changed = OpenVinoSession(path, "f32", 1)
    assert float(changed.run(None, picture(0.5))[0].max()) == 1.0


def test_cache_that_is_damaged_or_cannot_be_made_is_done_without(tmp_path: Path) -> None:
    session(tmp_path)
    for blob in (tmp_path / CACHE).glob("*/*"):
        blob.chmod(0o600)
        blob.write_bytes(blob.read_bytes()[:40])
    assert float(session(tmp_path).run(None, picture(0.5))[0].max()) == 0.5
    assert [blob.stat().st_size > 40 for blob in (tmp_path / CACHE).glob("*/*.blob")] == [True]
    shutil.rmtree(tmp_path / CACHE)
    (tmp_path / CACHE).write_text("no folder")
    assert float(session(tmp_path).run(None, picture(0.5))[0].max()) == 0.5


class Endless:
    """A request that works until it is cancelled."""

    def __init__(self) -> None:
        self.waited, self.cancelled = threading.Event(), threading.Event()

    def start_async(self, _feed: object) -> None: ...

    def cancel(self) -> None:
        self.cancelled.set()

    def wait(self) -> None:
        self.waited.set()
        assert self.cancelled.wait(20)
        raise RuntimeError("cancelled")


def test_run_ends_when_it_is_terminated_and_its_request_serves_again(tmp_path: Path) -> None:
    found, request = session(tmp_path), Endless()
    found._idle.append(request)
    options = found.run_options()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(found.run, None, picture(1), options)
        assert request.waited.wait(20)
        options.terminate = True
        with pytest.raises(Terminated):
            running.result()
    assert found._idle == [request]
    # A late end does not reach the run that has the request then.
    request.cancelled.clear()
    options.terminate = True
    assert not request.cancelled.is_set()


def test_run_that_is_terminated_before_it_begins_ends_too(tmp_path: Path) -> None:
    found, request = session(tmp_path), Endless()
    found._idle.append(request)
    options = found.run_options()
    options.terminate = True
    with pytest.raises(Terminated):
        found.run(None, picture(1), options)


def test_error_of_the_library_is_its_own(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        session(tmp_path).run(None, picture(1, side=9))
    assert not isinstance(caught.value, Terminated)


def test_import_starts_no_thread_and_no_telemetry() -> None:
    script = (
        "import sys, threading; from services.inference.openvino import import_openvino; import_openvino().Core;"
        "assert threading.active_count() == 1, threading.enumerate();"
        "assert not [name for name in sys.modules if 'telemetry' in name or name.startswith('openvino.tools')]"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, cwd=ROOT, timeout=60)


def test_a_signal_reaches_the_process_after_another_thread_dropped_its_last_model(tmp_path: Path) -> None:
    """The library's destructor unmapped the signal stack of the thread that had loaded first."""
    script = """
import signal, sys, threading
from pathlib import Path
from services.inference.openvino import OpenVinoSession
models = [OpenVinoSession(Path(sys.argv[1]), "f32", 1)]
dropping = threading.Thread(target=models.clear)
dropping.start()
dropping.join()
signal.signal(signal.SIGCHLD, lambda *_: print("handled"))
signal.raise_signal(signal.SIGCHLD)
"""
    path = brightness(tmp_path / "bright.onnx", 8)
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (done.returncode, done.stdout) == (0, "handled\n")


def test_openvino_is_looked_for_without_an_import(monkeypatch: pytest.MonkeyPatch) -> None:
    assert has_openvino()
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    assert not has_openvino()
