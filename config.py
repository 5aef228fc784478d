"""Settings of the service, read once at the start from the environment and a `.env` file.

The fields are in `settings/fields.py`; all mistakes are reported together.
"""

import re
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import unquote

from pydantic import ValidationError, model_validator
from pydantic_settings import BaseSettings, InitSettingsSource, PydanticBaseSettingsSource

from paths import env_files
from services.inference.tiers import check_tiers, complete_tiers, parse_tiers
from settings.fields import Fields
from settings.machine import BODIES_SHARE, derive_defaults, megapixels_that_fit, request_bytes
from settings.names import aliased, environment, mistakes, unreadable_lines

VERSION: Final = "0.1.0"
# At a time, at most: JSON as received, as its parser copies it, and the text found in it.
BODY_COPIES: Final = 3
OTHER_FIELDS: Final = 64 * 1024  # bytes of a body besides its image
SECRETS: Final = frozenset(
    {"SECRET_KEY", "METRICS_TOKEN", "REDIS_URL", "DATABASE_URL", "MODEL_MIRROR_URL", "S3_ENDPOINT_URL"}
    | {"S3_PUBLIC_ENDPOINT_URL", "AWS_SECRET_ACCESS_KEY", "JOB_BROKER_URL", "WEBHOOK_SECRET", "WEBHOOK_SECRET_PREVIOUS"}
    | {"URL_SIGNING_KEY", "URL_SIGNING_KEY_PREVIOUS", "OTEL_EXPORTER_OTLP_HEADERS", "SMTP_URL", "OIDC_CLIENT_SECRET"}
    | {"WATCH_WEBHOOK_TOKEN"}
)
# Of a URL: they are never shown.
USER_AND_PASSWORD: Final = re.compile(r"(?<=//).*@")


class ConfigError(SystemExit):
    """The settings are wrong; the text names every bad variable, its value and what is allowed."""


class Settings(Fields):
    """All settings, and what follows from them."""

    app_version: str = VERSION

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], *_: Any, **sources: PydanticBaseSettingsSource
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read aliases after everything that is given by its own name."""
        own = (sources["init_settings"], sources["env_settings"], sources["dotenv_settings"])
        return *own, InitSettingsSource(settings_cls, aliased(environment(env_files())))

    @model_validator(mode="before")
    @classmethod
    def _derive(cls, raw: Any) -> Any:
        values = {key.lower(): value for key, value in dict(raw).items()}
        derive_defaults(values)
        return values

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_together(self)
        return self

    @property
    def models(self) -> tuple[str, ...]:
        """The names of the models that callers may ask for; the default one first."""
        return tuple(dict.fromkeys((self.rembg_model_name, *self.models_enabled)))

    @property
    def tiers(self) -> dict[str, str]:
        """The model of each tier: callers ask for one by either name."""
        return complete_tiers(parse_tiers(self.model_tiers), self.rembg_model_name)

    def model_name(self, asked: str | None) -> str:
        """Return the name of the model that a caller asks for by its name, by a tier, or not at all."""
        if asked in self.models:
            return asked
        return self.tiers.get(asked, asked) if asked else self.rembg_model_name

    @property
    def quotas_in_redis(self) -> bool:
        """Whether all workers and machines count together."""
        return self.rate_limit_storage == "redis"

    @property
    def broker_url(self) -> str:
        """The URL of the Redis that carries jobs to workers."""
        return self.job_broker_url or self.redis_url

    @property
    def storage_given(self) -> bool:
        """Whether the operator has set up a storage: then callers may choose keys of their own in it (`output_key`)."""
        return bool(self.storage_url)

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that sign webhooks, the newest first."""
        return tuple(filter(None, (self.webhook_secret, self.webhook_secret_previous)))

    @property
    def url_signing_keys(self) -> tuple[str, ...]:
        """The keys of signed URLs, the newest first; empty: there are no signed URLs."""
        return tuple(filter(None, (self.url_signing_key, self.url_signing_key_previous)))

    @property
    def trace_headers(self) -> dict[str, str]:
        """The headers that go with traces, by name."""
        pairs = (part.split("=", 1) for part in self.otel_exporter_otlp_headers.split(",") if part)
        return {name.strip().lower(): unquote(value.strip()) for name, value in pairs}

    @property
    def public_base(self) -> str:
        """What absolute links begin with, without a slash at its end; empty: links are relative."""
        return self.public_url.rstrip("/")

    @property
    def files_dir(self) -> Path:
        """The folder that `/read-file` reads from."""
        return self.read_file_dir or self.upload_dir

    @property
    def largest_image_pixels(self) -> int:
        """`MAX_IMAGE_PIXELS`, or less where the machine's memory would not hold such an image."""
        room = megapixels_that_fit(self.web_concurrency, self.max_memory_mb) / self.web_concurrency
        return min(self.max_image_pixels, max(1_000_000, int(room * 1e6)))

    @property
    def body_bytes_per_worker(self) -> int:
        """The bytes that request bodies of one worker may hold at a time, copies included."""
        return int(BODIES_SHARE * request_bytes(self.web_concurrency, self.max_memory_mb) / self.web_concurrency)

    @property
    def running_per_worker(self) -> int:
        """The number of images that one worker process works on at a time."""
        return -(-self.max_running_images // self.web_concurrency)

    @property
    def waiting_per_worker(self) -> int:
        """The number of images that may wait in one worker process."""
        return -(-self.max_waiting_images // self.web_concurrency)

    @property
    def fetches_per_worker(self) -> int:
        """The number of URLs that one worker fetches at a time, on threads that images and health checks don't need."""
        return max(1, min(8, self.web_threads - self.running_per_worker - self.waiting_per_worker - 2))

    @property
    def listeners_per_worker(self) -> int:
        """The number of callers that listen to events in one worker: half of the threads that images don't need."""
        return max(1, (self.web_threads - self.running_per_worker - self.waiting_per_worker) // 2)

    @property
    def max_encoded_bytes(self) -> int:
        """The largest body: the largest image as base64, and room for the other fields."""
        return _as_base64(self.max_content_length) + OTHER_FIELDS

    @property
    def removebg_encoded_bytes(self) -> int:
        """The same for remove.bg's API."""
        return _as_base64(self.removebg_max_content_length) + OTHER_FIELDS


def _check_together(settings: Settings) -> None:
    """Raise ValueError where a setting contradicts another one, or lacks it."""
    try:
        check_tiers(parse_tiers(settings.model_tiers), settings.models)
    except ValueError as exc:
        raise ValueError(f"MODEL_TIERS is {settings.model_tiers!r}: {exc}") from exc
    if settings.max_running_images < settings.web_concurrency:
        raise ValueError(
            f"MAX_RUNNING_IMAGES is {settings.max_running_images}: at least {settings.web_concurrency} are needed, "
            "one for each worker"
        )
    if settings.result_cache_seconds and "redis_url" not in settings.model_fields_set and not settings.quotas_in_redis:
        raise ValueError(
            f"RESULT_CACHE_SECONDS is {settings.result_cache_seconds}: results are kept in Redis, so give its REDIS_URL"
        )
    if settings.s3_bucket_name and settings.storage_url != f"s3://{settings.s3_bucket_name}":
        raise ValueError(
            f"STORAGE_URL is {settings.storage_url}, S3_BUCKET_NAME {settings.s3_bucket_name}: give one of them"
        )
    if bool(settings.aws_access_key_id) != bool(settings.aws_secret_access_key):
        raise ValueError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: give both or none")
    if settings.webhook_secret_previous and not settings.webhook_secret:
        raise ValueError("WEBHOOK_SECRET_PREVIOUS needs WEBHOOK_SECRET, the secret that replaces it")
    _check_accounts(settings)
    if settings.job_soft_timeout_seconds >= settings.job_timeout_seconds:
        raise ValueError(
            f"JOB_SOFT_TIMEOUT_SECONDS is {settings.job_soft_timeout_seconds:g}: less than JOB_TIMEOUT_SECONDS "
            f"({settings.job_timeout_seconds:g}) is needed"
        )
    needed = settings.running_per_worker + settings.waiting_per_worker + 2
    if settings.web_threads < needed:
        raise ValueError(
            f"WEB_THREADS is {settings.web_threads}: at least {needed} (running + waiting images of one worker, "
            "and two for health checks) are needed"
        )


def _check_accounts(settings: Settings) -> None:
    """Raise ValueError where a setting of the accounts lacks another one."""
    if settings.smtp_url and not (settings.mail_from and settings.public_url):
        raise ValueError("SMTP_URL needs MAIL_FROM, and PUBLIC_URL, which the links in emails begin with")
    if settings.accounts != "oidc":
        return
    needed = ("oidc_issuer", "oidc_client_id", "oidc_client_secret", "public_url")
    if missing := [name.upper() for name in needed if not getattr(settings, name)]:
        raise ValueError(f"ACCOUNTS is 'oidc': give {', '.join(missing)} too")


def _as_base64(size: int) -> int:
    return 4 * -(-size // 3)


def load_settings(**overrides: Any) -> Settings:
    """Read the settings from the environment and the `.env` files. Raises `ConfigError`, which ends the start."""
    names = [name.upper() for name in Settings.model_fields]
    if unreadable := list(unreadable_lines(names, env_files())):
        raise _config_error(unreadable)
    wrong = list(mistakes(names, env_files()))
    try:
        settings = Settings(**overrides)
    except ValidationError as exc:
        wrong += _readable(exc)
        raise _config_error(wrong) from exc
    if wrong:
        raise _config_error(wrong)
    return settings


def _readable(failure: ValidationError) -> list[str]:
    lines = []
    for error in failure.errors(include_url=False):
        name = str(error["loc"][0]).upper() if error["loc"] else ""
        value = "(hidden)" if name in SECRETS else USER_AND_PASSWORD.sub("(hidden)@", repr(error["input"]))[:100]
        found = f"{name} is {value}: " if name else ""
        lines.append(f"{found}{error['msg'].removeprefix('Value error, ')}")
    return lines


def _config_error(lines: list[str]) -> ConfigError:
    return ConfigError("The settings are wrong:\n" + "\n".join(f"  {line}" for line in dict.fromkeys(lines)))
