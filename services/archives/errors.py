"""Errors of ZIP archives."""

from services.errors import ServiceError


class TooManyFiles(ServiceError):
    code, status = "too_many_files", 413
    message = "There are more images than one batch may have"
    solution = "Send the images in several batches"


class BadArchive(ServiceError):
    code, status = "bad_archive", 422
    message = "The ZIP archive can't be unpacked"
    solution = "Make the archive again, from the images alone, or send the images themselves"


class BadEntry(ServiceError):
    code, status = "bad_entry", 422
    message = "This file of the ZIP archive is not unpacked"
    solution = "Put the image into the archive as a plain file, without a password, or send it by itself"
