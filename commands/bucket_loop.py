"""Watches a bucket until Ctrl-C: at intervals, and in between when a notification comes."""

import time
from typing import Final
from urllib.parse import urlsplit

import click

from commands.bucket import MAX_OPEN, BucketWatch, Place, now_text
from commands.image_options import parse_options
from commands.work import Stop
from config import Settings, load_settings
from services.errors import ServiceError
from services.storage.base import is_key
from services.storage.factory import BUCKET

TICK_SECONDS: Final = 0.5
# Seconds between two checks whether open jobs have ended, and after an error.
SETTLE_SECONDS: Final = 2.0
AGAIN_SECONDS: Final = 10.0


def parse_place(text: str, settings: Settings) -> Place:
    """Return the bucket and the prefix of `s3://bucket/prefix`. Raises `click.UsageError`."""
    from bootstrap.stores import make_storage

    parts = urlsplit(text)
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not BUCKET.fullmatch(parts.netloc) or (prefix and not is_key(prefix)):
        raise click.UsageError(f"{text!r:.200} is not s3://bucket/prefix")
    storage = make_storage(settings.model_copy(update={"storage_url": f"s3://{parts.netloc}"}))
    return Place(storage, parts.netloc, f"{prefix}/" if prefix else "")


def watch_bucket(source: str, target: str, pairs: tuple[str, ...], interval: float) -> None:
    """Watch until Ctrl-C. A service that can't be reached is tried again at the next look."""
    from bootstrap.jobs import make_job_services
    from bootstrap.observability import configure_logging
    from bootstrap.stores import make_database, make_storage

    options, background = parse_options(pairs, None)
    settings = load_settings()
    if not settings.jobs_enabled:
        raise click.UsageError(
            "a bucket's objects become jobs: set JOBS_ENABLED=true, and the DATABASE_URL, JOB_BROKER_URL and "
            "STORAGE_URL of the service whose workers do them"
        )
    configure_logging(settings)
    here, there = parse_place(source, settings), parse_place(target, settings)
    if (here.bucket, here.prefix) == (there.bucket, there.prefix):
        raise click.UsageError("the results need another prefix: -o names the one that is watched")
    given = dict(pair.split("=", 1) for pair in pairs)
    given.pop("background_image", None)
    jobs = make_job_services(settings, make_storage(settings), make_database(settings))
    watch = BucketWatch(here, there, jobs, given, options.format, settings.max_content_length, background)
    stop = Stop()
    with stop.listening():
        click.echo(f"Watching {source}; Ctrl-C ends it.", err=True)
        watch_until_stopped(watch, interval, stop)


def watch_until_stopped(watch: BucketWatch, interval: float, stop: Stop) -> None:
    """Look at all objects every `interval` seconds, and between at those that a notification names."""
    place, mailbox = f"{watch.source.bucket}/{watch.source.prefix}", watch.jobs.mailbox
    heard: set[str] = set()
    due = settled = 0.0
    while not stop:
        now = time.monotonic()
        heard.update(mailbox.take(place, watch.room - len(heard)))
        try:
            if now >= due:
                due = now + interval
                watch.look()
            elif heard or (watch.room < MAX_OPEN and now >= settled):
                settled = now + SETTLE_SECONDS
                watch.look_at(heard)
            heard.clear()
        except ServiceError as exc:
            click.echo(f"{now_text()} {exc}; trying again", err=True)
            _wait(min(interval, AGAIN_SECONDS), stop)
        _wait(min(interval, TICK_SECONDS), stop)


def _wait(seconds: float, stop: Stop) -> None:
    end = time.monotonic() + seconds
    while not stop and (left := end - time.monotonic()) > 0:
        time.sleep(min(TICK_SECONDS, left))
