"""One caller listens to events on at most half of the places."""

import pytest

from services.errors import Busy
from services.jobs.listeners import Listeners


def test_caller_holds_at_most_half_of_the_places() -> None:
    listeners = Listeners(5)
    listeners.enter("ann")
    listeners.enter("ann")
    with pytest.raises(Busy, match="listening to 2 jobs; allowed: 2"):
        listeners.enter("ann")
    listeners.enter("bob")
    listeners.leave("ann")
    listeners.enter("ann")


def test_all_callers_together_hold_no_more_than_all_places() -> None:
    listeners = Listeners(2)
    for caller in ("ann", "bob"):
        listeners.enter(caller)
    with pytest.raises(Busy, match="too many callers"):
        listeners.enter("eve")
    listeners.leave("bob")
    listeners.enter("eve")


def test_refused_callers_leave_no_trace() -> None:
    listeners = Listeners(1)
    listeners.enter("ann")
    for caller in ("ann", "bob"):
        with pytest.raises(Busy):
            listeners.enter(caller)
    listeners.leave("ann")
    listeners.enter("bob")
