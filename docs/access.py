"""Who may call which endpoint: the table of `docs/reference/access.md`, which a test checks."""

from collections.abc import Mapping
from typing import Final

CALLERS: Final = (
    *("nobody", "browser", "key", "other key", "admin key", "revoked key"),
    *("user", "other user", "admin user"),
)
OPEN: Final = "open"
SENT: Final = "sent"
LINK: Final = "link"
OPERATOR: Final = "operator"
WORK: Final = "work"
OWN: Final = "own"
LIST: Final = "list"
HOLDER: Final = "holder"
ADMIN: Final = "admin"
PERSON: Final = "person"
PROVIDER: Final = "provider"
YES, NO, ITS_OWN = "yes", "no", "its own"
_ADMINISTRATORS: Final = (NO, NO, NO, NO, YES, NO, NO, NO, YES)
_HOLDERS: Final = (NO, NO, ITS_OWN, ITS_OWN, ITS_OWN, NO, ITS_OWN, ITS_OWN, ITS_OWN)
_OWNERS: Final = (NO, NO, YES, NO, NO, NO, YES, NO, NO)
_PEOPLE: Final = (NO, NO, NO, NO, NO, NO, ITS_OWN, ITS_OWN, ITS_OWN)
# By rule: the answers to CALLERS where keys are not required, and where they are.
RULES: Final[Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]]] = {
    OPEN: ((YES,) * 9, (YES,) * 9),
    PROVIDER: ((YES,) * 9, (YES,) * 9),
    # Open, but a key that is sent must be valid.
    SENT: ((YES,) * 9, (YES, YES, YES, YES, YES, NO, YES, YES, YES)),
    # A link that the service has signed opens it, for any caller; nothing else does.
    LINK: ((NO,) * 9, (NO,) * 9),
    # The operator's token opens it, for every caller.
    OPERATOR: ((NO,) * 9, (NO,) * 9),
    WORK: ((YES,) * 9, (NO, NO, YES, YES, NO, NO, YES, YES, YES)),
    # Of a job that "key" has made, and of one that "user" has made: each its own.
    OWN: (_OWNERS, _OWNERS),
    LIST: ((ITS_OWN,) * 9, (NO, NO, ITS_OWN, ITS_OWN, NO, NO, ITS_OWN, ITS_OWN, ITS_OWN)),
    HOLDER: (_HOLDERS, _HOLDERS),
    ADMIN: (_ADMINISTRATORS, _ADMINISTRATORS),
    PERSON: (_PEOPLE, _PEOPLE),
}
JOB: Final = "/api/jobs/{job_id}"
ITEM: Final = f"{JOB}/items/{{item_id}}"
ACCESS: Final[Mapping[str, tuple[str, ...]]] = {
    OPEN: (
        "GET /", "GET /admin", "GET /studio.json", "GET /models", "GET /health", "GET /api/v1/health",
        "GET /health/live", "GET /health/ready", "GET /metrics", "GET /api/metrics", "GET /docs", "GET /redoc",
        "GET /openapi.json", "GET /account",
        "POST /api/v1/auth/register", "POST /api/v1/auth/confirm", "POST /api/v1/auth/login",
        "POST /api/v1/auth/accept",
        "POST /api/v1/auth/logout", "POST /api/v1/auth/token", "POST /api/v1/auth/forgot", "POST /api/v1/auth/reset",
    ),
    SENT: ("GET /api/account",),
    LINK: ("GET /i/{signature}/{options}/{name}", "GET /files/{token}", "GET /archives/{token}"),
    OPERATOR: ("POST /api/v1/hooks/s3",),
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
        f"DELETE {ITEM}", "GET /api/v1/uploads/{upload_id}", "GET /api/v1/tasks/{task_id}", f"DELETE {JOB}",
    ),
    LIST: ("GET /api/jobs", "GET /api/failed-jobs", "GET /api/v1/uploads"),
    HOLDER: ("GET /api/usage",),
    ADMIN: (
        "GET /api/admin/keys", "POST /api/admin/keys", "PATCH /api/admin/keys/{key_id}",
        "DELETE /api/admin/keys/{key_id}", "GET /api/admin/usage", "GET /api/admin/overview",
        "GET /api/admin/invitations", "POST /api/admin/invitations", "DELETE /api/admin/invitations/{invitation_id}",
        "GET /api/admin/failed-jobs", "POST /api/admin/failed-jobs/{job_id}/retry", "POST /api/admin/cleanup",
    ),
    # With ACCOUNTS=oidc, which the table is not tried with: tests/e2e/access/test_oidc.py.
    PROVIDER: ("GET /api/v1/auth/oidc/login", "GET /api/v1/auth/oidc/callback"),
    PERSON: (
        "GET /api/v1/account", "PATCH /api/v1/account", "DELETE /api/v1/account", "POST /api/v1/account/password",
        "GET /api/v1/account/keys", "POST /api/v1/account/keys", "DELETE /api/v1/account/keys/{key_id}",
    ),
}  # fmt: skip
