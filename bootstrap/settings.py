"""Reads the settings of a process that serves, and checks that what they ask for can be had."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import config
from config import ConfigError, Settings


def load_settings(**overrides: Any) -> Settings:
    """Return the settings of a process that serves. Raises `ConfigError`, also for a model that is not known."""
    from services.inference.custom import find_spec as find_model

    settings = config.load_settings(**overrides)
    if settings.otel_exporter_otlp_endpoint and not _has_exporter():
        raise ConfigError(
            f"OTEL_EXPORTER_OTLP_ENDPOINT is {settings.otel_exporter_otlp_endpoint!r}, and the packages that send "
            "traces are missing: pip install 'background-remover[otel]', or leave it empty"
        )
    if settings.accounts != "off" and not (find_spec("argon2") and find_spec("authlib")):
        raise ConfigError(
            f"ACCOUNTS is {settings.accounts!r}, and packages that it needs are missing: "
            "pip install 'background-remover[accounts]', or ACCOUNTS=off"
        )
    for name in settings.models:
        try:
            find_model(name, settings.rembg_session_path)
        except ValueError as exc:
            variable = "REMBG_MODEL_NAME" if name == settings.rembg_model_name else "MODELS_ENABLED"
            raise ConfigError(f"The settings are wrong:\n  {variable} is {name!r}: {exc}") from exc
    return settings


def _has_exporter() -> bool:
    """Return whether the packages that send traces are installed. Another package may bring a part of them."""
    try:
        return find_spec("opentelemetry.exporter.otlp.proto.http") is not None
    except ModuleNotFoundError:
        return False


def require_engine(settings: Settings) -> None:
    """End the start with `ConfigError` where INFERENCE_ENGINE names CUDA and no model can run on it."""
    if settings.inference_engine != "cuda":
        return
    from services.inference.cuda import missing_cuda

    if trouble := missing_cuda():
        raise ConfigError(
            f"INFERENCE_ENGINE is 'cuda': {trouble}. It needs NVIDIA's driver and the image of Dockerfile.gpu; "
            "INFERENCE_ENGINE=auto uses the CPU where there is no GPU"
        )
