"""Reads the size of an AV1 picture from its sequence header (AV1 specification, 5.5.1)."""

from collections.abc import Iterator
from typing import Final

from services.containers.errors import CorruptImage

SEQUENCE_HEADER: Final = 1
# A still picture has about three.
MAX_OBUS: Final = 10_000


def av1_pixels(data: bytes) -> int:
    """Return width × height of the largest sequence header in a stream of OBUs; 0 where there is none.

    Raises `CorruptImage` for too many OBUs.
    """
    return max((_pixels(body) for kind, body in _obus(data) if kind == SEQUENCE_HEADER), default=0)


def _obus(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and content of each OBU (5.3). One without a size takes the rest."""
    at, count = 0, 0
    while at < len(data):
        count += 1
        if count > MAX_OBUS:
            raise CorruptImage(f"it has more than {MAX_OBUS} AV1 units")
        head = data[at]
        at += 2 if head & 4 else 1
        size = len(data) - at
        if head & 2:
            size, at = _leb128(data, at)
        kind = head >> 3 & 15
        # The largest sequence header, with 32 operating points, has about 400 bytes.
        yield kind, data[at : at + min(size, 1024)] if kind == SEQUENCE_HEADER else b""
        at += size


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(8):
        byte = data[at] if at < len(data) else 0
        at += 1
        value |= (byte & 127) << 7 * shift
        if not byte & 128:
            break
    return value, at


class _Bits:
    """The bits of a header, most significant first; zeros after its end."""

    def __init__(self, data: bytes) -> None:
        self._value = int.from_bytes(data, "big") << 512
        self._left = len(data) * 8 + 512

    def read(self, count: int) -> int:
        self._left = max(0, self._left - count)
        return self._value >> self._left & (1 << count) - 1

    def skip_uvlc(self) -> None:
        zeros = 0
        while zeros < 32 and not self.read(1):
            zeros += 1
        self.read(zeros if zeros < 32 else 0)


def _pixels(header: bytes) -> int:
    bits = _Bits(header)
    bits.read(4)  # seq_profile, still_picture
    if bits.read(1):  # reduced_still_picture_header
        bits.read(5)
    else:
        _skip_operating_points(bits)
    wide, tall = bits.read(4) + 1, bits.read(4) + 1
    return (bits.read(wide) + 1) * (bits.read(tall) + 1)


def _skip_operating_points(bits: _Bits) -> None:
    delay_bits = 0
    if bits.read(1):  # timing_info
        bits.read(64)
        if bits.read(1):
            bits.skip_uvlc()
        if bits.read(1):  # decoder_model_info
            delay_bits = bits.read(5) + 1
            bits.read(42)
    display_delay = bits.read(1)
    for _ in range(bits.read(5) + 1):
        bits.read(12)
        if bits.read(5) > 7:
            bits.read(1)
        if delay_bits and bits.read(1):
            bits.read(2 * delay_bits + 1)
        if display_delay and bits.read(1):
            bits.read(4)
