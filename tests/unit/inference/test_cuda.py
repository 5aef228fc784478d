"""The check for CUDA at the start."""

import onnxruntime
import pytest

from bootstrap.settings import require_engine
from config import ConfigError, load_settings
from services.inference import cuda
from services.inference.cuda import TINY_GRAPH, missing_cuda


def test_machine_without_cuda_says_so() -> None:
    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("CUDA is in this build")
    assert missing_cuda() == "cuda is not in this build of onnxruntime"


def test_tiny_graph_runs() -> None:
    session = onnxruntime.InferenceSession(bytes.fromhex(TINY_GRAPH), providers=["CPUExecutionProvider"])
    assert session.run(None, {"x": [1.5]})[0].tolist() == [-1.5]


def test_device_that_does_not_answer_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "PROBE", "import time; time.sleep(60)")
    monkeypatch.setattr(cuda, "PROBE_SECONDS", 0.2)
    assert missing_cuda() == "the device does not answer within 0.2 s"


def test_crash_of_the_library_is_an_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "PROBE", "import os; os.abort()")
    assert missing_cuda().startswith("the check ended with -6")


def test_only_cuda_on_request_ends_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda, "missing_cuda", lambda: "no device")
    require_engine(load_settings())
    monkeypatch.setenv("INFERENCE_ENGINE", "cuda")
    with pytest.raises(ConfigError, match="INFERENCE_ENGINE is 'cuda': no device"):
        require_engine(load_settings())
