"""The map of URLs."""

from flask import Flask
from flask_limiter import Limiter
from werkzeug.routing import BaseConverter

from config import Settings
from routes import (
    admin,
    admin_keys,
    archives,
    batch,
    carvekit,
    clipdrop,
    files,
    health,
    hooks,
    items,
    jobs,
    overview,
    page,
    photoroom,
    rembg,
    removal,
    removebg,
    signed,
    studio,
    system,
    uploads,
    usage,
    withoutbg,
)
from routes.http.auth import ANY, View, needs_key
from routes.http.jobs.watch_events import is_reconnect
from routes.http.limits import by_quota, is_uncounted
from routes.http.usage import CHARGED, within_month
from routes.openapi import (
    archive_operations,
    dialect_docs,
    docs,
    hook_operations,
    item_operations,
    job_operations,
    key_operations,
    operations,
    overview_operations,
    reference_page,
    rembg_operations,
    removebg_docs,
    signed_operations,
    studio_operations,
    swagger_page,
    usage_operations,
)
from routes.openapi.docs import OPEN, Route
from services.api_keys.keys import ADMIN, JOBS

ADMIN_KEY = "/api/admin/keys/<key_id>"
ROUTES = (
    Route("POST", "/remove-background", removal.remove_background, operations.REMOVE, "rate_limit_remove_bg_per_hour"),
    Route(
        "POST",
        "/remove-background-preview",
        removal.remove_background_preview,
        operations.PREVIEW,
        "rate_limit_preview_per_hour",
    ),
    Route(
        "POST",
        "/remove-background-base64",
        removal.remove_background_base64,
        operations.BASE64,
        "rate_limit_base64_per_hour",
    ),
    Route("POST", "/remove-bg", removal.remove_bg, operations.REMOVE_BG, "rate_limit_remove_bg_per_hour"),
    Route("GET", "/api/remove", rembg.remove_url, rembg_operations.REMOVE_URL, "rate_limit_remove_bg_per_hour"),
    Route("POST", "/api/remove", rembg.remove_file, rembg_operations.REMOVE_FILE, "rate_limit_remove_bg_per_hour"),
    Route(
        "POST", "/api/remove/batch", batch.remove_batch, rembg_operations.REMOVE_BATCH, "rate_limit_remove_bg_per_hour"
    ),
    Route("POST", "/matte", studio.matte, studio_operations.MATTE, "rate_limit_matte_per_hour"),
    Route("POST", "/compose", studio.compose, studio_operations.COMPOSE, "rate_limit_compose_per_hour"),
    Route("POST", "/refine", studio.refine, studio_operations.REFINE, "rate_limit_refine_per_hour"),
    Route("POST", "/read-file", files.read_file, operations.READ_FILE, "rate_limit_read_file_per_hour"),
    Route("POST", "/v1.0/removebg", removebg.removebg, removebg_docs.REMOVEBG, "rate_limit_removebg_per_minute"),
    Route("GET", "/v1.0/account", removebg.account, removebg_docs.ACCOUNT),
    Route("POST", "/v1.0/improve", removebg.improve, removebg_docs.IMPROVE, "rate_limit_removebg_per_minute"),
    Route("POST", "/api/removebg", carvekit.carvekit_removebg, dialect_docs.CARVEKIT, "rate_limit_removebg_per_minute"),
    Route("GET", "/api/account", carvekit.carvekit_account, dialect_docs.CARVEKIT_ACCOUNT, scope=OPEN),
    Route(
        "POST",
        "/v1/remove-background",
        withoutbg.withoutbg_remove_background,
        dialect_docs.WITHOUTBG,
        "rate_limit_remove_bg_per_hour",
    ),
    Route(
        "POST",
        "/v1.0/alpha-channel-base64",
        withoutbg.withoutbg_alpha_channel,
        dialect_docs.WITHOUTBG_CLOUD,
        "rate_limit_base64_per_hour",
    ),
    Route("GET", "/available-credit", withoutbg.withoutbg_available_credit, dialect_docs.WITHOUTBG_CREDIT),
    Route("POST", "/v1/segment", photoroom.photoroom_segment, dialect_docs.PHOTOROOM, "rate_limit_remove_bg_per_hour"),
    Route(
        "POST",
        "/remove-background/v1",
        clipdrop.clipdrop_remove_background,
        dialect_docs.CLIPDROP,
        "rate_limit_remove_bg_per_hour",
    ),
    Route(
        "GET",
        "/i/<signature>/<options>/<name>",
        signed.signed_image,
        signed_operations.SIGNED,
        "rate_limit_signed_per_hour",
        OPEN,
    ),
    Route("GET", "/files/<token>", files.download, operations.DOWNLOAD_FILE, scope=OPEN),
    Route("GET", "/api/usage", usage.show_usage, usage_operations.USAGE, "rate_limit_per_minute", ANY),
    Route("GET", "/api/admin/usage", usage.show_all_usage, usage_operations.ALL_USAGE, "rate_limit_per_minute", ADMIN),
    Route(
        "GET",
        "/api/admin/overview",
        overview.show_overview,
        overview_operations.OVERVIEW,
        "rate_limit_per_minute",
        ADMIN,
    ),
    Route("GET", "/api/admin/keys", admin_keys.list_all_keys, key_operations.LIST, "rate_limit_per_minute", ADMIN),
    Route("POST", "/api/admin/keys", admin_keys.create_a_key, key_operations.CREATE, "rate_limit_per_minute", ADMIN),
    Route("PATCH", ADMIN_KEY, admin_keys.change_limits, key_operations.CHANGE, "rate_limit_per_minute", ADMIN),
    Route("DELETE", ADMIN_KEY, admin_keys.revoke_a_key, key_operations.REVOKE, "rate_limit_per_minute", ADMIN),
    Route("GET", "/", system.index, operations.INDEX, scope=OPEN),
    Route("GET", "/admin", page.admin_page, operations.ADMIN_PAGE, scope=OPEN),
    Route("GET", "/studio.json", studio.studio_json, studio_operations.STUDIO, scope=OPEN),
    Route("GET", "/models", system.models, operations.MODELS, scope=OPEN),
    Route("GET", "/health", health.health, operations.HEALTH, scope=OPEN, also=("/api/health",)),
    Route("GET", "/api/v1/health", health.health_of_dependencies, operations.HEALTH_SHORT, scope=OPEN),
    Route("GET", "/health/live", health.health_live, operations.LIVE, scope=OPEN),
    Route("GET", "/health/ready", health.health_ready, operations.READY, scope=OPEN),
    Route("GET", "/metrics", system.metrics, operations.METRICS, scope=OPEN, also=("/api/metrics/prometheus",)),
    Route("GET", "/api/metrics", system.metrics_json, operations.METRICS_JSON, scope=OPEN),
    Route("GET", "/docs", swagger_page.swagger_ui, operations.DOCS, scope=OPEN, also=("/api",)),
    Route("GET", "/redoc", reference_page.reference_page, operations.REFERENCE, scope=OPEN),
    Route("GET", "/openapi.json", swagger_page.openapi_json, operations.OPENAPI, scope=OPEN),
)
PER_MINUTE = "rate_limit_per_minute"
ITEMS_PER_MINUTE = "rate_limit_items_per_minute"
ITEM = "/api/jobs/<job:job_id>/items/<item_id>"
JOB_ROUTES = (  # only with JOBS_ENABLED
    Route("POST", "/api/jobs/remove-bg", jobs.submit, job_operations.SUBMIT, PER_MINUTE, JOBS),
    Route("POST", "/api/jobs/remove-bg-batch", jobs.submit_batch, job_operations.SUBMIT_BATCH, PER_MINUTE, JOBS),
    Route("GET", "/api/jobs", jobs.listed, job_operations.LISTED, PER_MINUTE, JOBS),
    Route("GET", "/api/jobs/events", jobs.watch, job_operations.WATCH, PER_MINUTE, JOBS, uncounted=is_reconnect),
    Route("GET", "/api/jobs/<job:job_id>", jobs.show, job_operations.SHOW, PER_MINUTE, JOBS),
    Route("DELETE", "/api/jobs/<job:job_id>", jobs.erase, job_operations.ERASE, PER_MINUTE, JOBS),
    Route("POST", "/api/jobs/<job:job_id>/cancel", jobs.cancel, job_operations.CANCEL, PER_MINUTE, JOBS),
    Route("POST", "/api/jobs/<job:job_id>/retry", jobs.retry, job_operations.RETRY, PER_MINUTE, JOBS),
    Route("GET", "/api/jobs/<job:job_id>/download", jobs.result, job_operations.DOWNLOAD, PER_MINUTE, JOBS),
    Route("GET", f"{ITEM}/download", items.item_download, item_operations.DOWNLOAD, ITEMS_PER_MINUTE, JOBS),
    Route("GET", f"{ITEM}/original", items.item_original, item_operations.ORIGINAL, ITEMS_PER_MINUTE, JOBS),
    Route("GET", f"{ITEM}/mask", items.item_mask, item_operations.MASK, ITEMS_PER_MINUTE, JOBS),
    Route("PUT", f"{ITEM}/mask", items.replace_mask, item_operations.REPLACE_MASK, "rate_limit_compose_per_hour", JOBS),
    Route("POST", f"{ITEM}/retry", items.retry_item, item_operations.RETRY, ITEMS_PER_MINUTE, JOBS),
    Route("POST", f"{ITEM}/cancel", items.cancel_item, item_operations.CANCEL, ITEMS_PER_MINUTE, JOBS),
    Route("DELETE", ITEM, items.delete_item, item_operations.DELETE, ITEMS_PER_MINUTE, JOBS),
    Route("POST", "/api/archives", archives.make_archive, archive_operations.MAKE, PER_MINUTE, JOBS),
    Route("GET", "/archives/<token>", archives.download_archive, archive_operations.DOWNLOAD, scope=OPEN),
    Route("GET", "/api/failed-jobs", jobs.failed, job_operations.FAILED, PER_MINUTE, JOBS),
    Route("POST", "/api/v1/uploads", uploads.upload, job_operations.UPLOAD, PER_MINUTE, JOBS),
    Route("GET", "/api/v1/uploads", uploads.uploads, job_operations.UPLOADS, PER_MINUTE, JOBS),
    Route(
        "GET",
        "/api/v1/uploads/<upload_id>",
        uploads.show_upload,
        job_operations.SHOW_UPLOAD,
        PER_MINUTE,
        JOBS,
    ),
    Route(
        "GET",
        "/api/v1/tasks/<task_id>",
        uploads.show_task,
        job_operations.SHOW_TASK,
        PER_MINUTE,
        JOBS,
    ),
    Route("GET", "/api/admin/failed-jobs", admin.all_failed_jobs, job_operations.ALL_FAILED, PER_MINUTE, ADMIN),
    Route("POST", "/api/v1/hooks/s3", hooks.s3_events, hook_operations.S3, scope=OPEN),
    Route(
        "POST",
        "/api/admin/failed-jobs/<job:job_id>/retry",
        admin.retry_any_job,
        job_operations.RETRY_ANY,
        PER_MINUTE,
        ADMIN,
    ),
    Route("POST", "/api/admin/cleanup", admin.cleanup, job_operations.CLEANUP, PER_MINUTE, ADMIN),
)
INDEX_PER_HOUR = 50


def _index_uncounted() -> bool:
    return not system.index_as_json() or is_uncounted()


class Word(BaseConverter):
    """A part of a path. No id has a NUL, and PostgreSQL takes none."""

    regex = r"[^/\x00]+"
    part_isolating = True


def _account_routes(settings: Settings) -> tuple[Route, ...]:
    if settings.accounts == "off":
        return ()
    from routes.accounts.table import account_routes

    return account_routes(settings.accounts)


def register(app: Flask, limiter: Limiter, settings: Settings) -> None:
    """Give the app its routes, each with its quota; a key is asked for first, since quotas count by it."""
    app.url_map.converters |= {"default": Word, "job": jobs.JobId, "build": page.Build}
    routes = (*ROUTES, *(JOB_ROUTES if settings.jobs_enabled else ()), *_account_routes(settings))
    for route in routes:
        view: View = route.view
        if route.path in CHARGED:
            view = within_month(view)
        if route.quota:
            unit = route.quota.rpartition("_per_")[2]
            default = f"{getattr(settings, route.quota)} per {unit}"
            view = by_quota(limiter, default, route.quota.upper(), route.uncounted)(view)
        elif view is system.index:
            view = limiter.limit(f"{INDEX_PER_HOUR} per hour", exempt_when=_index_uncounted)(view)
        if route.scope:
            view = needs_key(route.scope)(view)
        for path in (route.path, *route.also):
            app.add_url_rule(path, view_func=view, methods=[route.method], strict_slashes=False)
    app.add_url_rule("/static/<build:build>/<path:filename>", view_func=page.file_of_build)
    swagger_page.register_assets(app)
    app.extensions["openapi"] = docs.build(routes, settings)
