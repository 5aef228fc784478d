"""The contract of both storages (S3 with a real SeaweedFS), then the properties of each."""

import io
import os
import resource
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from structlog.testing import capture_logs

from services.errors import BadOption, Forbidden, ServiceError
from services.storage.base import MAX_KEY_CHARS, S3Options, Storage
from services.storage.errors import ObjectNotFound, ResultExpired, StorageUnavailable
from services.storage.local import LocalFolder
from services.storage.s3 import S3Bucket
from tests.support.servers.s3 import SeaweedFS
from tests.support.waiting import ROOT, poll

MIB = 1024 * 1024
TRICKS = (
    "", ".", "..", "/", "/etc/passwd", "../secret", "a/../b", "a/..", "a/./b", "a//b", "a/", ".hidden", "a/.partial",
    "-rf", "a\\b", "a\0b", "a\nb", "a b", "a%2e%2e", "ä", "a:b", "~", "a*", "a?b", "a#b", "s3://x", "C:x",
    "a" * 200, "a/" * (MAX_KEY_CHARS // 2) + "a",
)  # fmt: skip


def folder(path: Path) -> LocalFolder:
    return LocalFolder(path, "secret")


def bucket(server: SeaweedFS, **changed: str) -> S3Bucket:
    options = {
        "endpoint_url": server.url,
        "region": "us-east-1",
        "access_key_id": server.access_key_id,
        "secret_access_key": server.secret_access_key,
        **changed,
    }
    return S3Bucket(server.bucket, S3Options(**options))


@pytest.fixture(params=["local", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "local":
        return folder(tmp_path / "objects")
    return bucket(request.getfixturevalue("seaweedfs"))


@pytest.fixture
def place() -> str:
    """A key prefix that no other test uses."""
    return f"{uuid.uuid4().hex}/"


def read(storage: Storage, key: str) -> bytes:
    with storage.open(key) as opened:
        data = b"".join(opened)
    assert len(data) == opened.size
    return data


def keys(storage: Storage, prefix: str) -> list[str]:
    return sorted(found.key for found in storage.list(prefix))


class Generated:
    """A generated stream of `size` bytes that can be read only once."""

    def __init__(self, size: int, breaks_at: int = -1) -> None:
        self._left, self._breaks_at = size, size - breaks_at if breaks_at >= 0 else -1

    def read(self, size: int, /) -> bytes:
        if 0 <= self._left <= self._breaks_at:
            raise RuntimeError("the source breaks off")
        count = min(size, self._left)
        self._left -= count
        return b"\x5a" * count


def test_a_stored_object_is_read_replaced_and_deleted(storage: Storage, place: str) -> None:
    key = f"{place}a/photo.png"
    for data in (b"first", b"", bytes(range(256)) * 5000, b"last"):
        storage.put(key, data, "image/png")
        assert read(storage, key) == data
    storage.delete([key, f"{place}a/other.png", f"{place}nowhere/at-all.png"])
    storage.delete([key])
    storage.delete([])
    with pytest.raises(ObjectNotFound):
        storage.open(key)
    assert keys(storage, place) == []


def test_a_file_is_stored_from_its_position_and_stays_open(storage: Storage, place: str) -> None:
    file = io.BytesIO(b"head" + b"body" * 10)
    file.seek(4)
    storage.put(f"{place}a.bin", file, "application/octet-stream")
    assert not file.closed
    assert read(storage, f"{place}a.bin") == b"body" * 10


def test_a_listing_has_only_keys_with_the_prefix(storage: Storage, place: str) -> None:
    began = datetime.now(UTC) - timedelta(seconds=5)
    names = ["a/1.png", "a/2.png", "a/b/3.png", "ab/4.png", "a-b.png", "b.png"]
    for number, name in enumerate(names):
        storage.put(place + name, b"x" * number, "image/png")
    for prefix in ("", "a", "a/", "a/b", "a/b/3.png", "ab", "b", "c", "a/b/3.png/"):
        assert keys(storage, place + prefix) == sorted(place + name for name in names if name.startswith(prefix))
    (found,) = storage.list(f"{place}b")
    assert found.size == 5
    assert found.modified.tzinfo is UTC
    assert began < found.modified < datetime.now(UTC) + timedelta(seconds=5)
    storage.delete(place + name for name in names)
    assert keys(storage, place) == []


def test_invalid_keys_are_refused_by_every_method(storage: Storage) -> None:
    for key in TRICKS:
        for call in (
            lambda key=key: storage.put(key, b"", "image/png"),
            lambda key=key: storage.open(key),
            lambda key=key: storage.delete([key]),
            lambda key=key: storage.url(key, 60, "a.png"),
        ):
            with pytest.raises(BadOption):
                call()
        if key and not (key.endswith("/") and key != "/"):
            with pytest.raises(BadOption):
                storage.list(key)


def test_a_large_object_is_stored_and_read_with_little_memory(storage: Storage, place: str) -> None:
    storage.put(f"{place}warm.bin", b"x", "application/octet-stream")
    tracemalloc.start()
    try:
        storage.put(f"{place}large.bin", Generated(30 * MIB), "application/octet-stream")
        written = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        with storage.open(f"{place}large.bin") as opened:
            assert opened.size == sum(map(len, opened)) == 30 * MIB
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert written < 20 * MIB
    assert taken < 4 * MIB
    storage.delete([f"{place}large.bin"])


def test_an_interrupted_upload_leaves_the_old_object(storage: Storage, place: str) -> None:
    key = f"{place}a.bin"
    storage.put(key, b"before", "application/octet-stream")
    with pytest.raises(RuntimeError, match="breaks off"):
        storage.put(key, Generated(30 * MIB, breaks_at=20 * MIB), "application/octet-stream")
    with pytest.raises(RuntimeError, match="breaks off"):
        storage.put(f"{place}new.bin", Generated(MIB, breaks_at=MIB // 2), "application/octet-stream")
    assert read(storage, key) == b"before"
    assert keys(storage, place) == [key]


def test_concurrent_readers_and_writers_see_whole_objects(storage: Storage, place: str) -> None:
    key = f"{place}a.bin"
    versions = [b"1" * 300_000, b"2" * 300_000]
    storage.put(key, versions[0], "application/octet-stream")

    def write(data: bytes) -> None:
        for _ in range(15):
            storage.put(key, data, "application/octet-stream")

    with ThreadPoolExecutor(2) as pool:
        writing = [pool.submit(write, data) for data in versions]
        while not all(future.done() for future in writing):
            assert read(storage, key) in versions
        for future in writing:
            future.result()
    assert read(storage, key) in versions
    assert keys(storage, place) == [key]


def download(storage: Storage, url: str) -> tuple[int, bytes, str]:
    """Return status, body and disposition as a browser gets them; the local folder's route is tested separately."""
    if isinstance(storage, LocalFolder):
        try:
            opened, name = storage.open_signed(url.rpartition("/")[2])
        except ServiceError as exc:
            return exc.status, b"", ""
        return 200, b"".join(opened), name
    answer = requests.get(url, timeout=10)
    return answer.status_code, answer.content, answer.headers.get("Content-Disposition", "")


def test_a_link_downloads_without_credentials_until_it_expires(storage: Storage, place: str) -> None:
    storage.put(f"{place}a.png", b"picture", "image/png")
    status, body, name = download(storage, storage.url(f"{place}a.png", 60, "photo-no-bg.png"))
    assert (status, body) == (200, b"picture")
    assert "photo-no-bg.png" in name
    short = storage.url(f"{place}a.png", 1, "photo.png")
    refused = poll(lambda: (found := download(storage, short)[0]) != 200 and found, 30, "the link's end")
    assert refused in (403, 410)
    assert download(storage, storage.url(f"{place}missing.png", 60, "photo.png"))[0] in (404, 410)


def test_usable_storage_passes_its_check(storage: Storage) -> None:
    storage.check()


# --- the local folder ---


def test_the_folder_is_made_with_the_first_object_for_this_user_only(tmp_path: Path) -> None:
    local = folder(tmp_path / "deep/objects")
    local.check()
    assert list(local.list("")) == []
    local.delete(["a/b.png"])
    assert not (tmp_path / "deep").exists()
    local.put("a/b.png", b"x", "image/png")
    assert (tmp_path / "deep/objects/a/b.png").read_bytes() == b"x"
    for path in (tmp_path / "deep/objects").rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_symlinks_in_the_folder_are_not_followed(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.png").write_bytes(b"secret")
    local = folder(tmp_path / "objects")
    local.put("a/b.png", b"x", "image/png")
    (tmp_path / "objects/a/link.png").symlink_to(outside / "secret.png")
    (tmp_path / "objects/door").symlink_to(outside)
    os.mkfifo(tmp_path / "objects/a/pipe.png")
    for key in ("a/link.png", "door/secret.png", "a/pipe.png", "a"):
        with pytest.raises(ObjectNotFound):
            local.open(key)
    with pytest.raises(BadOption):
        local.put("door/new.png", b"x", "image/png")
    local.delete(["door/secret.png", "a/link.png"])
    local.put("a/link.png", b"mine", "image/png")
    assert [path.name for path in outside.iterdir()] == ["secret.png"]
    assert (outside / "secret.png").read_bytes() == b"secret"
    assert keys(local, "") == ["a/b.png", "a/link.png"]


def test_the_folder_itself_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "objects").symlink_to(tmp_path / "disk")
    folder(tmp_path / "objects").put("a.png", b"x", "image/png")
    assert (tmp_path / "disk/a.png").read_bytes() == b"x"


def test_a_key_that_is_the_folder_of_another_is_refused(tmp_path: Path) -> None:
    local = folder(tmp_path)
    local.put("a/b.png", b"x", "image/png")
    for key in ("a", "a/b.png/c"):
        with pytest.raises(BadOption, match="taken by another key"):
            local.put(key, b"y", "image/png")
    assert keys(local, "") == ["a/b.png"]
    assert list((tmp_path / ".partial").iterdir()) == []


def test_a_full_disk_is_reported_and_leaves_no_file(tmp_path: Path) -> None:
    local = folder(tmp_path)
    local.put("a.bin", b"before", "application/octet-stream")
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # A write past this limit fails midway.
    resource.setrlimit(resource.RLIMIT_FSIZE, (MIB, hard))
    try:
        with pytest.raises(StorageUnavailable) as refused:
            local.put("a.bin", b"x" * 3 * MIB, "application/octet-stream")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert refused.value.retryable
    assert read(local, "a.bin") == b"before"
    assert list((tmp_path / ".partial").iterdir()) == []


def test_a_killed_writer_leaves_no_object_and_its_partial_file_is_removed(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from services.storage.local import LocalFolder\n"
        "LocalFolder(Path(sys.argv[1]), 's').put('a/b.bin', sys.stdin.buffer, 'x')"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    writer = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE)
    assert writer.stdin
    writer.stdin.write(b"x" * 600_000)
    writer.stdin.flush()
    partial = tmp_path / ".partial"
    poll(lambda: partial.exists() and any(file.stat().st_size for file in partial.iterdir()), 30, "some of the file")
    writer.send_signal(signal.SIGKILL)
    writer.communicate()
    assert keys(folder(tmp_path), "") == []
    folder(tmp_path).put("c.bin", b"x", "x")
    # A recent partial file may belong to a running process.
    (rest,) = partial.iterdir()
    yesterday = time.time() - 25 * 3600
    os.utime(rest, (yesterday, yesterday))
    folder(tmp_path).put("c.bin", b"x", "x")
    assert list(partial.iterdir()) == []


def test_empty_folders_are_removed_without_breaking_writers(tmp_path: Path) -> None:
    local = folder(tmp_path)
    done = threading.Event()

    def remove() -> None:
        while not done.is_set():
            local.delete(["a/b/c/0.png", "a/b/c/1.png"])

    def write(number: int) -> None:
        for _ in range(100):
            local.put(f"a/b/c/{number}.png", b"x", "x")

    with ThreadPoolExecutor(3) as pool:
        removing = pool.submit(remove)
        writing = [pool.submit(write, number) for number in range(2)]
        try:
            for future in writing:
                future.result()
        finally:
            done.set()
        removing.result()
    local.delete(["a/b/c/0.png", "a/b/c/1.png"])
    assert [path.name for path in tmp_path.iterdir()] == [".partial"]


def test_a_changed_or_foreign_link_opens_nothing(tmp_path: Path) -> None:
    local = folder(tmp_path)
    local.put("a.png", b"x", "image/png")
    token = local.url("a.png", 60, "a.png").rpartition("/")[2]
    opened, name = local.open_signed(token)
    assert (b"".join(opened), name) == (b"x", "a.png")
    other = LocalFolder(tmp_path, "another secret").url("a.png", 60, "a.png").rpartition("/")[2]
    changed = [token[:at] + ("A" if token[at] != "A" else "B") + token[at + 1 :] for at in range(0, len(token) - 1, 5)]
    for forged in (other, *changed, token + "AAAA", token[:-4], token[:20], "", "=", "ä", "a" * 5000):
        with pytest.raises(Forbidden):
            local.open_signed(forged)
    with pytest.raises(ResultExpired):
        local.open_signed(local.url("a.png", 0, "a.png").rpartition("/")[2])


def test_an_unusable_folder_fails_every_method(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in its place")
    local = folder(tmp_path / "file")
    with pytest.raises(StorageUnavailable):
        local.check()
    with pytest.raises(StorageUnavailable):
        local.put("a.png", b"x", "x")
    assert list(local.list("")) == []


# --- S3 ---


def uses(storage: Storage, key: str) -> dict[str, Callable[[], Any]]:
    return {
        "put": lambda: storage.put(key, b"x", "x"),
        "open": lambda: storage.open(key),
        "delete": lambda: storage.delete([key]),
        "list": lambda: list(storage.list("")),
        "check": storage.check,
    }


def test_a_killed_server_fails_every_method_fast_and_recovers(seaweedfs: SeaweedFS, place: str) -> None:
    storage = bucket(seaweedfs)
    storage.put(f"{place}a.bin", b"x" * MIB, "x")
    storage.put(f"{place}large.bin", Generated(30 * MIB), "x")
    with storage.open(f"{place}large.bin") as opened:
        reading = iter(opened)
        next(reading)
        seaweedfs.kill()
        try:
            with pytest.raises(StorageUnavailable):
                list(reading)
            for name, use in uses(storage, f"{place}a.bin").items():
                began = time.monotonic()
                with pytest.raises(StorageUnavailable) as lost:
                    use()
                assert lost.value.retryable, name
                assert time.monotonic() - began < 10, name
        finally:
            seaweedfs.start()
    storage = bucket(seaweedfs)
    poll(lambda: _works(storage, place), 30, "storage after a restart")
    # The object was on disk before the kill.
    assert read(storage, f"{place}a.bin") == b"x" * MIB


def _works(storage: Storage, place: str) -> bool:
    with suppress(StorageUnavailable):
        storage.put(f"{place}b.bin", b"y", "x")
        return read(storage, f"{place}b.bin") == b"y"
    return False


def test_a_failure_opens_the_circuit(seaweedfs: SeaweedFS) -> None:
    storage = bucket(seaweedfs, endpoint_url="http://127.0.0.1:9")
    with pytest.raises(StorageUnavailable):
        storage.check()
    with pytest.raises(StorageUnavailable, match="a moment ago"):
        storage.check()


def test_wrong_credentials_are_reported_without_logging_a_secret(seaweedfs: SeaweedFS) -> None:
    wrong = {"secret_access_key": "not-the-secret-of-s3"}
    with capture_logs() as lines:
        for storage in (
            bucket(seaweedfs, **wrong),
            bucket(seaweedfs, access_key_id="nobody", **wrong),
            S3Bucket("no-such-bucket", bucket(seaweedfs)._options),
        ):
            for name, use in uses(storage, "a.bin").items():
                with pytest.raises(StorageUnavailable):
                    print(name, use())
    assert lines
    assert not any(secret in str(lines) for secret in (*wrong.values(), seaweedfs.secret_access_key))


def test_objects_are_encrypted_typed_and_uploaded_in_parts(seaweedfs: SeaweedFS, place: str) -> None:
    client = seaweedfs.client()

    def head(key: str) -> dict[str, Any]:
        found: dict[str, Any] = client.head_object(Bucket=seaweedfs.bucket, Key=key)
        return found

    bucket(seaweedfs).put(f"{place}a.png", b"x", "image/png")
    bucket(seaweedfs).put(f"{place}large.bin", Generated(9 * MIB), "application/zip")
    bucket(seaweedfs, encryption="").put(f"{place}plain.png", b"x", "image/png")
    assert head(f"{place}a.png")["ServerSideEncryption"] == "AES256"
    assert head(f"{place}a.png")["ContentType"] == "image/png"
    assert head(f"{place}large.bin")["ETag"].endswith('-2"')
    assert "ServerSideEncryption" not in head(f"{place}plain.png")
    client.close()


def test_links_use_the_public_endpoint(seaweedfs: SeaweedFS) -> None:
    storage = bucket(seaweedfs, public_endpoint_url="https://files.example")
    assert urlsplit(storage.url("a/b.png", 60, 'ä"\r\n.png')).netloc == "files.example"
    assert "%22___" not in storage.url("a/b.png", 60, "b.png")


def test_more_than_a_thousand_objects_are_listed_and_deleted(seaweedfs: SeaweedFS, place: str) -> None:
    storage = bucket(seaweedfs)
    names = [f"{place}{number:04}.bin" for number in range(1005)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda name: storage.put(name, b"", "x"), names))
    assert keys(storage, place) == names
    storage.delete(names)
    assert keys(storage, place) == []
