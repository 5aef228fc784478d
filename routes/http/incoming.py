"""An image that is in the bucket already, named by its key instead of being sent.

Callers see nothing of the bucket but their own folder of `incoming/`, which the service never writes to: not another
caller's, and no original or result of a job.
"""

from typing import Final

from routes.http.auth import current_caller
from routes.http.bodies import hold_more
from routes.http.context import service
from services.errors import BadOption, EmptyImage, Forbidden, NotFound, UploadTooLarge
from services.storage.base import KEYS, is_key
from services.storage.errors import ObjectNotFound
from services.storage.local import LocalFolder

S3_KEY: Final = "s3_key"
INCOMING: Final = "incoming/"
# The folder of callers without an API key; no key's id looks like it.
PUBLIC: Final = "public"


def read_incoming(key: object) -> bytes:
    """The object under the key. Raises `BadOption` (no key, or no bucket), `Forbidden`, `NotFound`, `EmptyImage`,
    `UploadTooLarge`, `Busy`, `StorageUnavailable`."""
    storage, limit = service().storage, service().limits.max_bytes
    if isinstance(storage, LocalFolder):
        raise BadOption(S3_KEY, None, "nothing, because this server's storage is not S3")
    if not (isinstance(key, str) and is_key(key)):
        raise BadOption(S3_KEY, key, KEYS)
    if not key.startswith(_folder()):
        raise Forbidden(f"open to you: {_folder()}…", "Put the object into your own folder of the bucket")
    try:
        opened = storage.open(key)
    except ObjectNotFound as exc:
        raise NotFound("the bucket has no such object", "Check the key, and that the object is already there") from exc
    with opened:
        if opened.size > limit:
            raise UploadTooLarge(f"the object has {opened.size} bytes; allowed: {limit}")
        hold_more(opened.size)
        data = b"".join(opened)
    if not data:
        raise EmptyImage("the object has 0 bytes")
    return data


def _folder() -> str:
    caller = current_caller()
    return f"{INCOMING}{caller.id if caller else PUBLIC}/"
