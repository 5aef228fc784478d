"""The service on an NVIDIA GPU. Skipped where ONNX Runtime finds none."""

import io
from collections.abc import Callable

import numpy as np
import pytest
import requests
from PIL import Image

from services.capacity.deadline import Deadline
from services.inference.catalogue import CATALOGUE
from services.inference.cuda import missing_cuda
from services.inference.runtime import Engine, EngineSettings
from services.inference.segmenter import load_segmenter
from tests.support.gunicorn import Gunicorn
from tests.support.waiting import ROOT

Load = Callable[[str], Image.Image]
MISSING = missing_cuda()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no GPU: {MISSING}")


def test_masks_on_the_gpu_match_the_cpu(photo: Load) -> None:
    def mask(engine: Engine, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        segmenter = load_segmenter(CATALOGUE["u2netp"], ROOT / "models", EngineSettings(engine, "f32", 1))
        assert (segmenter.engine, segmenter.warning) == (engine, "")
        return segmenter.mask(photo(name).resize((320, 320), Image.Resampling.LANCZOS), Deadline()).astype(np.float32)

    for name in ("astronaut", "chelsea", "coffee"):
        assert np.abs(mask("cuda", name) - mask("onnxruntime", name)).mean() / 255 <= 0.0015


def test_every_web_process_serves_on_the_gpu(photo: Load) -> None:
    file = io.BytesIO()
    photo("astronaut").convert("RGB").save(file, "JPEG")
    with Gunicorn(INFERENCE_ENGINE="cuda", WEB_CONCURRENCY=2) as service:
        model = requests.get(f"{service.url}/health", timeout=10).json()["parts"]["model"]
        assert (model["engine"], model["precision"]) == ("cuda", "f32")
        for _ in range(6):
            answer = requests.post(
                f"{service.url}/remove-background", files={"file": ("a.jpg", file.getvalue())}, timeout=60
            )
            assert answer.status_code == 200
            alpha = np.asarray(Image.open(io.BytesIO(answer.content)).getchannel("A"))
            assert 0.2 < (alpha > 128).mean() < 0.8


def test_service_without_the_device_does_not_start_on_the_cpu() -> None:
    with Gunicorn(ready=False, INFERENCE_ENGINE="cuda", CUDA_VISIBLE_DEVICES="") as service:
        assert service.process.wait(60) != 0
        assert "INFERENCE_ENGINE is 'cuda'" in service.log()


def test_auto_without_the_device_serves_on_the_cpu_and_warns() -> None:
    with Gunicorn(INFERENCE_ENGINE="auto", CUDA_VISIBLE_DEVICES="") as service:
        model = requests.get(f"{service.url}/health", timeout=10).json()["parts"]["model"]
        assert model["engine"] != "cuda"
        assert model["status"] == "warning"
        assert "cuda" in model["details"]
