"""What web server, worker and sweeper make from the settings alike, each in its own process."""

import logging.config

from config import Settings
from services.jobs.retry import RetryPolicy
from services.observability.metrics import logging_config
from services.storage.base import S3Options, Storage
from services.storage.factory import make_storage

DEFAULT_STORAGE_URL = "file:data/objects"


def storage_of(settings: Settings) -> Storage:
    """The object storage; a local folder unless the operator has named another. Nothing is opened yet."""
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


def retries_of(settings: Settings) -> RetryPolicy:
    """How often an item is tried, and when."""
    return RetryPolicy(settings.job_retry_max, settings.job_retry_intervals)


def configure_logging(settings: Settings) -> None:
    """Log lines, and the libraries' among them, as the settings say."""
    logging.captureWarnings(True)
    logging.config.dictConfig(
        logging_config(
            level=settings.log_level,
            style=settings.log_format,
            file=settings.log_file,
            rotate_mb=settings.log_rotate_mb,
            backups=settings.log_backups,
        )
    )
    for name in ("celery.app.trace", "celery.worker.strategy"):  # services/jobs/process.py tells of each item
        logging.getLogger(name).setLevel("ERROR")
