"""How a worker's main process takes messages, beyond Celery's own way."""

from celery.worker.request import Request


class Delivery(Request):  # type: ignore[misc]
    """A message whose acknowledgement may get lost with the queue's connection.

    Celery logs that and goes on, and the place that the message takes among those being worked on (as many as there are
    children) stays taken. With all of them taken it takes no more, so it never notices that the connection is gone.
    """

    lost = False  # of any message, since it was last looked at

    def acknowledge(self) -> None:
        super().acknowledge()
        if not self.message.acknowledged:
            Delivery.lost = True


def connect_anew_if_lost() -> None:
    """In the main process' loop, now and then. Raises `ConnectionError` when an acknowledgement was lost: the loop then
    connects anew, with all places free."""
    lost, Delivery.lost = Delivery.lost, False
    if lost:
        raise ConnectionError("an acknowledgement was lost")
