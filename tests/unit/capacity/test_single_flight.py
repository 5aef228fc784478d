"""The same work is done once while it is under way, by real threads."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager

import pytest

from services.capacity import single_flight as coalesce
from services.capacity.admission import Admission
from services.capacity.deadline import Deadline, Stopwatch
from services.capacity.single_flight import SingleFlight
from services.containers.errors import CorruptImage
from services.errors import Busy, ClientGone, DeadlineExceeded
from tests.support.waiting import poll


class Work:
    """Work that waits for `go`, and counts how often it runs."""

    def __init__(self, error: Exception | None = None) -> None:
        self.count = 0
        self.begun, self.go = threading.Event(), threading.Event()
        self.error = error

    def __call__(self, deadline: Deadline) -> str:
        self.count += 1
        self.begun.set()
        while not self.go.wait(0.01):
            deadline.check()
        if self.error:
            raise self.error
        return f"result {self.count}"


@pytest.fixture
def pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8)


def followers(coalescer: SingleFlight[str], key: str = "a") -> int:
    return coalescer._flights[key].followers


def test_simultaneous_callers_share_one_piece_of_work(pool: ThreadPoolExecutor) -> None:
    coalescer, work = SingleFlight[str](), Work()
    waiting = [pool.submit(coalescer.run, "a", Deadline(), work) for _ in range(5)]
    poll(lambda: work.begun.is_set() and followers(coalescer) == 4)
    other = Work()
    other.go.set()
    assert coalescer.run("b", Deadline(), other) == ("result 1", False)
    work.go.set()
    assert sorted(f.result(10) for f in waiting) == [("result 1", False)] + [("result 1", True)] * 4
    assert work.count == 1
    assert coalescer.run("a", Deadline(), work) == ("result 2", False)  # nothing is kept
    assert not coalescer._flights


def test_error_of_the_work_reaches_all_callers(pool: ThreadPoolExecutor) -> None:
    coalescer, work = SingleFlight[str](), Work(CorruptImage("broken"))
    waiting = [pool.submit(coalescer.run, "a", Deadline(), work) for _ in range(3)]
    poll(lambda: work.begun.is_set() and followers(coalescer) == 2)
    work.go.set()
    for future in waiting:
        with pytest.raises(CorruptImage, match="broken"):
            future.result(10)
    assert work.count == 1


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ClientGone("in the moment before the other came")])
def test_bug_or_disconnection_of_one_caller_spares_the_others(pool: ThreadPoolExecutor, error: Exception) -> None:
    coalescer, work, well = SingleFlight[str](), Work(error), Work()
    first = pool.submit(coalescer.run, "a", Deadline(), work)
    assert work.begun.wait(10)
    well.go.set()
    second = pool.submit(coalescer.run, "a", Deadline(), well)
    poll(lambda: followers(coalescer) == 1)
    work.go.set()
    with pytest.raises(type(error)):
        first.result(10)
    assert second.result(10) == ("result 1", False)


def test_work_continues_for_a_follower_after_the_first_caller_leaves(
    pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch
) -> None:
    coalescer, work, left = SingleFlight[str](), Work(), threading.Event()
    first = pool.submit(coalescer.run, "a", Deadline(gone=left.is_set), work)
    assert work.begun.wait(10)
    left.set()
    second = pool.submit(coalescer.run, "a", Deadline(), work)
    poll(lambda: followers(coalescer) == 1)
    monkeypatch.setattr(coalesce, "GRACE_SECONDS", 0.0)
    looked = [coalescer._flights["a"].abandoned() for _ in range(3)]
    work.go.set()
    assert looked == [False] * 3
    assert second.result(10) == ("result 1", True)
    assert first.result(10) == ("result 1", False)


def test_abandoned_work_ends_after_the_grace_period(pool: ThreadPoolExecutor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(coalesce, "GRACE_SECONDS", 0.2)
    coalescer, work, left = SingleFlight[str](), Work(), threading.Event()
    first = pool.submit(coalescer.run, "a", Deadline(gone=left.is_set), work)
    assert work.begun.wait(10)
    left.set()
    with pytest.raises(ClientGone):
        first.result(10)
    work.go.set()
    assert coalescer.run("a", Deadline(), work) == ("result 2", False)


def test_follower_keeps_its_own_deadline_without_ending_the_work(pool: ThreadPoolExecutor) -> None:
    coalescer, work = SingleFlight[str](), Work()
    first = pool.submit(coalescer.run, "a", Deadline(), work)
    assert work.begun.wait(10)
    with pytest.raises(DeadlineExceeded):
        coalescer.run("a", Deadline(0.3), work)
    assert followers(coalescer) == 0
    work.go.set()
    assert first.result(10) == ("result 1", False)


def test_followers_are_bounded_by_the_queue(pool: ThreadPoolExecutor) -> None:
    admission = Admission(1, 2)
    place: Callable[[], AbstractContextManager[None]] = admission.onlooker
    coalescer, work = SingleFlight[str](place), Work()
    waiting = [pool.submit(coalescer.run, "a", Deadline(), work) for _ in range(3)]
    poll(lambda: work.begun.is_set() and followers(coalescer) == 2)
    poll(lambda: admission._onlookers == 2)
    with pytest.raises(Busy, match="2 wait"):
        coalescer.run("a", Deadline(), work)
    with admission.slot(1.0, Stopwatch(Deadline())), pytest.raises(Busy):
        admission.refuse_when_full()
    work.go.set()
    assert len([f.result(10) for f in waiting]) == 3
    admission.refuse_when_full()
