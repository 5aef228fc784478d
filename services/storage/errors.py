"""Errors of the object storage."""

from services.errors import ServiceError


class ResultExpired(ServiceError):
    code, status = "result_expired", 410
    message = "The file has expired"
    solution = "Send the image again; results are kept for a limited time"


class ObjectNotFound(ResultExpired):
    """There is no such object in storage; a caller gets the answer of an expired one."""


class StorageUnavailable(ServiceError):
    code, status, retryable = "storage_unavailable", 503, True
    message = "The storage is not available now"
    solution = "Try again in a moment; GET /health shows the problem"
