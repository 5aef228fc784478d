"""The WSGI application: `create_app` connects the parts with the routes. Nothing happens at import."""

from pathlib import Path

from flask import Flask
from flask_cors import CORS

import routes
from bootstrap.observability import start_tracing
from bootstrap.settings import load_settings
from bootstrap.web import make_web_services
from config import Settings
from routes import removebg
from routes.dialect_headers import attach_dialect_headers
from routes.http.bodies import InMemoryRequest, release_body
from routes.http.callers import check_host
from routes.http.context import EXTENSION
from routes.http.cross_origin import OPEN_PATHS, exact_origins
from routes.http.errors import handle_errors
from routes.http.limits import attach_limiter, make_limiter
from routes.http.observe import observe
from routes.http.traces import trace_requests
from routes.http.usage import release_reserved
from routes.http.visitors import guard_cookies

WEB = Path(__file__).parent / "web"
EXPOSED_HEADERS = (
    "X-Request-ID",
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset",
    "Retry-After",
    "Server-Timing",
    "X-Confidence",
    "Content-Disposition",
    "X-Width",
    "X-Height",
    "X-Foreground-Top",
    "X-Foreground-Left",
    "X-Foreground-Width",
    "X-Foreground-Height",
    "X-Original-Size",
    "X-Optimized-Size",
    "X-Frames",
    "X-Duration",
    "X-Optimization-Used",
    *removebg.HEADERS,
    "X-Latency-Ms",
    "x-uncertainty-score",
    "x-remaining-credits",
    "x-credits-consumed",
    "X-Output-Key",
    "X-Cache",
    "X-Embedding",
    "X-Model-Fallback",
)
ALLOWED_HEADERS = ("Content-Type", "Accept", "Authorization", "X-Api-Key", "X-Request-ID", "Idempotency-Key")


def create_app(settings: Settings | None = None) -> Flask:
    """The WSGI application. Its model begins to load at once, in the background of this process."""
    settings = settings or load_settings()
    app = Flask(__name__, static_folder=str(WEB), static_url_path="/static")
    app.request_class = InMemoryRequest
    # No redirect repeats the Host header, and none leads from https, which ends at a proxy, to http.
    app.url_map.merge_slashes = False
    app.config.update(
        SECRET_KEY=settings.secret_key,
        DEBUG=settings.debug,
        MAX_CONTENT_LENGTH=settings.max_encoded_bytes,
        MAX_FORM_MEMORY_SIZE=settings.max_encoded_bytes,
        PROPAGATE_EXCEPTIONS=False,
    )
    start_tracing(settings, "web")
    app.extensions[EXTENSION] = make_web_services(settings)
    limiter = make_limiter(settings)
    observe(app)
    trace_requests(app)
    attach_dialect_headers(app)
    check_host(app, settings)
    guard_cookies(app)
    attach_limiter(app, limiter)
    release_reserved(app)
    CORS(
        app,
        resources=OPEN_PATHS,
        origins=exact_origins(filter(None, (*settings.cors_origins, settings.frontend_url))),
        expose_headers=list(EXPOSED_HEADERS),
        allow_headers=list(ALLOWED_HEADERS),
        send_wildcard="*" in settings.cors_origins,
        max_age=86400,
    )
    handle_errors(app)
    app.teardown_request(release_body)
    routes.register(app, limiter, settings)
    return app
