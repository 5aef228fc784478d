"""Counts what a caller with an API key sends, and holds it to its monthly quota."""

import contextlib
from collections.abc import Callable
from functools import partial, wraps
from typing import Any, Final

from flask import Flask, Response, request

from routes.http.auth import current_caller
from routes.http.context import service, state
from services.api_keys.usage import Counts
from services.errors import DatabaseUnavailable
from services.imaging.pipeline import Result

# The endpoints that run a model: their images count against a monthly quota. Edits by a caller's own mask don't.
CHARGED: Final = frozenset(
    {
        "/remove-background",
        "/remove-background-preview",
        "/remove-background-base64",
        "/remove-bg",
        "/api/remove",
        "/api/remove/batch",
        "/matte",
        "/v1.0/removebg",
        "/api/removebg",
        "/v1/remove-background",
        "/v1.0/alpha-channel-base64",
        "/v1/segment",
        "/remove-background/v1",
    }
)
# Submissions of jobs and their repetition: the images count when they are done.
CHARGED_JOBS: Final = frozenset(
    {
        "/api/jobs/remove-bg",
        "/api/jobs/remove-bg-batch",
        "/api/v1/uploads",
        "/api/jobs/<job:job_id>/retry",
        "/api/jobs/<job:job_id>/items/<item_id>/retry",
    }
)


def within_month(view: Callable[..., Response]) -> Callable[..., Response]:
    """Reserve one image of the caller's monthly quota before the view. Raises `MonthlyQuotaUsedUp`."""

    @wraps(view)
    def checked(*args: Any, **kwargs: Any) -> Response:
        reserve_images(1)
        return view(*args, **kwargs)

    return checked


def reserve_images(images: int) -> None:
    """Reserve images of the caller's monthly quota until the request ends; its images in the queue count as used.

    Raises `MonthlyQuotaUsedUp`.
    """
    caller = current_caller()
    if caller is None or caller.monthly_quota is None:
        return
    service().usage.reserve(caller.id, caller.monthly_quota, images, _waiting(caller.quota_name))
    state().reserved += images


def _waiting(caller: str) -> int:
    """Return how many images of the caller are in the queue; 0 while the database is lost, and without jobs."""
    jobs = service().jobs
    if jobs is None:
        return 0
    with contextlib.suppress(DatabaseUnavailable):
        return jobs.queries.load_of(caller)[0]
    return 0


def charge_frames(frames: int) -> None:
    """Count each frame of an animation as an image, in this request's quota and in the caller's month.

    Raises `MonthlyQuotaUsedUp`.
    """
    state().cost = frames
    # Endpoints that don't count against the month have reserved nothing.
    if frames > 1 and state().reserved:
        reserve_images(frames - 1)


def count_request() -> None:
    """Count a request of a caller with a key."""
    _count(Counts(requests=1))


def count_image(result: Result) -> None:
    """Count an image that was processed, or the frames of an animation."""
    frames = result.frames
    megapixels = frames * result.original_width * result.original_height / 1e6
    charged = frames if _endpoint() in CHARGED else 0
    _count(Counts(images=frames, charged=charged, megapixels=megapixels, bytes_in=result.original_bytes))


def count_failure() -> None:
    """Count an image that failed."""
    _count(Counts(failures=1))


def release_reserved(app: Flask) -> None:
    """Give back at the end of each request to `app` what it has reserved."""

    @app.teardown_request
    def give_back(_: BaseException | None = None) -> None:
        keep_reserved()()


def keep_reserved() -> Callable[[], None]:
    """Keep what this request has reserved while its response is sent, until the returned function is called."""
    caller, images = current_caller(), state().reserved
    state().reserved = 0
    return partial(service().usage.release, caller.id, images) if caller and images else lambda: None


def _count(counts: Counts) -> None:
    caller = current_caller()
    if caller:
        service().usage.add(caller.id, _endpoint(), counts)


def _endpoint() -> str:
    return request.url_rule.rule if request.url_rule else "unmatched"
