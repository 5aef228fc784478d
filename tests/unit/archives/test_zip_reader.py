"""Malicious archives: a bad entry is refused alone, and the others are read."""

import io
import resource
import stat
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from typing import Any, Final

import pytest

from services.archives.errors import BadArchive, TooManyFiles
from services.archives.zip_reader import MAX_ENTRIES, Archive, is_archive
from services.errors import ServiceError
from tests.support.archives import archive

MIB: Final = 1024 * 1024
GOOD: Final = b"as good as an image" * 20


def entries(data: bytes, max_files: int = 50, max_bytes: int = MIB) -> list[tuple[str, bytes | str]]:
    """Each file's name, and its bytes or the code of its error."""
    found = Archive(io.BytesIO(data), max_files=max_files, max_bytes=max_bytes)
    read = [(name, got.code if isinstance(got, ServiceError) else got) for name, got in found]
    assert len(found) == len(read)
    return read


def of_type(mode: int, name: str = "trick.jpg") -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr = 3, mode << 16
    return info


def patched(change: Callable[[bytearray, int, int], None]) -> bytes:
    """An archive of one stored file `trick.jpg`. `change` gets its bytes and where its entries begin: the one before
    its data, and the one in the directory."""
    data = bytearray(archive(("trick.jpg", GOOD), method=zipfile.ZIP_STORED))
    change(data, 0, data.index(b"PK\x01\x02"))
    return bytes(data)


def encrypted(data: bytearray, local: int, central: int) -> None:
    data[local + 6] |= 1
    data[central + 8] |= 1


def of_method(number: int) -> Callable[[bytearray, int, int], None]:
    def change(data: bytearray, local: int, central: int) -> None:
        struct.pack_into("<H", data, local + 8, number)
        struct.pack_into("<H", data, central + 10, number)

    return change


def broken(data: bytearray, _local: int, central: int) -> None:
    data[central - 1] ^= 0xFF  # the last byte of the file's data


def other_name_inside(data: bytearray, local: int, _central: int) -> None:
    data[local + 30] ^= 1


def renamed(name: bytes) -> Callable[[bytearray, int, int], None]:
    assert len(name) == len("trick.jpg")

    def change(data: bytearray, local: int, central: int) -> None:
        data[local + 30 : local + 39] = data[central + 46 : central + 55] = name

    return change


def says_smaller(data: bytearray, local: int, central: int) -> None:
    for place in (local + 22, central + 24):
        struct.pack_into("<L", data, place, 7)


def says_larger(data: bytearray, local: int, central: int) -> None:
    for place in (local + 18, central + 20, local + 22, central + 24):
        struct.pack_into("<L", data, place, len(GOOD) + 50)


def elsewhere(data: bytearray, _local: int, central: int) -> None:
    struct.pack_into("<L", data, central + 42, 5)


BAD_NAMES: Final = (
    "/etc/passwd", "//host/share.jpg", "C:/x.jpg", "c:x.jpg", "../x.jpg", "a/../../x.jpg", "a/..", "..\\x.jpg",
    "\\\\host\\x.jpg", "a\\..\\x.jpg",
)  # fmt: skip
TRICKS: Final[dict[str, bytes]] = {
    **{f"named {name}": archive((name, GOOD)) for name in BAD_NAMES},
    "a name with a NUL": patched(renamed(b"a\0..x.jpg")),
    "a symbolic link": archive((of_type(stat.S_IFLNK | 0o777), b"/etc/passwd")),
    "a device": archive((of_type(stat.S_IFCHR | 0o666), b"")),
    "a pipe": archive((of_type(stat.S_IFIFO | 0o666), b"")),
    "encrypted": patched(encrypted),
    "bzip2, which unpacks without bounds": archive(("trick.jpg", bytes(MIB)), method=zipfile.ZIP_BZIP2),
    "LZMA": archive(("trick.jpg", GOOD), method=zipfile.ZIP_LZMA),
    "deflate64": patched(of_method(9)),
    "an unknown method": patched(of_method(98)),
    "another checksum": patched(broken),
    "another name before its data": patched(other_name_inside),
    "more bytes than it says": patched(says_smaller),
    "fewer bytes than it says": patched(says_larger),
    "data elsewhere": patched(elsewhere),
    "no deflated data": patched(of_method(8)),
}


@pytest.mark.parametrize("trick", TRICKS)
def test_only_the_malicious_entry_is_refused(trick: str) -> None:
    ((_, found),) = entries(TRICKS[trick])
    assert found == "bad_entry"


def test_the_other_files_of_an_archive_are_read() -> None:
    tricks: list[tuple[str | zipfile.ZipInfo, bytes]] = [(name, GOOD) for name in BAD_NAMES]
    tricks.append((of_type(stat.S_IFLNK | 0o777), b"/etc/passwd"))
    found = entries(archive(("a.jpg", b"first"), *tricks, ("folder/b.jpg", b"last")))
    assert (found[0], found[-1]) == (("a.jpg", b"first"), ("folder/b.jpg", b"last"))
    assert {code for _, code in found[1:-1]} == {"bad_entry"}


def test_names_are_kept_and_folders_and_system_files_left_out() -> None:
    made = archive(
        ("photos/", b""),
        ("__MACOSX/photos/._a.jpg", b"x"),
        ("photos/.DS_Store", b"x"),
        ("Thumbs.db", b"x"),
        ("photos/ü ☃.jpg", GOOD),
        ("photos\\b.jpg", GOOD),
        ("a.zip", archive(("inner.jpg", GOOD))),
    )
    names = [name for name, _ in entries(made)]
    assert names == ["photos/ü ☃.jpg", "photos\\b.jpg", "a.zip"]
    assert entries(made)[2][1] == archive(("inner.jpg", GOOD))  # an archive within is a file like any other


def test_two_entries_of_one_name_are_two_files() -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        made = archive(("a.jpg", b"one"), ("a.jpg", b"two"))
    assert entries(made) == [("a.jpg", b"one"), ("a.jpg", b"two")]


@pytest.mark.parametrize(
    "data",
    [
        b"PK\x03\x04",
        b"PK\x03\x04" + bytes(1000),
        archive(("a.jpg", GOOD))[:-10],
        archive(("a.jpg", GOOD))[50:],
        archive(("a.jpg", GOOD)).replace(b"PK\x01\x02", b"PK\x01\x03"),
        archive(("ü.jpg", GOOD)).replace("ü".encode(), b"\xff\xfe"),
    ],
    ids=["a head", "zeros", "no end", "no beginning", "no directory", "a name that is no UTF-8"],
)
def test_a_damaged_archive_is_refused_as_a_whole(data: bytes) -> None:
    try:
        found = entries(data)
    except BadArchive:
        return
    assert [code for _, code in found] == ["bad_entry"]


def test_truncated_and_changed_archives_raise_only_our_errors() -> None:
    whole = archive(("a.jpg", GOOD), ("b/c.jpg", b"more"))
    changed = [whole[:cut] for cut in range(len(whole))]
    for place in range(len(whole)):
        for value in (0, 0x7F, 0xFF):
            changed.append(whole[:place] + bytes([value]) + whole[place + 1 :])
    for data in changed:
        try:
            entries(data)
        except ServiceError as exc:
            assert exc.code in ("bad_archive", "too_many_files")  # noqa: PT017 - most of them raise nothing


def test_too_many_files_are_refused_before_any_is_read() -> None:
    made = archive(*((f"{number}.jpg", b"x") for number in range(51)))
    with pytest.raises(TooManyFiles, match="51; allowed: 50"):
        entries(made)
    assert len(entries(made, max_files=51)) == 51


def crowd(count: int) -> bytes:
    """A directory with this many entries for one file, which claims to have one entry."""
    one = archive(("a", b""), method=zipfile.ZIP_STORED)
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    directory = one[start:end] * count
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(directory), start, 0)
    return one[:start] + directory + tail


def test_a_directory_of_a_million_entries_costs_no_memory() -> None:
    data = crowd(1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(BadArchive, match="more than 2000 entries"):
            Archive(io.BytesIO(data), max_files=50, max_bytes=MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 8 * MIB
    assert len(entries(crowd(MAX_ENTRIES), max_files=MAX_ENTRIES)) == MAX_ENTRIES


def test_a_file_is_limited_while_it_is_unpacked() -> None:
    noise = zlib.compress(b"", 0) * 20_000
    assert [code for _, code in entries(archive(("a", noise)), max_bytes=len(noise))] == [noise]
    assert [code for _, code in entries(archive(("a", noise)), max_bytes=len(noise) - 1)] == ["upload_too_large"]


@pytest.mark.slow
@pytest.mark.parametrize("lies", [True, pytest.param(False, marks=pytest.mark.long)])
def test_a_zip_bomb_costs_neither_time_nor_memory(lies: bool) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made, made.open("bomb.jpg", "w", force_zip64=True) as file:
        for _ in range(1024):
            file.write(bytes(MIB))
    data = bytearray(out.getvalue())
    assert len(data) < 2 * MIB
    if lies:
        central = data.index(b"PK\x01\x02")
        struct.pack_into("<L", data, central + 24, 900_000)  # of the gibibyte that comes
    tracemalloc.start()
    try:
        ((_, found),) = entries(bytes(data), max_bytes=16 * MIB)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found == ("bad_entry" if lies else "upload_too_large")
    assert peak < 8 * MIB


def test_an_excessive_compression_ratio_is_refused() -> None:
    ((_, found),) = entries(archive(("a.bmp", bytes(2 * MIB))), max_bytes=16 * MIB)
    assert found == "bad_entry"
    ((_, found),) = entries(archive(("a.bmp", bytes(MIB))), max_bytes=16 * MIB)  # a small flat drawing is no bomb
    assert found == bytes(MIB)


def test_overlapping_files_are_refused() -> None:
    """Many entries of one file's data, as in Fifield's "A better zip bomb" (2019)."""
    one = archive(("a", GOOD * 100), method=zipfile.ZIP_STORED)
    start, end = one.index(b"PK\x01\x02"), one.index(b"PK\x05\x06")
    directory = one[start:end] * 10
    tail = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 10, 10, len(directory), start, 0)
    with pytest.raises(BadArchive, match="overlap"):
        entries(one[:start] + directory + tail)


def test_an_archive_is_recognized_by_its_first_bytes() -> None:
    assert is_archive(archive(("a", b"b")))
    assert is_archive(archive())
    assert not is_archive(b"\x89PNG")
    assert entries(archive()) == []


def test_only_one_file_is_in_memory_at_a_time() -> None:
    noise = bytes(range(256)) * 4096 * 2
    data = archive(*((f"{n}.jpg", noise) for n in range(20)), method=zipfile.ZIP_STORED)
    found: Any = Archive(io.BytesIO(data), max_files=50, max_bytes=4 * MIB)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert sum(len(got) for _, got in found) == 20 * len(noise)
    assert (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) * 1024 < 5 * len(noise)
