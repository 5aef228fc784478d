"""The command line: the same pipeline as the service, without a server; and `serve`, which starts one."""

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from config import Settings, load_settings
from services.errors import ServiceError
from services.imaging.formats import usable_formats
from services.imaging.options import BACKGROUND_IMAGE, Options, option_names

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


@main.command()
def serve() -> None:
    """Serve the API and the page on HOST and PORT, with a worker for jobs, until Ctrl-C."""
    import run

    settings = load_settings()
    _fetch_missing_model(settings.rembg_model_name, settings, prepare=True)
    os.environ["ANNOUNCE"] = "bgremove serve"
    sys.exit(run.main())


@main.group()
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
    """Write a model's file for bf16, and the record of its accuracy."""
    from services.inference.bf16 import calibration_photos, prepare
    from services.inference.custom import find_spec
    from services.inference.record import read_record

    settings = load_settings()
    folder = settings.rembg_session_path
    try:
        spec = find_spec(name, folder)
        record = read_record(spec, folder) or prepare(spec, folder, calibration_photos(), settings.inference_threads)
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


@main.group()
def keys() -> None:
    """API keys: make, list and revoke them."""


@keys.command("create")
@click.option("--name", required=True, help="A unique name, for lists, logs and metrics.")
@click.option("--owner", default="", help="The holder: a person, a team or an address.")
@click.option("--scope", "scopes", multiple=True, default=("remove",), help="remove (the default), jobs or admin.")
@click.option(
    "--limit", help="One quota for all endpoints together, such as 1000/hour; without it, the quota of each endpoint."
)
@click.option("--expires", type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]), help="When it expires, in UTC.")
def create_api_key(name: str, owner: str, scopes: tuple[str, ...], limit: str | None, expires: datetime | None) -> None:
    """Make a key and print it. It cannot be shown again."""
    from services.api_keys.keys import create_key

    database = _database()
    existed = database.exists()
    try:
        text, key = create_key(
            database,
            name=name,
            owner=owner,
            scopes=scopes,
            rate_limit=limit,
            expires_at=expires.replace(tzinfo=UTC) if expires else None,
        )
    except (ServiceError, ValueError) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"Key {key.id} ({key.name}) is stored in {database.shown_url}.", err=True)
    if not existed:
        click.echo("That database is new: a service with another DATABASE_URL does not know this key.", err=True)
    click.echo("This is the only time that the key is shown:", err=True)
    click.echo(text)


@keys.command("list")
def list_api_keys() -> None:
    """Every key, without its secret."""
    from services.api_keys.keys import list_keys

    try:
        found = list_keys(_database())
    except ServiceError as exc:
        raise click.ClickException(str(exc)) from exc
    head = ("ID", "NAME", "OWNER", "SCOPES", "LIMIT", "CREATED", "LAST USED", "USES", "EXPIRES", "REVOKED")
    rows = [
        (
            *(key.id, key.name, key.owner or "-", ",".join(key.scopes), key.rate_limit or "-"),
            *(_moment(key.created_at), _moment(key.last_used_at), str(key.uses)),
            *(_moment(key.expires_at), _moment(key.revoked_at)),
        )
        for key in found
    ]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, *rows):
        click.echo("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


@keys.command("revoke")
@click.argument("id_or_name")
def revoke_api_key(id_or_name: str) -> None:
    """End a key for good; running servers refuse it within a second."""
    from services.api_keys.keys import revoke_key

    try:
        key = revoke_key(_database(), id_or_name)
    except ServiceError as exc:
        raise click.ClickException(str(exc)) from exc
    if key is None:
        raise click.ClickException(f"there is no key {id_or_name!r} that is not revoked; `keys list` lists them")
    click.echo(f"{key.id} ({key.name}) is revoked")


@main.group()
def db() -> None:
    """The database's tables. The service upgrades them by itself; this is for doing it beforehand, or undoing it."""


@db.command("upgrade")
@click.argument("revision", default="head")
def upgrade_database(revision: str) -> None:
    """Bring the tables to REVISION, the newest by default."""
    _migrate("upgrade", revision)


@db.command("downgrade")
@click.argument("revision")
def downgrade_database(revision: str) -> None:
    """Bring the tables back to REVISION; base removes them with all they hold."""
    _migrate("downgrade", revision)


def _migrate(direction: str, revision: str) -> None:
    from alembic.util.exc import CommandError

    try:
        getattr(_database(), direction)(revision)
    except (ServiceError, CommandError) as exc:
        raise click.ClickException(str(exc)) from exc
    click.echo(f"{direction}d to {revision}", err=True)


def _database() -> Any:
    import structlog

    from services.persistence.database import Database

    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))  # a key alone on standard output
    return Database(load_settings().database_url)


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M}" if at else "-"


@main.command()
def warmup() -> None:
    """Load the default model once, and report engine and precision."""
    from bootstrap import make_models
    from services.capacity.deadline import Deadline

    try:
        segmenter = make_models(load_settings()).get(None, Deadline())
    except ServiceError as exc:
        raise click.ClickException(str(exc)) from exc
    warning = f" ({segmenter.warning})" if segmenter.warning else ""
    click.echo(f"{segmenter.name}: {segmenter.engine}, {segmenter.precision}{warning}")


def _fetch_missing_model(name: str, settings: Settings, *, prepare: bool = False) -> None:
    """Fetch a model of the catalogue that is not on this machine yet, with a progress bar on standard error.

    With `prepare` its file for bf16 is made as well, once. A failure is reported; the first use will report it again.
    """
    from services.inference.catalogue import CATALOGUE

    spec, folder = CATALOGUE.get(name), settings.rembg_session_path
    if spec is None or name not in settings.models:
        return
    fetching, preparing = not spec.is_here(folder), prepare and not spec.prepared_path(folder).exists()
    if not (fetching or preparing):
        return
    from rich.progress import Progress

    from services.inference.bf16 import calibration_photos
    from services.inference.bf16 import prepare as make_bf16
    from services.inference.download import fetch

    try:
        with Progress(console=_stderr(), transient=True) as progress:
            if fetching:
                progress.add_task(f"Fetching the model {name} (once)", total=None)
                fetch(name, folder, mirror=settings.model_mirror_url)
            if preparing:
                progress.add_task("Preparing it for this processor (once)", total=None)
                make_bf16(spec, folder, calibration_photos(), settings.inference_threads)
    except (ServiceError, ValueError, RuntimeError) as exc:
        click.echo(f"The model {name} could not be fetched: {exc}", err=True)


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
    from bootstrap import make_local_remover

    from_stdin = str(source) == "-"
    data = sys.stdin.buffer.read() if from_stdin else source.read_bytes()
    if target is None and not from_stdin:
        target = source.with_name(f"{source.stem}-no-bg.{options.format.extension}")
    settings = load_settings()
    _fetch_missing_model(options.model or settings.rembg_model_name, settings)
    result = make_local_remover(settings).remove(data, options, background=background).data
    if target is None or str(target) == "-":
        sys.stdout.buffer.write(result)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(result)
    click.echo(str(target), err=True)


def _remove_folder(source: Path, target: Path | None, options: Options, background: bytes | None) -> None:
    from rich.progress import track

    from bootstrap import make_local_remover

    settings = load_settings()
    target = target or settings.output_dir
    jobs = [(photo, _result_path(photo, source, target, options)) for photo in _photos(source, target)]
    _fetch_missing_model(options.model or settings.rembg_model_name, settings)
    remover = make_local_remover(settings)
    failed = 0
    for photo, out in track(jobs, description="Removing backgrounds", console=_stderr()):
        try:
            result = remover.remove(photo.read_bytes(), options, background=background).data
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


def _stderr() -> Any:
    from rich.console import Console

    return Console(stderr=True)


if __name__ == "__main__":
    main()
