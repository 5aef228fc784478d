"""Errors of ZIP archives."""

from services.errors import ServiceError


class TooManyFiles(ServiceError):
    code, status = "too_many_files", 413
    message = "The batch has too many images"
    solution = "Send the images in several batches"


class BadArchive(ServiceError):
    code, status = "bad_archive", 422
    message = "The ZIP archive can't be read"
    solution = "Create the archive again, with the images only, or send the images without an archive"


class BadEntry(ServiceError):
    code, status = "bad_entry", 422
    message = "This file in the ZIP archive is refused"
    solution = "Add the image to the archive as a plain file, without a password, or send it without an archive"


class ArchiveTooLarge(ServiceError):
    code, status = "archive_too_large", 413
    message = "The archive is too large"
    solution = "Ask for several archives, with fewer images each"
