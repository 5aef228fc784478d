"""Make an example of each error class."""

from services.dialects.removebg_errors import RemoveBgError
from services.errors import BadOption, ConflictingOptions, ServiceError
from services.net.errors import SourceFailed


def sample(error: type[ServiceError]) -> ServiceError:
    """Return an error of this class with details; each class has its own arguments."""
    if issubclass(error, ConflictingOptions):
        return error("background", "background_image")
    if issubclass(error, BadOption):
        return error("quality", 9, "10 to 100")
    if issubclass(error, RemoveBgError):
        return error("invalid_size", "Invalid size", "9 was given")
    if issubclass(error, SourceFailed):
        return error(status=404)
    return error("found this", "do that", 7)
