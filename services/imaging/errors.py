"""Errors of the image itself: its format, its size, its content."""

from services.errors import BadOption, ServiceError


class UnsupportedFormat(ServiceError):
    code, status = "unsupported_format", 415
    message = "This is not an image of an accepted format"
    solution = "Convert the image to JPEG, PNG or WebP"


class TooManyPixels(ServiceError):
    code, status = "too_many_pixels", 422
    message = "The image has too many pixels"
    solution = "Make the image smaller and send it again"


class TooManyFrames(ServiceError):
    code, status = "too_many_frames", 422
    message = "The animation has too many frames"
    solution = "Shorten the animation, or leave out animated to get only its first frame"


class ImageTooSmall(ServiceError):
    code, status = "image_too_small", 422
    message = "The image is too small"
    solution = "Send the image in its original size"


class NoSubject(ServiceError):
    code, status = "no_subject", 422
    message = "No subject was found in the image"
    solution = "Send an image with a clear subject, or try another model"


class RegionOutOfBounds(BadOption):
    """The region of interest exceeds the image."""


class MaskMismatch(ServiceError):
    code, status = "mask_mismatch", 422
    message = "The mask does not match the photo"
    solution = "Send a grey PNG or WebP without transparency, of the upright photo's size; POST /matte makes one"
