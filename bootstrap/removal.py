"""Makes the remover of a process and its models."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from config import Settings

if TYPE_CHECKING:
    from services.capacity.admission import Admission
    from services.imaging.decode import ImageLimits
    from services.inference.registry import Models
    from services.inference.runtime import EngineSettings
    from services.removal import Remover
    from services.result_cache import ResultCache


def image_limits(settings: Settings) -> ImageLimits:
    """Return what may be decoded by a process without callers that wait."""
    from services.imaging.decode import FrameLimits, ImageLimits

    return ImageLimits(
        settings.max_content_length,
        settings.largest_image_pixels,
        settings.min_image_side,
        settings.allowed_extensions,
        FrameLimits(settings.max_frames, settings.max_animation_pixels),
    )


def web_limits(settings: Settings) -> ImageLimits:
    """Return what may be decoded in a request: fewer frames, where jobs take more."""
    limits = image_limits(settings)
    most, as_job = min(settings.max_request_frames, settings.max_frames), settings.max_frames * settings.jobs_enabled
    return replace(limits, frames=replace(limits.frames, most=most, as_job=as_job))


def engine_settings(settings: Settings, threads: int | None = None) -> EngineSettings:
    """Return how models run; `threads` instead of the settings' own where several processes share the machine."""
    from services.inference.runtime import EngineSettings

    return EngineSettings(
        settings.inference_engine, settings.inference_precision, threads or settings.inference_threads
    )


def make_models(settings: Settings, threads: int | None = None) -> Models:
    """Return the models of a process without callers that wait; nothing is loaded yet."""
    from services.inference.registry import Models

    engine = engine_settings(settings, threads)
    models = Models(settings.models, settings.rembg_session_path, engine, max_loaded=settings.max_loaded_models)
    models.set_tiers(settings.tiers)
    return models


def make_remover(settings: Settings, models: Models, admission: Admission, cache: ResultCache | None = None) -> Remover:
    """Return this process's remover."""
    from services.capacity.places import Places
    from services.imaging.pipeline import Rules
    from services.removal import Remover

    rules = Rules(require_subject=settings.require_subject)
    inspections = Places(settings.running_per_worker)
    return Remover(models, image_limits(settings), admission, cache, rules, inspections)


def make_local_remover(settings: Settings, jobs: int = 1) -> Remover:
    """Return the command line's remover: `jobs` images at a time share the models, which load when first used."""
    from services.capacity.admission import Admission

    admission = Admission(jobs, waiting=jobs, megapixels=settings.max_inflight_megapixels)
    return make_remover(settings, make_models(settings), admission)
