"""The encoder's outputs that are kept between prompts."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from PIL import Image

from services.inference.embeddings import KEPT, Embeddings


def test_picture_used_last_stays_longest() -> None:
    kept = Embeddings(2)
    for name in ("a", "b"):
        kept.put(name, np.full(1, ord(name), np.float32))
    assert kept.get("a") is not None
    kept.put("c", np.zeros(1, np.float32))
    assert kept.get("b") is None
    found = kept.get("a")
    assert found is not None
    assert found[0] == ord("a")
    assert kept.get("c") is not None


def test_eight_pictures_are_kept() -> None:
    kept = Embeddings()
    for number in range(KEPT + 1):
        kept.put(str(number), np.zeros(1, np.float32))
    assert [kept.get(str(number)) is not None for number in range(KEPT + 1)] == [False, *[True] * 8]


def test_key_depends_on_pixels_and_size() -> None:
    one = Image.new("RGB", (4, 2), "red")
    keys = {Embeddings.key(image) for image in (one, one.copy())}
    assert len(keys) == 1
    others = (Image.new("RGB", (2, 4), "red"), Image.new("RGB", (4, 2), "#fe0000"))
    assert len({*keys, *map(Embeddings.key, others)}) == 3


def test_threads_share_it_without_losing_its_bound() -> None:
    kept = Embeddings(3)

    def use(number: int) -> None:
        kept.put(str(number % 7), np.zeros(1, np.float32))
        kept.get(str(number % 5))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(use, range(2000)))
    assert sum(kept.get(str(number)) is not None for number in range(7)) == 3
