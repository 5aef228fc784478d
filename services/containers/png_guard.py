"""Checks a PNG's structure before a decoder works on it."""

from typing import Final

from services.containers.errors import CorruptImage

# Encoders that split the pixels into chunks of 8 KiB make 2000 of 16 MiB.
MAX_CHUNKS: Final = 10_000
HEAD, CHECKSUM = 8, 4


def refuse_many_chunks(data: bytes) -> None:
    """Raise `CorruptImage` for a PNG of more than `MAX_CHUNKS` chunks: Pillow reads each of them in Python."""
    at, chunks = 8, 0
    while at + HEAD <= len(data):
        chunks += 1
        if chunks > MAX_CHUNKS:
            raise CorruptImage(f"it has more than {MAX_CHUNKS} chunks")
        if data[at + 4 : at + HEAD] == b"IEND":
            return
        at += HEAD + int.from_bytes(data[at : at + 4], "big") + CHECKSUM
