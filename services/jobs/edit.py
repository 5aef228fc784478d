"""Replaces the mask of a finished item: its result is made again from the original, without a model."""

import contextlib
import secrets
import struct
from dataclasses import dataclass
from typing import Final

from services.capacity.deadline import Deadline
from services.errors import ServiceError
from services.imaging.extras import Extras
from services.imaging.options import Options
from services.imaging.pipeline import Result
from services.imaging.png import GREY, SIGNATURE
from services.jobs.errors import ItemChanged
from services.jobs.results import files_of, put_result, result_facts
from services.jobs.store import JobStore
from services.jobs.tables import Job, JobItem, revised_key
from services.removal import Remover
from services.storage.base import Storage, read_whole

# Of a PNG's first chunk: its length and type, width and height, bits of a sample, colour type.
HEADER: Final = struct.Struct(">4x4sIIBB")


@dataclass(frozen=True)
class Edit:
    """A caller's mask as an image file, the options of the new result, and an image to put behind the subject."""

    mask: bytes
    options: Options
    background: bytes | None = None


@dataclass(frozen=True)
class MaskEditor:
    """Makes results from masks. `remover` must have no cache: a cached result comes without its mask and preview."""

    store: JobStore
    storage: Storage
    remover: Remover

    def replace(self, job: Job, item: JobItem, edit: Edit, deadline: Deadline) -> Result:
        """Replace the result of a finished item, with its mask and preview, by that of the caller's mask.

        Without a background in the options the job's own image stays behind the subject. Readers see the old result or
        the new one. Raises what `Remover.compose` does, `ItemChanged` where another edit came first,
        `StorageUnavailable` and `DatabaseUnavailable`: the old result is kept then.
        """
        assert item.result
        assert item.result_key
        extras = Extras()
        result = self.remover.compose(
            read_whole(self.storage, item.original_key),
            edit.options,
            mask=edit.mask,
            background=self._background(job, edit),
            deadline=deadline,
            extras=extras,
        )
        if is_grey_png(edit.mask):
            # What a page sent, it gets back; with options like `feather` the matte would be another one.
            extras.mask = edit.mask
        facts = result_facts(result).model_copy(
            update={"model": item.result.model, "confidence": item.result.confidence}
        )
        key = revised_key(item, result.format.extension, secrets.token_hex(4))
        try:
            put_result(self.storage, key, result, extras)
        except ServiceError:
            self._delete(key)
            raise
        # Where this raises, the record may have either result: both stay, and go with their job.
        replaced = self.store.replace_result(item, key, facts)
        self._delete(item.result_key if replaced else key)
        if not replaced:
            raise ItemChanged(f"its revision is no longer {item.revision}")
        return result

    def _background(self, job: Job, edit: Edit) -> bytes | None:
        options = edit.options
        chosen = (options.background, options.background_gradient, options.background_blur)
        if edit.background is not None or job.background_key is None or any(way is not None for way in chosen):
            return edit.background
        return read_whole(self.storage, job.background_key)

    def _delete(self, key: str) -> None:
        """Delete the files of a result; those that can't be deleted now go with their job."""
        with contextlib.suppress(ServiceError):
            self.storage.delete(files_of(key))


def is_grey_png(data: bytes) -> bool:
    """Return whether the file is a PNG with 8-bit grey values."""
    start = len(SIGNATURE)
    if not data.startswith(SIGNATURE) or len(data) < start + HEADER.size:
        return False
    kind, _, _, bits, colours = HEADER.unpack_from(data, start)
    return (kind, bits, colours) == (b"IHDR", 8, GREY)
