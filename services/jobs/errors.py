"""The errors of jobs and their queue."""

from services.errors import ServiceError


class JobNotFound(ServiceError):
    code, status = "job_not_found", 404
    message = "There is no such job"
    solution = "Check the id, and send the API key that the job was made with; records are kept for a limited time"


class JobNotFinished(ServiceError):
    code, status = "job_not_finished", 409
    message = "The job has no result to download"
    solution = "Poll its status until it has finished"


class JobNotCancellable(ServiceError):
    code, status = "job_not_cancellable", 409
    message = "The job has ended"
    solution = "Nothing needs to be done; its status shows how it ended"


class JobNotRetryable(ServiceError):
    code, status = "job_not_retryable", 409
    message = "The job has nothing to retry"
    solution = "Only failed images can be retried, once the whole job has ended"


class ItemNotFound(ServiceError):
    code, status = "item_not_found", 404
    message = "The job has no such image"
    solution = "Take item_id from the items of the job's status"


class ItemNotFinished(ServiceError):
    code, status = "item_not_finished", 409
    message = "The image has no result"
    solution = "Poll the job's status, or listen to its events, until the image has finished"


class ItemNotCancellable(ServiceError):
    code, status = "item_not_cancellable", 409
    message = "The image is done"
    solution = "Nothing needs to be done; the job's status shows how it ended"


class ItemNotRetryable(ServiceError):
    code, status = "item_not_retryable", 409
    message = "The image can't be retried"
    solution = (
        "Only cancelled images and those that a server error stopped can be retried; correct others and send them again"
    )


class ItemChanged(ServiceError):
    code, status = "item_changed", 409
    message = "The image was changed at the same time"
    solution = "Ask for its mask again, and repeat your change"


class IdempotencyKeyReused(ServiceError):
    code, status = "idempotency_key_reused", 409
    message = "This Idempotency-Key belongs to another job"
    solution = "Use a new key for other images or options; the same request returns the same job"


class QueueUnavailable(ServiceError):
    code, status, retryable = "queue_unavailable", 503, True
    message = "The queue can't be reached, so no job was made"
    solution = "Try again in a moment; GET /health shows the problem"


class WorkerLost(ServiceError):
    """In a job's record only: no request is answered with it."""

    code, status, retryable = "worker_lost", 500, True
    message = "The worker died while it was processing the image, on each attempt"
    solution = "Check the image: it may need more memory than a worker has; POST /api/jobs/{id}/retry retries it"
