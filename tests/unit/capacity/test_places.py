"""Places for work that is bounded by number alone."""

import threading

import pytest

from services.capacity.deadline import Deadline
from services.capacity.places import Places
from services.errors import ClientGone, DeadlineExceeded


def test_waiter_gets_the_place_that_is_given_back() -> None:
    places, entered = Places(1), threading.Event()

    def enter() -> None:
        with places.hold(Deadline(10)):
            entered.set()

    with places.hold(Deadline()):
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.05)
    assert entered.wait(5)
    thread.join()


def test_waiting_ends_with_the_deadline() -> None:
    places = Places(1)
    with places.hold(Deadline()), pytest.raises(DeadlineExceeded), places.hold(Deadline(0.05)):
        pass


def test_waiting_ends_when_the_caller_has_gone() -> None:
    places, looks = Places(1), iter([False, True])
    with places.hold(Deadline()), pytest.raises(ClientGone), places.hold(Deadline(10, gone=lambda: next(looks))):
        pass


def test_error_gives_the_place_back() -> None:
    places = Places(1)
    with pytest.raises(ValueError, match="broken"), places.hold(Deadline()):
        raise ValueError("broken")
    with places.hold(Deadline(0.05)):
        pass
