"""Archives are written piece by piece: every reader opens them, and no file waits in memory."""

import io
import shutil
import struct
import subprocess
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.archives.zip_writer import zip_stream

FILES = [("a.png", b"first"), ("ü ☃.png", b""), ("c/d.json", bytes(range(256)) * 100)]


def test_the_archive_holds_the_files_unchanged() -> None:
    data = b"".join(zip_stream(FILES))
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        assert [(name, archive.read(name)) for name in archive.namelist()] == FILES
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {info.flag_bits for info in archive.infolist()} == {0x800}
    assert data == b"".join(zip_stream(FILES))


def test_an_archive_without_files_is_valid() -> None:
    with zipfile.ZipFile(io.BytesIO(b"".join(zip_stream([])))) as archive:
        assert archive.namelist() == []


def test_sizes_precede_the_bytes_of_each_file() -> None:
    stream = io.BytesIO(b"".join(zip_stream(FILES)))
    for name, data in FILES:
        head = struct.unpack("<4s5H3L2H", stream.read(30))
        assert head[0] == b"PK\x03\x04"
        assert stream.read(head[9]).decode() == name
        assert stream.read(head[7]) == data


def test_a_file_is_yielded_before_the_next_is_made() -> None:
    made: list[str] = []

    def files() -> Iterator[tuple[str, bytes]]:
        for name, data in FILES:
            made.append(name)
            yield name, data

    stream = zip_stream(files())
    assert next(stream)[:4] == b"PK\x03\x04"
    assert next(stream) == b"first"
    assert made == ["a.png"]


@pytest.mark.skipif(not shutil.which("unzip"), reason="unzip is not installed")
def test_info_zip_accepts_the_archive(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"".join(zip_stream(FILES)))
    subprocess.run(["unzip", "-tqq", "a.zip"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.slow
def test_archives_beyond_4_gib_use_zip64(tmp_path: Path) -> None:
    """The real thing, in a sparse file: zeros are skipped, not written."""
    zeros = bytes(220 << 20)
    with (tmp_path / "large.zip").open("w+b") as file:
        for piece in zip_stream((f"{n}.png", zeros if n < 20 else b"last") for n in range(21)):
            if len(piece) == len(zeros):
                file.seek(len(piece), io.SEEK_CUR)
            else:
                file.write(piece)
        with zipfile.ZipFile(file) as archive:
            assert archive.infolist()[-1].header_offset > 4 << 30
            assert len(archive.namelist()) == 21
            assert archive.read("20.png") == b"last"
            assert archive.infolist()[0].file_size == len(zeros)
