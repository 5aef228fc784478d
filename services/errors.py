"""The tree of errors: each class has its code, HTTP status, public message, and what the caller can do.

Errors that belong to one package are in that package's `errors.py`. Nothing here knows HTTP beyond
the number: `routes/http/errors.py` turns an error into a response.
"""

from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Final

MAX_VALUE_CHARS: Final = 200


class ServiceError(Exception):
    """An error with a public face. `details` says what was found and what is allowed: no secrets, no paths."""

    code = "internal_error"
    status = 500
    message = "Something went wrong on our side"
    solution = "Try again; if it happens again, send the operator the request id"
    retryable = False

    def __init__(self, details: str = "", solution: str = "", retry_after: int | None = None) -> None:
        # All positional, so that it can be pickled.
        super().__init__(details, solution, retry_after)
        self.details = details
        if solution:
            self.solution = solution
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.message}: {self.details}" if self.details else self.message


class MissingImage(ServiceError):
    code, status = "missing_image", 400
    message = "No image was sent"
    solution = (
        "Send the image as multipart field 'file' (curl -F file=@photo.jpg …), "
        "or as the body with a Content-Type of image/*"
    )


class MultipleImages(ServiceError):
    code, status = "multiple_images", 400
    message = "More than one image was sent"
    solution = "Send one image per request"


class EmptyImage(ServiceError):
    code, status = "empty_image", 400
    message = "The image has no bytes"
    solution = "Check that the file was read completely before it was sent"


class BadOption(ServiceError):
    """An option has a value that it does not take.

    `allowed` says in words what it takes. With `value` None the text says only that the option was given: URLs are
    never quoted.
    """

    code, status = "bad_option", 400
    message = "An option has a value that is not allowed"
    solution = "Correct the option; GET /docs lists every option with its values"

    def __init__(self, option: str, value: object, allowed: str, solution: str = "") -> None:
        found = "was given" if value is None else f"is {shown(value)}"
        super().__init__(f"{option} {found}; allowed: {allowed}", solution)
        self.args = (option, value, allowed, solution)
        self.option, self.value, self.allowed = option, value, allowed


class ConflictingOptions(BadOption):
    """Two options were given of which only one may be."""

    def __init__(self, one: str, other: str) -> None:
        super().__init__(f"{one} and {other}", None, "one of them", f"Leave out {one} or {other}")
        self.args = (one, other)
        self.details = f"{one} and {other} were both given; allowed: one of them"


class UnknownOption(ServiceError):
    code, status = "unknown_option", 400
    message = "There is no such option"
    solution = "Remove the option or correct its name; GET /docs lists every option"


class BadJSON(ServiceError):
    code, status = "bad_json", 400
    message = "The body is not the JSON that this endpoint expects"
    solution = "Send one JSON object, in UTF-8, with Content-Type: application/json"


class BadBase64(ServiceError):
    code, status = "bad_base64", 400
    message = "The image is not valid base64"
    solution = "Encode the file's bytes as standard base64; a data URI (data:image/png;base64,…) is fine too"


class BadRequest(ServiceError):
    code, status = "bad_request", 400
    message = "The request could not be understood"
    solution = "Check the request's headers and body; GET /docs shows examples"


class MissingKey(ServiceError):
    code, status = "missing_key", 401
    message = "An API key is required"
    solution = "Send the key as header X-Api-Key, or as Authorization: Bearer; the operator issues keys"


class BadKey(ServiceError):
    code, status = "bad_key", 401
    message = "The API key is not valid"
    solution = "Check that the whole key was sent, or ask the operator for a new one"


class Forbidden(ServiceError):
    code, status = "forbidden", 403
    message = "You may not do this"
    solution = "Ask the operator for a key, a token or an address that may do this"


class CrossSiteRequest(ServiceError):
    code, status = "cross_site_request", 403
    message = "This request comes from another page"
    solution = "Use the page of this server; programs send no cookie"


class ForbiddenPath(ServiceError):
    code, status = "forbidden_path", 403
    message = "This path may not be read"
    solution = "Name a .txt file inside the server's READ_FILE_DIR, without '..', links or an absolute path"


class NotFound(ServiceError):
    code, status = "not_found", 404
    message = "There is nothing here"
    solution = "GET /docs lists every endpoint"


class ModelNotFound(ServiceError):
    code, status = "model_not_found", 404
    message = "There is no such model on this server"
    solution = "GET /models lists the models that can be used"


class MethodNotAllowed(ServiceError):
    code, status = "method_not_allowed", 405
    message = "This endpoint does not accept this method"
    solution = "Use a method from the Allow header"


class HostNotAllowed(ServiceError):
    code, status = "host_not_allowed", 421
    message = "This server does not answer to this host name"
    solution = "Use its address, or ask the operator to add the name to the setting ALLOWED_HOSTS"


class UploadTooLarge(ServiceError):
    code, status = "upload_too_large", 413
    message = "The upload is too large"
    solution = "Send a smaller file, for instance a JPEG of quality 90"


class RateLimited(ServiceError):
    code, status, retryable = "rate_limited", 429, True
    message = "Too many requests"
    solution = "Wait for the number of seconds in Retry-After"


class ClientGone(ServiceError):
    code, status = "client_gone", 499
    message = "The caller has closed the connection"
    solution = "This is for the log only: nobody is there to read it"


class Busy(ServiceError):
    code, status, retryable = "busy", 503, True
    message = "The server is at capacity"
    solution = "Wait for the number of seconds in Retry-After"


class ShuttingDown(ServiceError):
    code, status, retryable = "shutting_down", 503, True
    message = "The server is about to stop"
    solution = "Send the request again; another server or the next start will take it"


class EngineUnavailable(ServiceError):
    code, status, retryable = "engine_unavailable", 503, True
    message = "The model is not ready"
    solution = "Try again in a moment; GET /health says what is wrong"


class DatabaseUnavailable(ServiceError):
    code, status, retryable = "database_unavailable", 503, True
    message = "The database does not answer"
    solution = "Try again in a moment; GET /health says what is wrong"


class DeadlineExceeded(ServiceError):
    code, status, retryable = "deadline_exceeded", 504, True
    message = "The request took longer than allowed"
    solution = "Send a smaller image, or try again when the server is less busy"


def shown(value: object) -> str:
    """The `repr` of a caller's value, cut to a length that fits into a message."""
    text = repr(value)
    return text if len(text) <= MAX_VALUE_CHARS else f"{text[:MAX_VALUE_CHARS]}…"


def all_errors() -> Iterator[type[ServiceError]]:
    """Yield every class of the tree, parents first; for the documentation and its tests."""
    for path in sorted(Path(__file__).parent.glob("*/*errors.py")):
        import_module(f"{__package__}.{path.parent.name}.{path.stem}")
    yield from _tree(ServiceError)


def _tree(root: type[ServiceError]) -> Iterator[type[ServiceError]]:
    yield root
    for child in root.__subclasses__():
        yield from _tree(child)
