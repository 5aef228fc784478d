"""The settings: every environment variable that the service reads, typed, with its unit and default."""

from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field, IPvAnyNetwork
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from paths import HOME, env_files, in_home
from settings.machine import MAX_WORKERS
from settings.values import (
    HomePath,
    Size,
    Words,
    bucket_name,
    database_address,
    header_list,
    host_and_port,
    host_name,
    image_formats,
    listen_address,
    long_secret,
    lower_case,
    model_tiers_text,
    smtp_address,
    split_words,
    storage_address,
    web_origin,
    webhook_key,
)

FORMATS: Final = ("png", "jpeg", "webp", "bmp", "tiff", "gif", "avif", "heic")
MAX_KEPT_SECONDS: Final = 1e10  # three centuries: a year has four digits
HTTP_URL: Final = r"^(https?://[^\s/@?#]+/?)?$"  # of a server, without a password
# An address, or a name and an address.
MAIL_FROM: Final = r"^([^<>\r\n@]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)?$"


class Fields(BaseSettings):
    """The fields of `config.Settings`. Their names in upper case are the environment's variables."""

    model_config = SettingsConfigDict(
        env_file=env_files(), env_file_encoding="utf-8", env_ignore_empty=True, extra="ignore", frozen=True
    )

    # app
    app_name: str = "Background Remover API"
    debug: bool = False
    host: Annotated[str, AfterValidator(listen_address)] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535)] = 5001
    secret_key: Annotated[str, AfterValidator(long_secret)]

    # serving; settings without a default here are derived from the CPUs, see machine.py
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
    model_tiers: Annotated[str, AfterValidator(model_tiers_text)] = ""
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
        BeforeValidator(image_formats),
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
    removebg_default_size: Annotated[Size, BeforeValidator(lower_case)] = "preview"
    removebg_max_content_length: Annotated[int, Field(ge=1024, le=1 << 30)] = 22 * 1024 * 1024
    removebg_require_subject: bool = True

    # keys
    auth_required: bool = False
    usage_retention_days: Annotated[int, Field(ge=31, le=3660)] = 400
    database_url: Annotated[str, AfterValidator(database_address)] = f"sqlite:///{HOME}/data/background-remover.db"
    database_timeout_seconds: Annotated[float, Field(ge=0.1, le=3600)] = 15.0

    # accounts
    accounts: Literal["off", "local", "oidc"] = "off"
    accounts_registration: Literal["closed", "invited", "open"] = "closed"
    rate_limit_sign_in_per_minute: Annotated[int, Field(ge=1)] = 10
    rate_limit_account_per_hour: Annotated[int, Field(ge=1)] = 20
    smtp_url: Annotated[str, AfterValidator(smtp_address)] = ""
    mail_from: Annotated[str, Field(pattern=MAIL_FROM)] = ""
    oidc_issuer: Annotated[str, Field(pattern=r"^(https?://[^\s@?#]+)?$")] = ""
    oidc_client_id: str = ""
    oidc_client_secret: str = ""

    # storage
    storage_url: Annotated[str, AfterValidator(storage_address)] = ""
    s3_bucket_name: Annotated[str, AfterValidator(bucket_name)] = ""
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
        tuple[Annotated[float, Field(ge=0, le=86400)], ...], NoDecode, BeforeValidator(split_words), Field(min_length=1)
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
    webhook_secret: Annotated[str, AfterValidator(webhook_key)] = ""
    webhook_secret_previous: Annotated[str, AfterValidator(webhook_key)] = ""

    # web
    public_url: Annotated[str, Field(pattern=HTTP_URL)] = ""
    allowed_hosts: Annotated[Words, AfterValidator(lambda hosts: tuple(map(host_name, hosts)))] = ()
    cors_origins: Annotated[Words, AfterValidator(lambda origins: tuple(map(web_origin, origins)))] = ("*",)
    frontend_url: Annotated[str, AfterValidator(web_origin)] = ""
    metrics_allowed_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(split_words)]
    metrics_token: Annotated[str, AfterValidator(long_secret)] = ""
    watch_webhook_token: Annotated[str, AfterValidator(long_secret)] = ""

    # signed URLs
    url_signing_key: Annotated[str, AfterValidator(long_secret)] = ""
    url_signing_key_previous: Annotated[str, AfterValidator(long_secret)] = ""

    # fetching
    fetch_enabled: bool = True
    fetch_allowed_ports: Annotated[
        tuple[Annotated[int, Field(ge=1, le=65535)], ...], NoDecode, BeforeValidator(split_words), Field(min_length=1)
    ] = (80, 443)
    fetch_allowed_hosts: Annotated[Words, AfterValidator(lambda hosts: tuple(map(host_and_port, hosts)))] = ()
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
    otel_exporter_otlp_headers: Annotated[str, AfterValidator(header_list)] = ""
    otel_service_name: str = "background-remover"
    otel_traces_sampler_arg: Annotated[float, Field(ge=0, le=1)] = 1.0
