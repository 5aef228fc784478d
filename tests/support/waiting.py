"""Find free ports and wait for conditions."""

import random
import socket
import threading
import time
from pathlib import Path
from typing import Final

ROOT = Path(__file__).parent.parent.parent


START_SECONDS = 60.0


# Below the ephemeral ports, which the system gives to outgoing connections.
PORTS: Final = range(20_000, 32_000)


_claims: list[socket.socket] = []


def free_port() -> int:
    """Return a free TCP port on loopback that no other test process gets.

    A UDP socket on the same port claims it until this process ends.
    """
    for port in random.Random().sample(PORTS, len(PORTS)):
        claim = socket.socket(type=socket.SOCK_DGRAM)
        with socket.socket() as probe:
            try:
                claim.bind(("127.0.0.1", port))
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        _claims.append(claim)
        return port
    raise AssertionError("every port is taken")


def poll(condition, seconds: float = START_SECONDS, what: str = "the condition"):  # type: ignore[no-untyped-def]
    """Call `condition` until it returns a true value; return that. Raises AssertionError after `seconds`."""
    tick, end = threading.Event(), time.monotonic() + seconds
    while time.monotonic() < end:
        if found := condition():
            return found
        tick.wait(0.02)
    raise AssertionError(f"{what} did not come true in {seconds:g} s")
