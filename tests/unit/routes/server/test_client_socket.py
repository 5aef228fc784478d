import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from routes.server.client_socket import ClientSocket
from tests.support.waiting import poll


@pytest.fixture
def ends() -> Iterator[tuple[ClientSocket, socket.socket]]:
    """The service's and the caller's end of a connection, with small buffers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        caller = socket.socket()
        caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        caller.connect(listener.getsockname())
        ours = ClientSocket(listener.accept()[0])
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8192)
    with ours, caller:
        yield ours, caller


def test_silence_grows_while_a_thread_waits_for_bytes(ends: tuple[ClientSocket, socket.socket]) -> None:
    ours, caller = ends
    assert ours.silence(time.monotonic()) == 0
    thread = threading.Thread(target=ours.recv, args=(10,))
    thread.start()
    poll(lambda: ours.silence(time.monotonic()) > 0.05, 5)
    assert ours.sending_for(time.monotonic()) == 0
    caller.sendall(b"x")
    thread.join(5)
    assert ours.silence(time.monotonic()) == 0


def test_everything_sent_arrives(ends: tuple[ClientSocket, socket.socket]) -> None:
    ours, caller = ends
    data = bytes(range(256)) * 4000
    thread = threading.Thread(target=ours.sendall, args=(data,))
    thread.start()
    received = b""
    while len(received) < len(data):
        received += caller.recv(65536)
    thread.join(5)
    assert received == data


def test_a_reader_that_takes_bytes_is_not_silent(ends: tuple[ClientSocket, socket.socket]) -> None:
    ours, caller = ends

    def send() -> None:
        with contextlib.suppress(OSError):
            ours.sendall(bytes(4_000_000))

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    poll(lambda: ours.silence(time.monotonic()) > 0.3, 5)
    sending = ours.sending_for(time.monotonic())

    def moved() -> bool:
        caller.recv(4096)
        return ours.silence(time.monotonic()) < 0.1

    poll(moved, 5)
    assert ours.sending_for(time.monotonic()) > sending
    ours.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    assert not thread.is_alive()


def test_a_look_at_the_next_byte_does_not_count_as_waiting(ends: tuple[ClientSocket, socket.socket]) -> None:
    ours, _ = ends
    with pytest.raises(BlockingIOError):
        ours.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    assert ours.silence(time.monotonic()) == 0
