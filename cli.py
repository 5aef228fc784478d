"""The command line: the same pipeline as the service, without a server."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from config import Settings, load_settings
from services.errors import ServiceError
from services.formats import usable_formats
from services.options import BACKGROUND_IMAGE, Options, option_names

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".avif", ".heic", ".heif"})


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Remove image backgrounds on this machine."""


@main.command()
@click.argument("source", type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(allow_dash=True, path_type=Path),
    help="File or folder; - is standard output.",
)
@click.option(
    "-O",
    "--option",
    "pairs",
    multiple=True,
    metavar="NAME=VALUE",
    help=f"One of: {', '.join((*option_names(), BACKGROUND_IMAGE))}; the last one takes a file's path.",
)
def remove(source: Path, target: Path | None, pairs: tuple[str, ...]) -> None:
    """Remove the background of SOURCE: a file, a folder, or - for standard input."""
    try:
        options, background = _options(pairs, target)
        if source.is_dir():
            _remove_folder(source, target, options, background)
        else:
            _remove_one(source, target, options, background)
    except ServiceError as exc:
        raise click.ClickException(f"{exc}. {exc.solution}.") from exc


@main.group()
def models() -> None:
    """The models on this machine."""


@models.command("list")
def list_models() -> None:
    """What is known, and what is here."""
    from services.models import CATALOGUE

    folder = load_settings().rembg_session_path
    for spec in CATALOGUE.values():
        here = "here" if spec.path(folder).is_file() else "-"
        click.echo(f"{spec.name:20} {here:5} {spec.licence:12} {spec.purpose}")


@models.command("fetch")
@click.argument("name")
def fetch_model(name: str) -> None:
    """Fetch a model's file, checked by SHA-256."""
    from services.models import fetch

    try:
        path = fetch(name, load_settings().rembg_session_path)
    except (ValueError, RuntimeError) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"{name}: {path}")


@models.command("prepare")
@click.argument("name")
def prepare_model(name: str) -> None:
    """Make a model's file for bf16, and the record of what it costs."""
    from services.models import CATALOGUE, read_record
    from services.prepare import calibration_photos, prepare

    settings = load_settings()
    if name not in CATALOGUE:
        raise click.ClickException(f"{name} is not known; `models list` lists what is")
    record = read_record(CATALOGUE[name], settings.rembg_session_path)
    try:
        record = record or prepare(
            CATALOGUE[name], settings.rembg_session_path, calibration_photos(), settings.inference_threads
        )
    except (ServiceError, ValueError) as exc:
        raise click.ClickException(str(exc)) from exc
    measured = record.measured_mean_difference
    click.echo(
        f"{name}: {len(record.shifts)} channels shifted; masks in bf16 differ from f32 by "
        f"{record.emulated_mean_difference:.5f} (emulated)"
        + (f", {measured:.5f} (measured; {record.measured_before:.5f} before)" if measured is not None else "")
        + (
            "; good: used where the processor is fast at bf16"
            if record.good
            else "; not good enough to be used by itself"
        )
    )


@main.command()
def warmup() -> None:
    """Load the default model once, and say what it runs on."""
    try:
        segmenter = _models(load_settings()).get(None, _no_deadline())
    except ServiceError as exc:
        raise click.ClickException(str(exc)) from exc
    warning = f" ({segmenter.warning})" if segmenter.warning else ""
    click.echo(f"{segmenter.spec.name}: {segmenter.engine}, {segmenter.precision}{warning}")


def _options(pairs: tuple[str, ...], target: Path | None) -> tuple[Options, bytes | None]:
    """The options, and the file of the background image."""
    given: dict[str, object] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise click.UsageError(f"-O takes NAME=VALUE, not {pair!r}")
        given[name] = value
    ending = target.suffix.lower() if target else ""
    if "format" not in given and "preset" not in given and ending in (*SUFFIXES, ".zip"):
        endings = [f".{f.extension}" for f in usable_formats()]
        if ending not in (*endings, ".jpeg"):
            raise click.UsageError(f"results can be {', '.join(endings)}, not {ending}")
        given["format"] = ending.removeprefix(".")
    background = str(given.pop(BACKGROUND_IMAGE, ""))
    return Options.parse(given), _file(background) if background else None


def _file(name: str) -> bytes:
    try:
        return Path(name).read_bytes()
    except OSError as exc:
        raise click.UsageError(f"{BACKGROUND_IMAGE} can't be read: {name} ({exc.strerror})") from exc


def _remove_one(source: Path, target: Path | None, options: Options, background: bytes | None) -> None:
    from_stdin = str(source) == "-"
    data = sys.stdin.buffer.read() if from_stdin else source.read_bytes()
    if target is None and not from_stdin:
        target = source.with_name(f"{source.stem}-no-bg.{options.format.extension}")
    result = _Remover(load_settings(), options, background)(data)
    if target is None or str(target) == "-":
        sys.stdout.buffer.write(result)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(result)
    click.echo(str(target), err=True)


def _remove_folder(source: Path, target: Path | None, options: Options, background: bytes | None) -> None:
    from rich.progress import track

    settings = load_settings()
    target = target or settings.output_dir
    jobs = [(photo, _result_path(photo, source, target, options)) for photo in _photos(source, target)]
    remover = _Remover(settings, options, background)
    failed = 0
    for photo, out in track(jobs, description="Removing backgrounds", console=_stderr()):
        try:
            result = remover(photo.read_bytes())
        except ServiceError as exc:
            failed += 1
            click.echo(f"{photo}: {exc}", err=True)
            continue
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(result)
    click.echo(f"{len(jobs) - failed} done, {failed} failed, in {target}", err=True)
    if failed:
        sys.exit(1)


def _result_path(photo: Path, source: Path, target: Path, options: Options) -> Path:
    """Where a photo's result goes: the same place below the target. The old ending stays part of the name where a
    sibling differs only in it."""
    twins = [p for p in photo.parent.glob(f"{photo.stem}.*") if p.suffix.lower() in SUFFIXES]
    stem = photo.name.replace(".", "-") if len(twins) > 1 else photo.stem
    return target / photo.parent.relative_to(source) / f"{stem}-no-bg.{options.format.extension}"


def _photos(folder: Path, target: Path) -> Iterator[Path]:
    """Images below the folder, but none that an earlier run put into a target inside it."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix.lower() in SUFFIXES and not path.resolve().is_relative_to(target.resolve()):
            yield path


class _Remover:
    """The pipeline with this machine's settings; the model is loaded once."""

    def __init__(self, settings: Settings, options: Options, background: bytes | None) -> None:
        from services.admission import Admission
        from services.decode import ImageLimits

        self._options, self._background = options, background
        self._models = _models(settings)
        self._limits = ImageLimits(
            settings.max_content_length,
            settings.largest_image_pixels,
            settings.min_image_side,
            settings.allowed_extensions,
        )
        self._admission = Admission(running=1, waiting=0)

    def __call__(self, data: bytes) -> bytes:
        from services.pipeline import remove_background

        result = remove_background(
            data,
            self._options,
            background=self._background,
            models=self._models,
            limits=self._limits,
            admission=self._admission,
            deadline=_no_deadline(),
        )
        return result.data


def _models(settings: Settings) -> Any:
    from services.engine import EngineSettings
    from services.sessions import Models

    engine = EngineSettings(settings.inference_engine, settings.inference_precision, settings.inference_threads)
    return Models(settings.models, settings.rembg_session_path, engine)


def _no_deadline() -> Any:
    from services.deadline import Deadline

    return Deadline()


def _stderr() -> Any:
    from rich.console import Console

    return Console(stderr=True)


if __name__ == "__main__":
    main()
