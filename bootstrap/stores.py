"""Makes the stores that the settings name: quotas, objects, the database."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from config import Settings
from paths import HOME
from services.storage.factory import parse_storage_url

if TYPE_CHECKING:
    from services.persistence.database import Database
    from services.storage.base import Storage


DEFAULT_STORAGE_URL = f"file:{HOME}/data/objects"


def quota_storage(settings: Settings) -> tuple[str, dict[str, object]]:
    """Return the URL and the client's options of the store that holds the quotas."""
    from services.persistence.redis import redis_options

    if settings.quotas_in_redis:
        # Its class registers itself for Redis' URLs.
        importlib.import_module("services.persistence.quota_storage")
        return settings.redis_url, redis_options(settings.redis_url)
    return "memory://", {}


def make_storage(settings: Settings) -> Storage:
    """Return the object storage: a local folder unless the operator names another."""
    from services.storage.base import S3Options
    from services.storage.factory import make_storage

    return make_storage(
        settings.storage_url or DEFAULT_STORAGE_URL,
        secret=settings.secret_key,
        s3=S3Options(
            endpoint_url=settings.s3_endpoint_url,
            public_endpoint_url=settings.s3_public_endpoint_url,
            region=settings.aws_region,
            access_key_id=settings.aws_access_key_id,
            secret_access_key=settings.aws_secret_access_key,
            encryption="" if settings.s3_encryption == "none" else settings.s3_encryption,
        ),
    )


def make_database(settings: Settings, *, patient: bool = False) -> Database:
    """Return the database of keys and jobs; a `patient` one lets PostgreSQL work as long as it takes."""
    from services.persistence.database import Database

    return Database(settings.database_url, None if patient else settings.database_timeout_seconds)


def data_folders(settings: Settings) -> dict[str, Path]:
    """Return the folders on this machine that the service fills, by what they are for."""
    folders = {"uploads": settings.upload_dir}
    kind, place = parse_storage_url(settings.storage_url or DEFAULT_STORAGE_URL)
    if kind == "file":
        folders["storage"] = Path(place)
    return folders
