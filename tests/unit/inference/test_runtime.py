"""The choice of an engine, with sessions that accept or refuse the model."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from services.errors import EngineUnavailable
from services.inference import runtime
from services.inference.catalogue import CATALOGUE
from services.inference.runtime import EngineSettings, Fast, Loaded, open_session
from tests.support.waiting import ROOT

SPEC, F32 = CATALOGUE["u2netp"], Path("f32.onnx")
BF16, INT8 = Fast(Path("bf16.onnx"), "bf16"), Fast(Path("int8.onnx"), "int8+bf16")
ALL = ("CUDAExecutionProvider", "OpenVINOExecutionProvider", "CPUExecutionProvider")
Open = Callable[..., Loaded]


@pytest.fixture
def attempts() -> list[tuple[str, str]]:
    """(provider, file) of each attempt, in order."""
    return []


@pytest.fixture
def hints() -> list[str]:
    """The precision that OpenVINO was asked for at each attempt."""
    return []


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, attempts: list[tuple[str, str]], hints: list[str]) -> Open:
    """Open a session where these providers are available, some refuse the model, and some are lost while loading."""

    def run(
        settings: EngineSettings,
        *,
        available: tuple[str, ...] = ALL,
        refusing: tuple[str, ...] = (),
        lost: tuple[str, ...] = (),
        error: type[Exception] = RuntimeError,
        fast: tuple[Fast, ...] = (BF16,),
    ) -> Loaded:
        def session(_spec: object, path: Path, providers: list[Any], _threads: int) -> SimpleNamespace:
            name = providers[0] if isinstance(providers[0], str) else providers[0][0]
            attempts.append((name, path.name))
            if name == ALL[1]:
                hints.append(providers[0][1]["precision"])
            if name in refusing:
                raise error("refused")
            active = ["CPUExecutionProvider"] if name in lost else [name, "CPUExecutionProvider"]
            inner = SimpleNamespace(get_providers=lambda: active)
            return SimpleNamespace(inner_session=inner, predict=lambda _image: [])

        monkeypatch.setattr(runtime, "rembg_session", session)
        monkeypatch.setattr(runtime, "has_openvino", lambda: ALL[1] in available)
        monkeypatch.setattr(
            runtime, "import_rembg", lambda: SimpleNamespace(get_available_providers=lambda: list(available))
        )
        return open_session(SPEC, F32, settings, fast)

    return run


def test_engines_are_tried_from_the_best_to_plain_cpu(opened: Open, attempts: list[tuple[str, str]]) -> None:
    found = opened(EngineSettings(), refusing=ALL[:2])
    assert attempts == [
        ("CUDAExecutionProvider", "f32.onnx"),
        ("OpenVINOExecutionProvider", "bf16.onnx"),
        ("OpenVINOExecutionProvider", "f32.onnx"),
        ("CPUExecutionProvider", "f32.onnx"),
    ]
    assert (found.engine, found.precision) == ("onnxruntime", "f32")
    assert "openvino refused u2netp in bf16 (RuntimeError)" in found.warning


def test_wanted_engine_loads_without_a_warning(opened: Open, attempts: list[tuple[str, str]]) -> None:
    found = opened(EngineSettings("openvino", "bf16"))
    assert (found.engine, found.precision, found.warning) == ("openvino", "bf16", "")
    assert opened(EngineSettings("onnxruntime", "f32"), fast=()).warning == ""
    assert len(attempts) == 2


def test_int8_file_is_tried_first_with_the_precision_of_the_rest(
    opened: Open, attempts: list[tuple[str, str]], hints: list[str]
) -> None:
    found = opened(EngineSettings(), available=ALL[1:], fast=(INT8, BF16))
    assert (found.precision, found.path, found.warning) == ("int8+bf16", INT8.path, "")
    assert hints == ["bf16"]
    assert opened(EngineSettings("openvino", "int8"), fast=()).warning == "openvino has no int8 file of this model"


def test_missing_engine_or_precision_is_replaced_with_a_warning(opened: Open) -> None:
    found = opened(EngineSettings("openvino"), available=ALL[2:])
    assert found.engine == "onnxruntime"
    assert found.warning == "openvino is not installed"
    assert opened(EngineSettings("onnxruntime", "bf16")).warning == "onnxruntime has no bf16"


def test_cuda_on_request_is_never_replaced(opened: Open) -> None:
    with pytest.raises(EngineUnavailable, match="cuda is not in this build of onnxruntime"):
        opened(EngineSettings("cuda"), available=ALL[1:])
    with pytest.raises(EngineUnavailable, match="cuda was lost while u2netp was loaded"):
        opened(EngineSettings("cuda"), lost=ALL[:1])


def test_silently_lost_provider_is_noticed(opened: Open) -> None:
    found = opened(EngineSettings(), lost=ALL[:2])
    assert found.engine == "onnxruntime"
    assert "cuda was lost while u2netp was loaded" in found.warning


def test_damaged_file_is_not_tried_on_another_engine(opened: Open, attempts: list[tuple[str, str]]) -> None:
    with pytest.raises(EngineUnavailable, match="refused"):
        opened(EngineSettings(), refusing=ALL[:1], error=EngineUnavailable)
    assert len(attempts) == 1


def test_model_that_no_engine_takes_is_an_error(opened: Open) -> None:
    with pytest.raises(EngineUnavailable, match=r"cuda refused .*; openvino refused .*; onnxruntime refused"):
        opened(EngineSettings(), refusing=ALL)


def test_onnxruntime_sends_nothing_to_its_maker(tmp_path: Path) -> None:
    """Its uploader would leave an identifier of the machine in the user's cache folder, and start a thread."""
    script = (
        "import os; from services.inference.runtime import import_rembg;"
        "before = len(os.listdir('/proc/self/task')); import_rembg().get_available_providers();"
        "assert len(os.listdir('/proc/self/task')) == before"
    )
    environment = {**os.environ, "HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    environment.pop("ORT_DISABLE_TELEMETRY", None)
    subprocess.run([sys.executable, "-c", script], check=True, cwd=ROOT, timeout=60, env=environment)
    assert not list(tmp_path.rglob("*Microsoft*"))
