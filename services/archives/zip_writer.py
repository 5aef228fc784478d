"""Streams a ZIP archive while its files are made, uncompressed; only its directory is kept in memory.

`zipfile` can't: without seeking back it writes a file's size after its bytes, and strict streaming readers refuse that
for stored files. Here the sizes are known first. (PKWARE's APPNOTE 6.3.10, sections 4.3 to 4.5.)
"""

import struct
import zlib
from collections.abc import Iterable, Iterator
from typing import Final

# Larger numbers go into the fields of ZIP64.
LIMIT: Final = 0xFFFFFFFF
UTF8: Final = 0x800
# 1980-01-01, the first date of the format: the same files give the same bytes.
DATE: Final = 0x21
UNIX: Final = 3 << 8
PLAIN_FILE: Final = 0o100644 << 16
VERSION, VERSION64 = 20, 45


def zip_stream(files: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    """Yield the archive of these files (name, bytes; each less than 4 GiB) piece by piece, stored."""
    directory = bytearray()
    count = offset = 0
    for name, data in files:
        encoded = name.encode()
        shared = struct.pack("<4H3L", UTF8, 0, 0, DATE, zlib.crc32(data), len(data), len(data))
        head = struct.pack("<4sH", b"PK\x03\x04", VERSION) + shared + struct.pack("<2H", len(encoded), 0) + encoded
        yield head
        yield data
        extra = struct.pack("<2HQ", 1, 8, offset) if offset >= LIMIT else b""
        directory += struct.pack("<4s2H", b"PK\x01\x02", UNIX | VERSION64, VERSION64 if extra else VERSION) + shared
        directory += struct.pack("<5H2L", len(encoded), len(extra), 0, 0, 0, PLAIN_FILE, min(offset, LIMIT))
        directory += encoded + extra
        count, offset = count + 1, offset + len(head) + len(data)
    yield bytes(directory)
    yield _end(count, len(directory), offset)


def _end(count: int, size: int, offset: int) -> bytes:
    """Return the end of a directory that has `count` entries in `size` bytes, starting at `offset`."""
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, *[min(count, 0xFFFF)] * 2, size, min(offset, LIMIT), 0)
    if offset < LIMIT and count < 0xFFFF:
        return end
    large = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, UNIX | VERSION64, VERSION64, 0, 0, count, count, size, offset)
    return large + struct.pack("<4sLQL", b"PK\x06\x07", 0, offset + size, 1) + end
