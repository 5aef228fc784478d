"""Grey of more than eight bits keeps its tones, whatever its file calls white."""

import numpy as np
import pytest

from services.imaging.decode import ImageLimits, decode, inspect
from tests.support.pictures.hostile import LONG, SHORT, tiff

WIDTH, HEIGHT = 96, 64
RAMP = np.tile(np.linspace(0, 1, WIDTH), (HEIGHT, 1))


def grey(values: bytes, bits: int, *, white_is_zero: bool = False) -> bytes:
    """Return an uncompressed grey TIFF of unsigned numbers."""
    tags = {
        256: (LONG, [WIDTH]), 257: (LONG, [HEIGHT]), 258: (SHORT, [bits]), 259: (SHORT, [1]),
        262: (SHORT, [0 if white_is_zero else 1]), 273: (LONG, [0]), 277: (SHORT, [1]), 278: (LONG, [HEIGHT]),
        279: (LONG, [len(values)]),
    }  # fmt: skip
    return tiff(tags, values)


def twelve_bits() -> bytes:
    pairs = np.round(RAMP * 4095).astype(np.uint16).reshape(-1, 2)
    packed = [pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1] & 255]
    return np.stack(packed, axis=1).astype(np.uint8).tobytes()


@pytest.mark.parametrize(
    "data",
    [
        grey(twelve_bits(), 12),
        grey((RAMP * 65535).astype("<u2").tobytes(), 16),
        grey(((1 - RAMP) * 65535).astype("<u2").tobytes(), 16, white_is_zero=True),
        # More than half of its values are negative ones to Pillow.
        grey((RAMP * 4294967295).astype("<u4").tobytes(), 32),
    ],
    ids=["12 bits", "16 bits", "16 bits, white is zero", "32 bits"],
)
def test_grey_ramp_is_a_ramp_from_black_to_white(data: bytes) -> None:
    found = decode(inspect(data, ImageLimits()))
    assert found.alpha is None
    np.testing.assert_allclose(found.pixels[:, :, 0], RAMP * 255, atol=1)
