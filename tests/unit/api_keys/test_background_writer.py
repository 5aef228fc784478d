"""Counts are written on a thread: soon after the first wake, again where it failed, and at the end."""

import threading

from services.api_keys.background_writer import BackgroundWriter
from tests.support.waiting import poll


def test_first_wake_writes_and_close_writes_what_is_left() -> None:
    written: list[int] = []

    def write() -> bool:
        written.append(1)
        return True

    writer = BackgroundWriter(write, 60, "test-writer")
    writer.wake()
    poll(lambda: len(written) == 1, 5, "the first write")
    writer.wake()
    writer.close()
    assert len(written) == 2


def test_failed_write_is_repeated_without_another_wake() -> None:
    tries: list[int] = []

    def write() -> bool:
        tries.append(1)
        return len(tries) >= 3

    writer = BackgroundWriter(write, 0.01, "test-writer")
    writer.wake()
    poll(lambda: len(tries) >= 3, 5, "the third try")
    writer.close()


def test_unused_writer_starts_no_thread() -> None:
    before = threading.active_count()
    writer = BackgroundWriter(lambda: True, 60, "test-writer")
    assert threading.active_count() == before
    writer.close()
