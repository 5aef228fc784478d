"""Who may call which endpoint: the table of `docs/reference/access.md`, which a test holds the service to."""

from collections.abc import Mapping
from typing import Final

CALLERS: Final = ("nobody", "browser", "key", "other key", "admin key")
OPEN: Final = "open"
LINK: Final = "link"
WORK: Final = "work"
OWN: Final = "own"
LIST: Final = "list"
HOLDER: Final = "holder"
ADMIN: Final = "admin"
YES, NO, ITS_OWN = "yes", "no", "its own"
# By rule: the answers to CALLERS where keys are not required, and where they are.
RULES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    OPEN: ((YES,) * 5, (YES,) * 5),
    # A link that the service has signed opens it, for any caller; nothing else does.
    LINK: ((NO,) * 5, (NO,) * 5),
    WORK: ((YES,) * 5, (NO, NO, YES, YES, NO)),
    # Of a job that "key" has made.
    OWN: ((NO, NO, YES, NO, NO), (NO, NO, YES, NO, NO)),
    LIST: ((ITS_OWN,) * 5, (NO, NO, ITS_OWN, ITS_OWN, NO)),
    HOLDER: ((NO, NO, ITS_OWN, ITS_OWN, ITS_OWN), (NO, NO, ITS_OWN, ITS_OWN, ITS_OWN)),
    ADMIN: ((NO, NO, NO, NO, YES), (NO, NO, NO, NO, YES)),
}
JOB: Final = "/api/jobs/{job_id}"
ITEM: Final = f"{JOB}/items/{{item_id}}"
ACCESS: Final[Mapping[str, tuple[str, ...]]] = {
    OPEN: (
        "GET /", "GET /admin", "GET /api/account", "GET /studio.json", "GET /models", "GET /health",
        "GET /api/v1/health", "GET /health/live", "GET /health/ready", "GET /metrics", "GET /api/metrics", "GET /docs",
        "GET /redoc", "GET /openapi.json",
    ),
    LINK: ("GET /i/{signature}/{options}/{name}", "GET /files/{token}", "GET /archives/{token}"),
    WORK: (
        "POST /remove-background", "POST /remove-background-preview", "POST /remove-background-base64",
        "POST /remove-bg", "GET /api/remove", "POST /api/remove", "POST /api/remove/batch", "POST /matte",
        "POST /compose", "POST /refine", "POST /read-file", "POST /v1.0/removebg", "GET /v1.0/account",
        "POST /v1.0/improve", "POST /api/removebg", "POST /v1/remove-background", "POST /v1.0/alpha-channel-base64",
        "GET /available-credit", "POST /v1/segment", "POST /remove-background/v1", "POST /api/jobs/remove-bg",
        "POST /api/jobs/remove-bg-batch", "POST /api/v1/uploads", "POST /api/archives", "GET /api/jobs/events",
    ),
    OWN: (
        f"GET {JOB}", f"POST {JOB}/cancel", f"POST {JOB}/retry", f"GET {JOB}/download", f"GET {ITEM}/download",
        f"GET {ITEM}/original", f"GET {ITEM}/mask", f"PUT {ITEM}/mask", f"POST {ITEM}/retry", f"POST {ITEM}/cancel",
        "GET /api/v1/uploads/{upload_id}", "GET /api/v1/tasks/{task_id}", f"DELETE {JOB}",
    ),
    LIST: ("GET /api/jobs", "GET /api/failed-jobs", "GET /api/v1/uploads"),
    HOLDER: ("GET /api/usage",),
    ADMIN: (
        "GET /api/admin/keys", "POST /api/admin/keys", "PATCH /api/admin/keys/{key_id}",
        "DELETE /api/admin/keys/{key_id}", "GET /api/admin/usage", "GET /api/admin/overview",
        "GET /api/admin/failed-jobs", "POST /api/admin/failed-jobs/{job_id}/retry", "POST /api/admin/cleanup",
    ),
}  # fmt: skip
