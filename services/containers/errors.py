"""The error of a file that a decoder must not, or can't, read."""

from services.errors import ServiceError


class CorruptImage(ServiceError):
    code, status = "corrupt_image", 422
    message = "The image is damaged and can't be decoded"
    solution = "Open and save the image in an editor, then send it again"
