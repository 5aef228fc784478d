"""What pages of other origins may do: the paths that CORS opens, and the policies that answers carry."""

import re
from collections.abc import Iterable
from typing import Final

# Metrics, health, the operator's folder, administration and accounts are for programs and for this origin's own page.
CLOSED_PATHS: Final = r"/(?:api/)?(?:metrics|health)|/api/v1/(?:health|auth|account)|/read-file|/api/admin|/account"

# The paths that CORS opens, as Flask-CORS takes them.
OPEN_PATHS: Final = re.compile(rf"(?!(?:{CLOSED_PATHS})(?:/|\Z))", re.DOTALL)
# Nothing comes from elsewhere, and no page shows this one in a frame. nginx.conf has the same for its own errors.
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "worker-src 'self'; font-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
# A worker has the policy of its own script, so scripts have the page's.
WITH_PAGE_POLICY: Final = ("text/html", "text/javascript")
# For images and JSON, also where a browser opens them as a document.
ANSWER_POLICY: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


def exact_origins(origins: Iterable[str]) -> list[str | re.Pattern[str]]:
    """Return the origins as Flask-CORS takes them literally: it reads the brackets of an IPv6 address as a pattern."""
    return [re.compile(rf"{re.escape(origin)}\Z") if "[" in origin else origin for origin in origins]


def policy_headers(path: str, mimetype: str | None) -> dict[str, str]:
    """Return the headers that say what pages may do with the answer to a request for `path`."""
    return {
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Resource-Policy": "cross-origin" if OPEN_PATHS.match(path) else "same-origin",
        "Content-Security-Policy": PAGE_POLICY if mimetype in WITH_PAGE_POLICY else ANSWER_POLICY,
    }
