"""Lists, fetches, prepares and tries models."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from config import Settings, load_settings
from services.errors import ServiceError

if TYPE_CHECKING:
    from services.inference.record import Record


@click.group()
def models() -> None:
    """The models on this machine."""


@models.command("list")
def list_models() -> None:
    """List the models: input and file size, checksum, licence, purpose, commercial use, installed or not."""
    from services.inference.custom import all_specs

    folder = load_settings().rembg_session_path
    for spec in all_specs(folder):
        is_here = spec.is_here(folder)
        here = "here" if is_here else "-"
        mb = round(spec.size_bytes(folder) / 1e6) if is_here else spec.about_mb
        checks = spec.files[0].checksum.partition(":")[0] or "no check"
        click.echo(
            f"{spec.name:22} {here:5} {spec.input_size:4} px {mb or '?':>4} MB  {checks:8}  {spec.licence:12}  "
            f"{spec.purpose}; commercial use: {spec.commercial}"
        )


@models.command("fetch")
@click.argument("name")
@click.option("--file", "source", type=click.Path(exists=True, path_type=Path), help="Take it from a file or folder.")
def fetch_model(name: str, source: Path | None) -> None:
    """Bring a model's files, checked: from --file, from MODEL_MIRROR_URL, or from where rembg has them."""
    from services.inference.download import fetch

    settings = load_settings()
    try:
        path = fetch(name, settings.rembg_session_path, mirror=settings.model_mirror_url, source=source)
    except (ValueError, RuntimeError) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"{name}: {path}")


@models.command("prepare")
@click.argument("name")
def prepare_model(name: str) -> None:
    """Write a model's files for bf16 and int8, and the record of their accuracy."""
    from services.inference.calibration import calibration_photos
    from services.inference.custom import find_spec
    from services.inference.prepare import prepare
    from services.inference.processor import PRECISIONS, has_instructions, processor, usual_precisions
    from services.inference.record import read_record

    settings = load_settings()
    folder = settings.rembg_session_path
    try:
        spec = find_spec(name, folder)
        record = read_record(spec, folder)
        # Times of another processor say nothing here.
        measurable = any(map(has_instructions, PRECISIONS))
        if record is None or (measurable and record.processor != processor()):
            record = prepare(spec, folder, calibration_photos(), settings.inference_threads)
    except ModuleNotFoundError as exc:
        raise click.ClickException(missing_module(exc)) from exc
    except (ServiceError, ValueError) as exc:
        raise click.ClickException(str(exc)) from exc
    fused = ", side outputs fused" if record.side_outputs_fused else ""
    click.echo(f"{name}: {len(record.shifts)} channels shifted{fused}")
    for precision in PRECISIONS:
        if record.int8 or "int8" not in precision:
            click.echo(f"{name}: {_precision_line(record, precision)}")
    best = record.usable(processor(), usual_precisions())
    click.echo(f"{name}: runs in {best[0] if best else 'f32'} here")


def _precision_line(record: "Record", precision: str) -> str:
    """Describe what a precision costs and gains, and whether it may be used automatically."""
    rest = precision.removeprefix("int8+")
    if record.int8 and rest != precision:
        found = record.int8.measured.get(rest) or record.int8.emulated[rest]
        worst = f", on the worst photo by {found.worst:.5f}"
        what = f"{len(record.int8.convolutions)} convolutions in int8, the others in {rest}"
        difference = f"masks differ from f32 by {found.mean:.5f}{worst}"
    else:
        measured, emulated = record.measured_mean_difference, record.emulated_mean_difference
        what = "bf16"
        difference = f"masks differ from f32 by {emulated:.5f} (emulated)"
        if measured is not None:
            difference += f", {measured:.5f} (measured; {record.measured_before:.5f} before)"
    time = f", {record.times[precision]:.2f} of the time of f32" if precision in record.times else ""
    why = record.refusal(precision)
    return f"{what}: {difference}{time}; {f'not used automatically: {why}' if why else 'good'}"


@click.command()
def warmup() -> None:
    """Load the default model once, and report engine and precision."""
    from bootstrap.removal import make_models
    from services.capacity.deadline import Deadline

    try:
        segmenter = make_models(load_settings()).get(None, Deadline())
    except ServiceError as exc:
        raise click.ClickException(str(exc)) from exc
    warning = f" ({segmenter.warning})" if segmenter.warning else ""
    click.echo(f"{segmenter.name}: {segmenter.engine}, {segmenter.precision}{warning}")


def fetch_missing_model(name: str, settings: Settings, *, prepare: bool = False) -> None:
    """Fetch a model of the catalogue that is not on this machine yet, with a progress bar on standard error.

    With `prepare` its files for bf16 and int8 are made as well, once, and again where another release made them.
    A failure is reported; the first use will report it again.
    """
    from services.inference.catalogue import CATALOGUE

    spec, folder = CATALOGUE.get(name), settings.rembg_session_path
    if spec is None or name not in settings.models:
        return
    from services.inference.record import read_record

    fetching, preparing = not spec.is_here(folder), prepare and read_record(spec, folder) is None
    if not (fetching or preparing):
        return
    from rich.progress import Progress

    from services.inference.calibration import calibration_photos
    from services.inference.download import fetch
    from services.inference.prepare import prepare as make_prepared

    try:
        with Progress(console=stderr_console(), transient=True) as progress:
            if fetching:
                progress.add_task(f"Fetching the model {name} (once)", total=None)
                fetch(name, folder, mirror=settings.model_mirror_url)
            if preparing:
                progress.add_task("Preparing it for this processor (once)", total=None)
                make_prepared(spec, folder, calibration_photos(), settings.inference_threads)
    except ModuleNotFoundError as exc:
        click.echo(missing_module(exc), err=True)
    except (ServiceError, ValueError, RuntimeError, OSError) as exc:
        click.echo(f"The model {name} could not be fetched: {exc}", err=True)


def missing_model(name: str, settings: Settings) -> str:
    """Say which models can be used here, and how to get another one."""
    from services.inference.custom import all_specs

    folder, program = settings.rembg_session_path, click.get_current_context().find_root().info_name
    specs = {spec.name: spec for spec in all_specs(folder)}
    here = [model for model in settings.models if model in specs and specs[model].is_here(folder)]
    known = f"is not one of: {', '.join(here)}" if here else "is not on this machine, and neither is any other one"
    text = f"model {name!r:.80} {known}. "
    if name not in specs:
        return f"{text}'{program} models list' lists those that can be fetched"
    steps = [] if specs[name].is_here(folder) else [f"run '{program} models fetch {name}'"]
    if name not in settings.models:
        steps.append(f"set MODELS_ENABLED={','.join((*settings.models_enabled, name))}")
    return f"{text}To use it, {' and '.join(steps)}"


def missing_module(exc: ModuleNotFoundError) -> str:
    """Say what preparing a model lacks. The container image leaves out the packages that serving never imports."""
    return (
        f"Preparing a model is not possible here: {exc.name} is not installed. Prepare it in a "
        "checkout (make model), and mount the files; without that the model runs in f32"
    )


def stderr_console() -> Any:
    from rich.console import Console

    return Console(stderr=True)
