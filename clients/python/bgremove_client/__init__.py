"""Client of a Background Remover service."""

from .client import Client, Image
from .errors import ApiError, JobFailed, KeyRefused, QuotaExceeded, Unavailable
from .jobs import Job

__all__ = ["ApiError", "Client", "Image", "Job", "JobFailed", "KeyRefused", "QuotaExceeded", "Unavailable"]
