"""Errors of jobs and their queue."""

from services.errors import ServiceError


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


class QueueUnavailable(ServiceError):
    code, status, retryable = "queue_unavailable", 503, True
    message = "The queue can't be reached, so no job was made"
    solution = "Try again in a moment; GET /health says what is wrong"


class WorkerLost(ServiceError):  # in a job's record only: no request is answered with it
    code, status, retryable = "worker_lost", 500, True
    message = "The worker ended while it was at work with the image, each time it was tried"
    solution = "Check the image: it may need more memory than a worker has; POST /api/jobs/{id}/retry tries it again"
