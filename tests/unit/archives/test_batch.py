"""A batch makes its images in order, some at a time, reports failures, and stops for a caller that is gone."""

import threading
from collections.abc import Callable, Iterator

import orjson
import pytest

from services.archives.batch import REPORT, Batch
from services.archives.errors import BadEntry
from services.archives.zip_writer import zip_stream
from services.capacity.deadline import Deadline
from services.containers.errors import CorruptImage
from services.errors import Busy, ServiceError, ShuttingDown
from services.imaging.formats import Format
from services.imaging.geometry import Box
from services.imaging.pipeline import Result

FOREVER = Deadline(86_400)  # it runs from when this file is read, long before its tests


def result(data: bytes, _deadline: Deadline = FOREVER) -> Result:
    """A result that is its image, upside down."""
    return Result(
        data[::-1], Format.PNG, 1, 1, Box(0, 0, 1, 1), "png", 1, 1, len(data), None, None, None, None, "fake", 1.0, {}
    )


def batch(
    *items: tuple[str, bytes | ServiceError],
    remove: Callable[[bytes, Deadline], Result] = result,
    deadline: Callable[[], Deadline] = lambda: FOREVER,
) -> Batch:
    return Batch(items, remove, deadline)


def report(files: list[tuple[str, bytes]]) -> list[dict[str, str]]:
    assert files[-1][0] == REPORT
    found: list[dict[str, str]] = orjson.loads(files[-1][1])
    return found


def test_batch_without_failures_has_a_file_per_image_and_no_report() -> None:
    made = batch(("a.jpg", b"ab"), ("b/a.jpg", b"cd"))
    assert list(made.files()) == [("a.png", b"ba"), ("a-2.png", b"dc")]
    assert (made.done, made.failed, made.gone) == (2, [], False)


def test_failures_are_reported_and_the_other_images_are_made() -> None:
    def remove(data: bytes, deadline: Deadline) -> Result:
        if data == b"corrupt":
            raise CorruptImage("it ends early")
        if data == b"bug":
            raise ZeroDivisionError
        if data == b"large":
            raise MemoryError
        return result(data)

    made = batch(
        ("a.jpg", b"corrupt"), ("b.jpg", b"ok"), ("c.jpg", b"bug"), ("d" * 999, BadEntry("a link")), ("e", b"large"),
        remove=remove, deadline=lambda: Deadline(0.1),
    )  # fmt: skip
    files = list(made.files())
    assert [name for name, _ in files] == ["b.png", REPORT]
    assert [(line["name"][:9], line["code"]) for line in report(files)] == [
        ("a.jpg", "corrupt_image"), ("c.jpg", "internal_error"), ("d" * 9, "bad_entry"), ("e", "busy"),
    ]  # fmt: skip
    assert report(files)[0]["error"] == "The image is damaged and can't be decoded: it ends early"
    assert "ZeroDivision" not in files[-1][1].decode()
    assert (made.done, len(made.failed)) == (1, 4)


def test_an_image_is_read_only_at_its_turn() -> None:
    read: list[str] = []

    def items() -> Iterator[tuple[str, bytes | ServiceError]]:
        for name in "abc":
            read.append(name)
            yield name, b"x"

    files = Batch(items(), result, lambda: FOREVER).files()
    next(files)
    assert read == ["a"]


def test_a_batch_waits_for_a_full_queue_until_the_deadline() -> None:
    tries = []

    def remove(data: bytes, deadline: Deadline) -> Result:
        tries.append(1)
        if len(tries) < 3:
            raise Busy
        return result(data)

    assert list(batch(("a", b"x"), remove=remove).files()) == [("a.png", b"x")]
    tries.clear()
    assert report(list(batch(("a", b"x"), remove=remove, deadline=lambda: Deadline(0.2)).files()))[0]["code"] == "busy"


def test_images_not_begun_at_shutdown_are_reported() -> None:
    given = iter([FOREVER])

    def deadline() -> Deadline:
        try:
            return next(given)
        except StopIteration:
            raise ShuttingDown from None

    files = list(batch(("a", b"x"), ("b", b"x"), ("c", b"x"), deadline=deadline).files())
    assert [line["code"] for line in report(files)] == ["shutting_down"] * 2
    assert files[0][0] == "a.png"


@pytest.mark.parametrize("busy", [False, True])
def test_a_disconnected_caller_ends_the_batch(busy: bool) -> None:
    asked: list[bytes] = []

    def remove(data: bytes, deadline: Deadline) -> Result:
        asked.append(data)
        if busy:
            raise Busy
        deadline.check()
        raise AssertionError

    made = batch(("a", b"1"), ("b", b"2"), remove=remove, deadline=lambda: Deadline(60, lambda: True))
    assert list(made.files()) == []
    assert made.gone
    assert asked == [b"1"]


def test_images_overlap_and_keep_their_order() -> None:
    together = threading.Barrier(3)

    def remove(data: bytes, deadline: Deadline) -> Result:
        together.wait(10)  # broken unless three are in work at a time
        if data == b"3":
            raise CorruptImage
        return result(data)

    items = [(name, name.encode()) for name in "123456"]
    made = Batch(items, remove, lambda: FOREVER, at_a_time=3)
    files = list(made.files())
    assert [name for name, _ in files] == ["1.png", "2.png", "4.png", "5.png", "6.png", REPORT]
    assert [line["name"] for line in report(files)] == ["3"]


def test_several_at_a_time_give_the_bytes_of_one_after_the_other() -> None:
    items = [("same.jpg", bytes([n]) * 9) for n in range(20)] + [("bad", BadEntry("a link"))]
    one, five = (list(zip_stream(Batch(items, result, lambda: FOREVER, at_a_time=n).files())) for n in (1, 5))
    assert b"".join(one) == b"".join(five)


def test_images_are_read_only_as_far_ahead_as_they_are_worked_on() -> None:
    read: list[str] = []

    def items() -> Iterator[tuple[str, bytes | ServiceError]]:
        for name in "abcdefgh":
            read.append(name)
            yield name, b"x"

    files = Batch(items(), result, lambda: FOREVER, at_a_time=3).files()
    next(files)
    assert read == ["a", "b", "c"]
    next(files)
    assert read == ["a", "b", "c", "d"]


def test_consumer_that_ends_early_ends_the_running_images() -> None:
    begun, asked = threading.Event(), []

    def remove(data: bytes, deadline: Deadline) -> Result:
        asked.append(data)
        if data == b"1":
            return result(data)
        begun.set()
        while True:
            deadline.check()  # raises once the batch has ended
            threading.Event().wait(0.01)

    files = Batch([(name, name.encode()) for name in "12345"], remove, lambda: Deadline(60), at_a_time=2).files()
    next(files)
    assert begun.wait(10)
    files.close()  # type: ignore[attr-defined]  # it is a generator
    assert asked == [b"1", b"2"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("batch")]
