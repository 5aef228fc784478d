"""The description of signed URLs."""

from typing import Final

from routes.openapi.docs import Operation
from services import errors as e
from services.containers.errors import CorruptImage
from services.imaging.errors import ImageTooSmall, NoSubject, TooManyPixels, UnsupportedFormat
from services.imaging.formats import Format, usable_formats
from services.net.errors import BadSignature, BadURL, ForbiddenSource, LinkExpired, SourceFailed, SourceTimeout

SIGNED: Final = Operation(
    "removal",
    "The picture of a signed URL, for `<img src>`",
    "`signature` is the HMAC-SHA256 of `<options>/<name>` with the key `URL_SIGNING_KEY`, in URL-safe base64 without "
    "padding. `options` are `name=value` joined by `;`, or `-`; `expires` among them is the expiry in Unix seconds. "
    "`name` is the source's URL in URL-safe base64 without padding, and an extension, which is the format. "
    "`bgremove sign` makes such URLs.",
    answers={f.mimetype: {} for f in (*usable_formats(), Format.GIF) if f is not Format.ZIP},
    failures=(
        e.BadOption, e.UnknownOption, BadURL, BadSignature, ForbiddenSource, e.NotFound, e.ModelNotFound, LinkExpired,
        e.UploadTooLarge, UnsupportedFormat, CorruptImage, TooManyPixels, ImageTooSmall, NoSubject, SourceFailed,
        SourceTimeout, e.Busy, e.EngineUnavailable, e.DeadlineExceeded,
    ),
)  # fmt: skip
