"""The tree of errors: each leaf knows its code, HTTP status, public message, and what the caller can do.

Nothing here knows HTTP beyond the number: `routes/http/errors.py` turns an error into a response.
"""

from collections.abc import Iterator


class ServiceError(Exception):
    """An error with a public face. `details` says what was found and what is allowed; never a secret or a path."""

    code = "internal_error"
    status = 500
    message = "Something went wrong on our side"
    solution = "Try again; if it goes on, give the operator the request id"
    retryable = False

    def __init__(self, details: str = "", solution: str = "", retry_after: int | None = None) -> None:
        super().__init__(details, solution, retry_after)  # all positional, so that it can be pickled
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
    code, status = "bad_option", 400
    message = "An option has a value that is not allowed"
    solution = "Correct the option; GET /docs lists every option with its values"


class BadParameter(ServiceError):
    """A mistake that another's API, which this service speaks too, has a code (`name`) and words (`title`) for."""

    code, status = "bad_parameter", 400
    message = "A parameter has a value that is not allowed"
    solution = "Correct the parameter; the documentation of that API lists every one"
    name, title = "bad_parameter", message

    @classmethod
    def known_as(cls, name: str, title: str, details: str = "") -> "BadParameter":
        """The mistake that the other API calls so."""
        error = cls(details)
        error.name, error.title = name, title
        return error


class UnknownOption(ServiceError):
    code, status = "unknown_option", 400
    message = "There is no such option"
    solution = "Remove the option or correct its name; GET /docs lists every option"


class BadJSON(ServiceError):
    code, status = "bad_json", 400
    message = "The body is not the JSON that this endpoint takes"
    solution = "Send one JSON object, in UTF-8, with Content-Type: application/json"


class BadBase64(ServiceError):
    code, status = "bad_base64", 400
    message = "The image is not valid base64"
    solution = "Encode the file's bytes as standard base64; a data URI (data:image/png;base64,…) is fine too"


class BadURL(ServiceError):
    code, status = "bad_url", 400
    message = "This is not a URL that can be fetched"
    solution = "Give one complete URL, percent-encoded, without a user name, as https://example.org/photo.jpg"


class BadRequest(ServiceError):
    code, status = "bad_request", 400
    message = "The request could not be understood"
    solution = "Check the request's headers and body; GET /docs shows examples"


class MissingKey(ServiceError):
    code, status = "missing_key", 401
    message = "An API key is needed"
    solution = "Send the key as header X-Api-Key, or as Authorization: Bearer; the operator makes keys"


class BadKey(ServiceError):
    code, status = "bad_key", 401
    message = "The API key is not valid"
    solution = "Check that the whole key was sent, or ask the operator for a new one"


class Forbidden(ServiceError):
    code, status = "forbidden", 403
    message = "This is not open to you"
    solution = "Ask the operator for a key, a token or an address that may do this"


class ForbiddenSource(ServiceError):
    code, status = "forbidden_source", 403
    message = "This server does not fetch from there"
    solution = "Download the image and send its bytes"


class ForbiddenPath(ServiceError):
    code, status = "forbidden_path", 403
    message = "This path is not open"
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
    message = "This endpoint does not take this method"
    solution = "Use a method of the Allow header"


class JobNotFound(ServiceError):
    code, status = "job_not_found", 404
    message = "There is no such job"
    solution = "Check the id, and send the API key that the job was made with; records are kept for a limited time"


class JobNotFinished(ServiceError):
    code, status = "job_not_finished", 409
    message = "The job has no result to download"
    solution = "Ask for its status until it is finished"


class JobNotCancellable(ServiceError):
    code, status = "job_not_cancellable", 409
    message = "The job is over"
    solution = "Nothing needs to be done; its status says how it ended"


class JobNotRetryable(ServiceError):
    code, status = "job_not_retryable", 409
    message = "The job has nothing to try again"
    solution = "Only what has failed can be tried again, and once all of the job is over"


class IdempotencyKeyReused(ServiceError):
    code, status = "idempotency_key_reused", 409
    message = "This Idempotency-Key stands for another job"
    solution = "Take a new key for other images or options; the same ones again are answered with the same job"


class ResultExpired(ServiceError):
    code, status = "result_expired", 410
    message = "This is no longer kept"
    solution = "Send the image again; results are kept for a limited time"


class ObjectNotFound(ResultExpired):
    """There is no such object in storage: for callers, something that was kept once."""


class UploadTooLarge(ServiceError):
    code, status = "upload_too_large", 413
    message = "The upload is too large"
    solution = "Send a smaller file, for instance a JPEG of quality 90"


class TooManyFiles(ServiceError):
    code, status = "too_many_files", 413
    message = "There are more images than one batch may have"
    solution = "Send the images in several batches"


class UnsupportedFormat(ServiceError):
    code, status = "unsupported_format", 415
    message = "This is not an image of an accepted format"
    solution = "Convert the image to JPEG, PNG or WebP"


class CorruptImage(ServiceError):
    code, status = "corrupt_image", 422
    message = "The image is damaged and can't be decoded"
    solution = "Open and save the image in an editor, then send it again"


class BadArchive(ServiceError):
    code, status = "bad_archive", 422
    message = "The ZIP archive can't be unpacked"
    solution = "Make the archive again, from the images alone, or send the images themselves"


class BadEntry(ServiceError):
    code, status = "bad_entry", 422
    message = "This file of the ZIP archive is not unpacked"
    solution = "Put the image into the archive as a plain file, without a password, or send it by itself"


class TooManyPixels(ServiceError):
    code, status = "too_many_pixels", 422
    message = "The image has too many pixels"
    solution = "Make the image smaller and send it again"


class ImageTooSmall(ServiceError):
    code, status = "image_too_small", 422
    message = "The image is too small"
    solution = "Send the image in its original size"


class NoSubject(ServiceError):
    code, status = "no_subject", 422
    message = "Nothing was found in the image that could be kept"
    solution = "Send an image with a clear subject, or try another model"


class RateLimited(ServiceError):
    code, status, retryable = "rate_limited", 429, True
    message = "Too many requests"
    solution = "Wait for as many seconds as Retry-After says"


class ClientGone(ServiceError):
    code, status = "client_gone", 499
    message = "The caller has closed the connection"
    solution = "This is for the log only: nobody is there to read it"


class SourceFailed(ServiceError):
    code, status = "source_failed", 502
    message = "The image could not be fetched from its source"
    solution = "Check that the URL opens without signing in, or download the image and send its bytes"


class Busy(ServiceError):
    code, status, retryable = "busy", 503, True
    message = "The server has as much work as it can take"
    solution = "Wait for as many seconds as Retry-After says"


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


class StorageUnavailable(ServiceError):
    code, status, retryable = "storage_unavailable", 503, True
    message = "The object storage can't be used now"
    solution = "Try again in a moment; GET /health says what is wrong"


class QueueUnavailable(ServiceError):
    code, status, retryable = "queue_unavailable", 503, True
    message = "The queue can't be reached, so no job was made"
    solution = "Try again in a moment; GET /health says what is wrong"


class WorkerLost(ServiceError):  # in a job's record only: no request is answered with it
    code, status, retryable = "worker_lost", 500, True
    message = "The worker ended while it was at work with the image, each time it was tried"
    solution = "Check the image: it may need more memory than a worker has; POST /api/jobs/{id}/retry tries it again"


class DeadlineExceeded(ServiceError):
    code, status, retryable = "deadline_exceeded", 504, True
    message = "The image took longer than a request may"
    solution = "Send a smaller image, or try again when the server is less busy"


class SourceTimeout(ServiceError):
    code, status, retryable = "source_timeout", 504, True
    message = "The source took too long to send the image"
    solution = "Try again, or download the image and send its bytes"


def all_errors(root: type[ServiceError] = ServiceError) -> Iterator[type[ServiceError]]:
    """Every error of the tree, parents first; for the documentation and its tests."""
    yield root
    for child in root.__subclasses__():
        yield from all_errors(child)
