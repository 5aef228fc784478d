"""Errors of fetching an image by its URL."""

from collections.abc import Callable
from functools import partial

from services.errors import ServiceError


class BadURL(ServiceError):
    code, status = "bad_url", 400
    message = "This is not a URL that can be fetched"
    solution = "Give one complete URL, percent-encoded, without a user name, such as https://example.org/photo.jpg"


class ForbiddenSource(ServiceError):
    code, status = "forbidden_source", 403
    message = "This server does not fetch from there"
    solution = "Download the image and send its bytes"


class SourceFailed(ServiceError):
    code, status = "source_failed", 502
    message = "The image could not be fetched from its source"
    solution = "Check that the URL opens without signing in, or download the image and send its bytes"

    def __init__(self, details: str = "", *, status: int | None = None) -> None:
        """`status`: the HTTP status of the source's answer, where that was the fault."""
        super().__init__(details or (f"it answered with status {status}" if status else ""))
        self.args = (self.details,)
        self.source_status = status

    def __reduce__(self) -> tuple[Callable[..., "SourceFailed"], tuple[object, ...]]:
        return partial(SourceFailed, status=self.source_status), (self.details,)


class SourceTimeout(ServiceError):
    code, status, retryable = "source_timeout", 504, True
    message = "The source took too long to send the image"
    solution = "Try again, or download the image and send its bytes"


class BadSignature(ServiceError):
    code, status = "bad_signature", 403
    message = "The signature of this URL is not valid"
    solution = "Make the URL with 'bgremove sign' and the key of this server (URL_SIGNING_KEY); change nothing in it"


class LinkExpired(ServiceError):
    code, status = "link_expired", 410
    message = "This URL has expired"
    solution = "Request a new one from the page that linked to it"
