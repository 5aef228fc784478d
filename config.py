"""Settings: every environment variable the service reads, typed, with its unit and default.

Read once at the start, from the environment and a `.env` file; all mistakes are reported together.
"""

import re
import secrets
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import unquote

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyNetwork,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, InitSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from paths import HOME, env_files, in_home
from services.capacity.resources import MIB, memory_limit_bytes, usable_cpus
from services.inference.tiers import check_tiers, complete_tiers, parse_tiers
from services.jobs.webhooks.signatures import signing_key
from services.net.errors import BadURL
from services.net.urls import DEFAULT_PORTS, parse_authority
from services.storage.factory import BUCKETS, is_bucket, parse_storage_url
from setting_names import aliased, environment, mistakes, unreadable_lines

VERSION: Final = "0.1.0"
PRIVATE_NETWORKS: Final = "127.0.0.0/8,::1/128,10.0.0.0/8,172.16.0.0/12,192.168.0.0/16,fc00::/7"
FORMATS: Final = ("png", "jpeg", "webp", "bmp", "tiff", "gif", "avif", "heic")
MAX_MEGAPIXELS: Final = 120.0
MAX_WORKERS: Final = 64
WORKER_BYTES: Final = 300 * MIB  # a worker with its model, measured
# Of an image in progress, at most: photo, matte, strips, result, and once more for RGBA inputs.
BYTES_PER_PIXEL: Final = 24
USABLE_SHARE: Final = 0.9
# Of the memory that is left for requests; the rest is for pixels.
BODIES_SHARE: Final = 0.25
# At a time, at most: JSON as received, as its parser copies it, and the text found in it.
BODY_COPIES: Final = 3
OTHER_FIELDS: Final = 64 * 1024  # bytes of a body besides its image
MAX_KEPT_SECONDS: Final = 1e10  # three centuries: a year has four digits
HTTP_URL: Final = r"^(https?://[^\s/@?#]+/?)?$"  # of a server, without a password
HOST: Final = r"([A-Za-z0-9._-]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9._-]+)?)"
# An address, or a name and an address.
MAIL_FROM: Final = r"^([^<>\r\n@]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)?$"
MIN_SECRET_CHARS: Final = 16
SECRETS: Final = frozenset(
    {"SECRET_KEY", "METRICS_TOKEN", "REDIS_URL", "DATABASE_URL", "MODEL_MIRROR_URL", "S3_ENDPOINT_URL"}
    | {"S3_PUBLIC_ENDPOINT_URL", "AWS_SECRET_ACCESS_KEY", "JOB_BROKER_URL", "WEBHOOK_SECRET", "WEBHOOK_SECRET_PREVIOUS"}
    | {"URL_SIGNING_KEY", "URL_SIGNING_KEY_PREVIOUS", "OTEL_EXPORTER_OTLP_HEADERS", "SMTP_URL", "OIDC_CLIENT_SECRET"}
    | {"WATCH_WEBHOOK_TOKEN"}
)
# Of a URL: they are never shown.
USER_AND_PASSWORD: Final = re.compile(r"(?<=//).*@")


def _split(value: object) -> object:
    """'a, b' becomes ('a', 'b'); for lists in an environment variable."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def _formats(value: object) -> object:
    names = _split(value)
    if not isinstance(names, tuple):
        return names
    same = {"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "heif": "heic"}
    return tuple(dict.fromkeys(same.get(str(n).lower(), str(n).lower()) for n in names))


def _host(text: str) -> str:
    if not re.fullmatch(HOST, text):
        raise ValueError("Input should be a name or an address without port, scheme or brackets: 127.0.0.1, ::1")
    return text


def _database_url(url: str) -> str:
    # SQLAlchemy takes its time, and the default needs no check.
    from services.persistence.database import parse_url

    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return f"sqlite:///{in_home(Path(parsed.database))}"
    return url


def _storage_url(url: str) -> str:
    if not url:
        return url
    kind, place = parse_storage_url(url)
    return f"file:{in_home(Path(place))}" if kind == "file" else url


def _bucket(name: str) -> str:
    if name and not is_bucket(name):
        raise ValueError(BUCKETS)
    return name


def _authority(text: str) -> str:
    try:
        parse_authority(text)
    except BadURL as exc:
        raise ValueError("Input should be host names or addresses, each with or without :port") from exc
    return text


def _host_name(text: str) -> str:
    if text == "*":
        return text
    try:
        return parse_authority(text)[0]
    except BadURL as exc:
        raise ValueError("Input should be host names such as remove.example.com, or *") from exc


def _origin(text: str) -> str:
    """Return an origin as browsers send it; Flask-CORS would take one with `*` for a pattern without an end."""
    if text in ("", "*"):
        return text
    scheme, _, authority = text.lower().removesuffix("/").partition("://")
    try:
        host, port = parse_authority(authority)
    except BadURL:
        scheme = ""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise ValueError("Input should be exact origins such as https://app.example or http://localhost:3000, or *")
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port in (None, DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def _secret(text: str) -> str:
    if text and len(text) < MIN_SECRET_CHARS:
        raise ValueError(f"it needs {MIN_SECRET_CHARS} characters or more; `openssl rand -hex 32` makes a good one")
    return text


def _headers(text: str) -> str:
    if text and not all(part.partition("=")[0].strip() and "=" in part for part in text.split(",")):
        raise ValueError("Input should be headers as name=value, with commas between them")
    return text


def _webhook_secret(text: str) -> str:
    if text:
        signing_key(text)
    return text


def _smtp_url(url: str) -> str:
    if url:
        # Only a server with accounts needs it.
        from services.accounts.mail import SmtpServer

        SmtpServer.parse(url)
    return url


def _tiers(text: str) -> str:
    parse_tiers(text)
    return text


def _size(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


HomePath = Annotated[Path, AfterValidator(in_home)]
Size = Literal["preview", "small", "regular", "medium", "hd", "full", "4k", "50mp", "auto"]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_split)]


class ConfigError(SystemExit):
    """The settings are wrong; the text names every bad variable, its value and what is allowed."""


class Settings(BaseSettings):
    """All settings. Field names in upper case are the environment's variables."""

    model_config = SettingsConfigDict(
        env_file=env_files(), env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    # app
    app_name: str = "Background Remover API"
    app_version: str = VERSION
    debug: bool = False
    host: Annotated[str, AfterValidator(_host)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 5001
    secret_key: Annotated[str, AfterValidator(_secret)]

    # serving; settings without a default here are derived from the CPUs, see _derive
    web_concurrency: Annotated[int, Field(ge=1, le=MAX_WORKERS)]
    web_threads: Annotated[int, Field(ge=2, le=1000)]
    request_timeout_seconds: Annotated[float, Field(gt=0, le=3600)] = 60.0
    max_running_images: Annotated[int, Field(ge=1, le=1000)]
    max_waiting_images: Annotated[int, Field(ge=0, le=10000)] = 16
    max_inflight_megapixels: Annotated[float, Field(ge=1)]
    max_requests: Annotated[int, Field(ge=0)] = 0
    web_max_memory_mb: Annotated[int, Field(ge=0)] = 0
    trusted_proxies: Annotated[int, Field(ge=0, le=16)] = 0
    result_cache_seconds: Annotated[int, Field(ge=0, le=30 * 86400)] = 0

    # model
    rembg_session_path: HomePath = in_home(Path("models"))
    rembg_model_name: str = "u2netp"
    models_enabled: Words = ()
    model_tiers: Annotated[str, AfterValidator(_tiers)] = ""
    max_loaded_models: Annotated[int, Field(ge=2, le=100)] = 2
    model_mirror_url: Annotated[str, Field(pattern=r"^(https?://[^\s]+)?$")] = ""
    require_subject: bool = False
    inference_precision: Literal["auto", "f32", "bf16", "int8"] = "auto"
    inference_engine: Literal["auto", "onnxruntime", "openvino", "cuda"] = "auto"
    inference_threads: Annotated[int, Field(ge=1, le=256)]

    # images
    max_content_length: Annotated[int, Field(ge=1024, le=1 << 30)] = 16 * 1024 * 1024
    max_image_pixels: Annotated[int, Field(ge=256, le=500_000_000)] = 50_000_000
    min_image_side: Annotated[int, Field(ge=1, le=1024)] = 16
    max_frames: Annotated[int, Field(ge=1, le=10_000)] = 300
    max_request_frames: Annotated[int, Field(ge=1, le=10_000)] = 20
    max_animation_pixels: Annotated[int, Field(ge=256, le=10_000_000_000)] = 200_000_000
    allowed_extensions: Annotated[
        tuple[Literal["png", "jpeg", "webp", "bmp", "tiff", "gif", "avif", "heic"], ...],
        NoDecode,
        BeforeValidator(_formats),
        Field(min_length=1),
    ] = FORMATS
    max_batch_files: Annotated[int, Field(ge=1, le=1000)] = 50
    max_batch_bytes: Annotated[int, Field(ge=1024, le=4 << 30)] = 64 * 1024 * 1024
    preview_max_side: Annotated[int, Field(ge=16, le=16384)] = 1024

    # quotas
    rate_limit_enabled: bool = True
    rate_limit_loopback: bool = False
    rate_limit_storage: Literal["memory", "redis"] = "memory"
    redis_url: Annotated[str, Field(pattern=r"^(rediss?|unix)://")] = "redis://127.0.0.1:6379/0"
    rate_limit_remove_bg_per_hour: Annotated[int, Field(ge=1)] = 10
    rate_limit_preview_per_hour: Annotated[int, Field(ge=1)] = 20
    rate_limit_base64_per_hour: Annotated[int, Field(ge=1)] = 30
    rate_limit_read_file_per_hour: Annotated[int, Field(ge=1)] = 15
    rate_limit_matte_per_hour: Annotated[int, Field(ge=1)] = 120
    rate_limit_compose_per_hour: Annotated[int, Field(ge=1)] = 300
    rate_limit_refine_per_hour: Annotated[int, Field(ge=1)] = 600
    rate_limit_signed_per_hour: Annotated[int, Field(ge=1)] = 300
    rate_limit_removebg_per_minute: Annotated[int, Field(ge=1)] = 500

    # remove.bg's API
    rembg_model_fallback: bool = True
    removebg_default_size: Annotated[Size, BeforeValidator(_size)] = "preview"
    removebg_max_content_length: Annotated[int, Field(ge=1024, le=1 << 30)] = 22 * 1024 * 1024
    removebg_require_subject: bool = True

    # keys
    auth_required: bool = False
    usage_retention_days: Annotated[int, Field(ge=31, le=3660)] = 400
    database_url: Annotated[str, AfterValidator(_database_url)] = f"sqlite:///{HOME}/data/background-remover.db"
    database_timeout_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 15.0

    # accounts
    accounts: Literal["off", "local", "oidc"] = "off"
    accounts_registration: Literal["closed", "invited", "open"] = "closed"
    rate_limit_sign_in_per_minute: Annotated[int, Field(ge=1)] = 10
    rate_limit_account_per_hour: Annotated[int, Field(ge=1)] = 20
    smtp_url: Annotated[str, AfterValidator(_smtp_url)] = ""
    mail_from: Annotated[str, Field(pattern=MAIL_FROM)] = ""
    oidc_issuer: Annotated[str, Field(pattern=r"^(https?://[^\s@?#]+)?$")] = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""

    # storage
    storage_url: Annotated[str, AfterValidator(_storage_url)] = ""
    s3_bucket_name: Annotated[str, AfterValidator(_bucket)] = ""
    s3_endpoint_url: Annotated[str, Field(pattern=HTTP_URL)] = ""
    s3_public_endpoint_url: Annotated[str, Field(pattern=HTTP_URL)] = ""
    s3_encryption: Literal["AES256", "aws:kms", "none"] = "AES256"
    aws_region: Annotated[str, Field(pattern=r"^[a-z0-9-]*$")] = ""
    aws_access_key_id: str = ""
    aws_secret_access_key: str = ""
    presigned_url_seconds: Annotated[int, Field(ge=1, le=7 * 86400)] = 3600  # a week: AWS signs for no longer

    # jobs
    jobs_enabled: bool = False
    job_broker_url: Annotated[str, Field(pattern=r"^((rediss?|unix)://.*)?$")] = ""
    rate_limit_per_minute: Annotated[int, Field(ge=1)] = 60
    rate_limit_items_per_minute: Annotated[int, Field(ge=1)] = 1200
    worker_concurrency: Annotated[int, Field(ge=1, le=256)]
    worker_max_memory_mb: Annotated[int, Field(ge=0)] = 2048
    worker_max_tasks: Annotated[int, Field(ge=0)] = 0
    job_lease_seconds: Annotated[float, Field(ge=1, le=3600)] = 30.0
    job_sweep_seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    job_retry_max: Annotated[int, Field(ge=0, le=100)] = 3
    job_retry_intervals: Annotated[
        tuple[Annotated[float, Field(ge=0, le=86400)], ...], NoDecode, BeforeValidator(_split), Field(min_length=1)
    ] = (10.0, 60.0, 300.0)
    job_soft_timeout_seconds: Annotated[float, Field(gt=0, le=86400)] = 240.0
    job_timeout_seconds: Annotated[float, Field(gt=0, le=86400)] = 300.0
    batch_concurrency: Annotated[int, Field(ge=1, le=10_000)] = 8
    max_waiting_per_caller: Annotated[int, Field(ge=1)] = 1000
    job_result_ttl_seconds: Annotated[float, Field(gt=0, le=MAX_KEPT_SECONDS)] = 86400.0
    cleanup_enabled: bool = True
    cleanup_interval_seconds: Annotated[float, Field(gt=0, le=MAX_KEPT_SECONDS)] = 3600.0
    cleanup_older_than_seconds: Annotated[float, Field(ge=0, le=MAX_KEPT_SECONDS)] = 604800.0
    download_redirect: bool = False
    webhook_secret: Annotated[str, AfterValidator(_webhook_secret)] = ""
    webhook_secret_previous: Annotated[str, AfterValidator(_webhook_secret)] = ""

    # web
    public_url: Annotated[str, Field(pattern=HTTP_URL)] = ""
    allowed_hosts: Annotated[Words, AfterValidator(lambda hosts: tuple(map(_host_name, hosts)))] = ()
    cors_origins: Annotated[Words, AfterValidator(lambda origins: tuple(map(_origin, origins)))] = ("*",)
    frontend_url: Annotated[str, AfterValidator(_origin)] = ""
    metrics_allowed_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_split)]
    metrics_token: Annotated[str, AfterValidator(_secret)] = ""
    watch_webhook_token: Annotated[str, AfterValidator(_secret)] = ""

    # signed URLs
    url_signing_key: Annotated[str, AfterValidator(_secret)] = ""
    url_signing_key_previous: Annotated[str, AfterValidator(_secret)] = ""

    # fetching
    fetch_enabled: bool = True
    fetch_allowed_ports: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65535)], ...], NoDecode, BeforeValidator(_split), Field(min_length=1)
    ] = (80, 443)
    fetch_allowed_hosts: Annotated[Words, AfterValidator(lambda hosts: tuple(map(_authority, hosts)))] = ()
    fetch_timeout_seconds: Annotated[float, Field(gt=0, le=600)] = 10.0

    # files and logs
    upload_dir: HomePath = in_home(Path("data/uploads"))
    output_dir: HomePath = in_home(Path("data/outputs"))
    read_file_dir: HomePath | None = None
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"],
        BeforeValidator(lambda v: v.upper() if isinstance(v, str) else v),
    ] = "INFO"
    log_file: HomePath | None = None
    log_format: Literal["auto", "json", "console"] = "auto"
    log_rotate_mb: Annotated[float, Field(ge=0, le=10_000)] = 50
    log_backups: Annotated[int, Field(ge=0, le=100)] = 5
    min_free_disk_mb: Annotated[int, Field(ge=0)] = 100
    max_memory_mb: Annotated[int, Field(ge=0)] = 0

    # traces
    otel_exporter_otlp_endpoint: Annotated[str, Field(pattern=r"^(https?://[^\s@?#]+)?$")] = ""
    otel_exporter_otlp_headers: Annotated[str, AfterValidator(_headers)] = ""
    otel_service_name: str = "background-remover"
    otel_traces_sampler_arg: Annotated[float, Field(ge=0, le=1)] = 1.0

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
        """Defaults that depend on the machine or on other settings."""
        values = {key.lower(): value for key, value in dict(raw).items()}
        _split_model_path(values)
        cpus = usable_cpus()
        # Quotas in memory belong to one process: with them, one process serves unless the setting says otherwise.
        in_memory = str(values.get("rate_limit_storage", "memory")) == "memory"
        by_memory = memory_limit_bytes() // (3 * WORKER_BYTES)
        values.setdefault("web_concurrency", 1 if in_memory else max(1, min(cpus // 2, by_memory)))
        workers = min(MAX_WORKERS, _whole(values["web_concurrency"], 1))
        values.setdefault("inference_threads", max(1, cpus // workers))
        values.setdefault("max_running_images", max(2, cpus, workers))
        values.setdefault("web_threads", _threads(values, workers))
        room = _megapixels_that_fit(workers, _whole(values.get("max_memory_mb", 0), 0))
        values.setdefault("max_inflight_megapixels", max(1.0, min(MAX_MEGAPIXELS, room)))
        # Of a wrong name its own check says so.
        if is_bucket(str(values.get("s3_bucket_name"))):
            values.setdefault("storage_url", f"s3://{values['s3_bucket_name']}")
        values.setdefault("worker_concurrency", max(1, min(cpus, by_memory)))
        values.setdefault("secret_key", secrets.token_hex(32))
        values.setdefault("metrics_allowed_networks", PRIVATE_NETWORKS)
        return values

    @model_validator(mode="after")
    def _check_shares(self) -> Self:
        try:
            check_tiers(parse_tiers(self.model_tiers), self.models)
        except ValueError as exc:
            raise ValueError(f"MODEL_TIERS is {self.model_tiers!r}: {exc}") from exc
        if self.max_running_images < self.web_concurrency:
            raise ValueError(
                f"MAX_RUNNING_IMAGES is {self.max_running_images}: at least {self.web_concurrency} are needed, "
                "one for each worker"
            )
        if self.result_cache_seconds and "redis_url" not in self.model_fields_set and not self.quotas_in_redis:
            raise ValueError(
                f"RESULT_CACHE_SECONDS is {self.result_cache_seconds}: results are kept in Redis, so give its REDIS_URL"
            )
        if self.s3_bucket_name and self.storage_url != f"s3://{self.s3_bucket_name}":
            raise ValueError(
                f"STORAGE_URL is {self.storage_url}, S3_BUCKET_NAME {self.s3_bucket_name}: give one of them"
            )
        if bool(self.aws_access_key_id) != bool(self.aws_secret_access_key):
            raise ValueError("AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY belong together: give both or none")
        if self.webhook_secret_previous and not self.webhook_secret:
            raise ValueError("WEBHOOK_SECRET_PREVIOUS needs WEBHOOK_SECRET, the secret that replaces it")
        _check_accounts(self)
        if self.job_soft_timeout_seconds >= self.job_timeout_seconds:
            raise ValueError(
                f"JOB_SOFT_TIMEOUT_SECONDS is {self.job_soft_timeout_seconds:g}: less than JOB_TIMEOUT_SECONDS "
                f"({self.job_timeout_seconds:g}) is needed"
            )
        needed = self.running_per_worker + self.waiting_per_worker + 2
        if self.web_threads < needed:
            raise ValueError(
                f"WEB_THREADS is {self.web_threads}: at least {needed} (running + waiting images of one worker, "
                "and two for health checks) are needed"
            )
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
        room = _megapixels_that_fit(self.web_concurrency, self.max_memory_mb) / self.web_concurrency
        return min(self.max_image_pixels, max(1_000_000, int(room * 1e6)))

    @property
    def body_bytes_per_worker(self) -> int:
        """The bytes that request bodies of one worker may hold at a time, copies included."""
        return int(BODIES_SHARE * _request_bytes(self.web_concurrency, self.max_memory_mb) / self.web_concurrency)

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


def _check_accounts(settings: Settings) -> None:
    """Raise ValueError where a setting of the accounts lacks another one."""
    if settings.smtp_url and not (settings.mail_from and settings.public_url):
        raise ValueError("SMTP_URL needs MAIL_FROM, and PUBLIC_URL, which the links in emails begin with")
    if settings.accounts != "oidc":
        return
    needed = ("oidc_issuer", "oidc_client_id", "oidc_client_secret", "public_url")
    if missing := [name.upper() for name in needed if not getattr(settings, name)]:
        raise ValueError(f"ACCOUNTS is 'oidc': give {', '.join(missing)} too")


def _split_model_path(values: dict[str, Any]) -> None:
    """Turn a file's path in `rembg_model_name` into the model's name and its folder."""
    given = str(values.get("rembg_model_name", ""))
    if "/" not in given and not given.endswith(".onnx"):
        return
    path = in_home(Path(given))
    folder = values.setdefault("rembg_session_path", path.parent)
    if path.suffix != ".onnx" or in_home(Path(folder)) != path.parent:
        raise ValueError(
            f"REMBG_MODEL_NAME is {given}: a model's name or the path of an .onnx file in REMBG_SESSION_PATH "
            f"({folder}) is needed"
        )
    values["rembg_model_name"] = path.stem


def _as_base64(size: int) -> int:
    return 4 * -(-size // 3)


def _megapixels_that_fit(workers: int, limit_mb: int) -> float:
    """Megapixels that may be processed at a time before the memory is used up, by all workers together."""
    return (1 - BODIES_SHARE) * _request_bytes(workers, limit_mb) / BYTES_PER_PIXEL / 1e6


def _request_bytes(workers: int, limit_mb: int) -> float:
    """Bytes left for requests, of all workers together."""
    limit = min(memory_limit_bytes(), limit_mb * MIB) if limit_mb else memory_limit_bytes()
    return max(0.0, limit * USABLE_SHARE - workers * WORKER_BYTES)


def _whole(value: object, default: int, least: int = 1) -> int:
    """Return the number, written as the fields allow it (" 4 ", "+4"); the default for what they refuse."""
    try:
        number = int(str(value))
    except ValueError:
        return default
    return number if number >= least else default


def _threads(values: dict[str, Any], workers: int) -> int:
    """Return the threads of one worker: for all images that run or wait, and eight for refusals, health and metrics."""
    running = _whole(values["max_running_images"], 2)
    waiting = _whole(values.get("max_waiting_images", 16), 16, least=0)
    return min(1000, -(-running // workers) + -(-waiting // workers) + 8)


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
