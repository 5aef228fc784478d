"""What all storages share: keys, open objects, and the probe of their health."""

from collections.abc import Iterator

import pytest

from services.errors import BadOption
from services.storage.base import MAX_KEY_CHARS, Opened, Storage, StorageProbe, check_key, check_prefix, is_key
from services.storage.errors import StorageUnavailable
from tests.support.waiting import poll


@pytest.mark.parametrize(
    "key", ["a", "results/3f2a/photo.png", "A_b-c.D/0", "a" * 128, "/".join(["a" * 100] * 5), "a..b", "_"]
)
def test_a_relative_path_of_plain_characters_is_a_key(key: str) -> None:
    assert is_key(key)
    assert check_key(key) == key.split("/")


@pytest.mark.parametrize(
    "key",
    ["", ".", "..", "/a", "a/", "a//b", "a/../b", "a/.b", "-a", "a/-b", "a b", "a\n", "a\0b", "ä", "a\\b", "a:b",
     "a" * 129, "a/" * (MAX_KEY_CHARS // 2) + "a"],
)  # fmt: skip
def test_any_other_text_is_refused(key: str) -> None:
    assert not is_key(key)
    with pytest.raises(BadOption, match=r"photos/cat\.png"):
        check_key(key)


@pytest.mark.parametrize("prefix", ["", "a", "a/", "results/3f"])
def test_a_prefix_is_the_start_of_a_key(prefix: str) -> None:
    check_prefix(prefix)


@pytest.mark.parametrize("prefix", ["/", "../", "a//", ".", "ä"])
def test_any_other_prefix_is_refused(prefix: str) -> None:
    with pytest.raises(BadOption, match="prefix"):
        check_prefix(prefix)


def broken() -> Iterator[bytes]:
    yield b"first"
    raise StorageUnavailable("it broke off")


def test_an_object_is_closed_after_its_last_byte_an_error_or_its_block() -> None:
    closed: list[str] = []
    assert b"".join(Opened(3, iter([b"a", b"bc"]), lambda: closed.append("read"))) == b"abc"
    with pytest.raises(StorageUnavailable):
        list(Opened(9, broken(), lambda: closed.append("error")))
    with Opened(3, iter([b"abc"]), lambda: closed.append("block")):
        pass
    assert closed == ["read", "error", "block"]


class FakeStorage:
    """A storage whose check fails with `error`, if there is one."""

    def __init__(self, error: StorageUnavailable | None = None) -> None:
        self._error = error

    def check(self) -> None:
        if self._error:
            raise self._error


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        (None, ""),
        (StorageUnavailable("the disk is full"), "the disk is full"),
        (StorageUnavailable(), StorageUnavailable.message),
    ],
)
def test_the_probe_reports_the_problem(error: StorageUnavailable | None, problem: str) -> None:
    storage: Storage = FakeStorage(error)  # type: ignore[assignment] # only its check is called
    probe = StorageProbe(storage)
    assert poll(lambda: probe.problem() == problem, 10, "the answer of the probe")
