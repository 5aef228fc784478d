"""Admission: a number run, a number wait, and the rest learn at once when to come back."""

import threading
from collections.abc import Callable

import pytest

from services.capacity.admission import Admission, Bodies
from services.capacity.deadline import Deadline, Stopwatch
from services.errors import Busy, ClientGone, DeadlineExceeded


def watch(seconds: float | None = 10) -> Stopwatch:
    return Stopwatch(Deadline(seconds))


class Held:
    """A thread that holds a slot until it is let go."""

    def __init__(self, admission: Admission, megapixels: float = 1.0) -> None:
        self.entered, self.release = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self._hold, args=(admission, megapixels))
        self.thread.start()

    def _hold(self, admission: Admission, megapixels: float) -> None:
        with admission.slot(megapixels, watch()):
            self.entered.set()
            self.release.wait(10)

    def let_go(self) -> None:
        self.release.set()
        self.thread.join(10)


@pytest.fixture
def seen() -> list[tuple[int, int]]:
    return []


def until(condition: Callable[[], bool]) -> None:
    from tests.support.waiting import poll

    poll(condition, 30)


def test_full_queue_refuses_immediately_with_retry_after(seen: list[tuple[int, int]]) -> None:
    admission = Admission(1, 1, on_change=lambda running, waiting: seen.append((running, waiting)))
    first = Held(admission)
    assert first.entered.wait(10)
    second = Held(admission)
    until(lambda: (1, 1) in seen)
    with pytest.raises(Busy) as refused, admission.slot(1, watch()):
        pass
    assert refused.value.retry_after is not None
    assert 1 <= refused.value.retry_after <= 60
    first.let_go()
    assert second.entered.wait(10)
    second.let_go()
    assert seen[-1] == (0, 0)


def test_megapixels_are_bounded_except_for_a_lone_image() -> None:
    admission = Admission(4, 0, megapixels=10)
    huge = Held(admission, 50)
    assert huge.entered.wait(10)
    with pytest.raises(Busy), admission.slot(0.1, watch()):
        pass
    huge.let_go()
    small = Held(admission, 6)
    assert small.entered.wait(10)
    with pytest.raises(Busy), admission.slot(5, watch()):
        pass
    with admission.slot(4, watch()):
        pass
    small.let_go()


def test_expired_waiter_leaves_the_queue() -> None:
    admission = Admission(1, 1)
    first = Held(admission)
    assert first.entered.wait(10)
    with pytest.raises(DeadlineExceeded), admission.slot(1, watch(0.05)):
        pass
    with pytest.raises(DeadlineExceeded), admission.slot(1, watch(0.05)):  # its place in the queue was free again
        pass
    first.let_go()


def test_the_queue_is_served_in_the_order_of_arrival(seen: list[tuple[int, int]]) -> None:
    admission = Admission(1, 5, on_change=lambda running, waiting: seen.append((running, waiting)))
    order: list[int] = []
    first = Held(admission)
    assert first.entered.wait(10)

    def take(number: int) -> None:
        with admission.slot(1, watch()):
            order.append(number)

    threads = []
    for number in range(5):
        threads.append(threading.Thread(target=take, args=(number,)))
        threads[-1].start()
        until(lambda number=number: (1, number + 1) in seen)  # type: ignore[misc]
    first.let_go()
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2, 3, 4]


def test_failed_work_frees_its_slot() -> None:
    admission = Admission(1, 0)
    with pytest.raises(RuntimeError), admission.slot(1, watch()):
        raise RuntimeError
    with admission.slot(1, watch()):
        pass


def test_disconnected_caller_frees_its_place_in_the_queue() -> None:
    admission = Admission(1, 1)
    first = Held(admission)
    assert first.entered.wait(10)
    with pytest.raises(ClientGone), admission.slot(1, Stopwatch(Deadline(10, gone=lambda: True))):
        pass
    # The one place in the queue is free for somebody else.
    second = Held(admission)
    first.let_go()
    assert second.entered.wait(10)
    second.let_go()


def test_full_queue_refuses_an_upload_before_it_is_read() -> None:
    admission = Admission(1, 0)
    admission.refuse_when_full()
    held = Held(admission)
    assert held.entered.wait(10)
    with pytest.raises(Busy, match="1 images run and 0 wait"):
        admission.refuse_when_full()
    held.let_go()
    admission.refuse_when_full()


def test_bodies_are_bounded_together_except_for_a_lone_one() -> None:
    bodies = Bodies(100)
    bodies.take(150)
    with pytest.raises(Busy):
        bodies.take(1)
    bodies.give_back(150)
    bodies.take(60)
    bodies.take(40)
    with pytest.raises(Busy):
        bodies.take(1)


def test_growing_body_is_refused_beside_others_but_not_alone() -> None:
    bodies = Bodies(100)
    bodies.take(90)
    bodies.take(50, held=90)
    with pytest.raises(Busy):
        bodies.take(1)
    bodies.give_back(140)
    bodies.take(40)
    bodies.take(40)
    bodies.take(20, held=40)
    with pytest.raises(Busy):
        bodies.take(1, held=60)
