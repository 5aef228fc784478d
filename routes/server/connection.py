"""One connection, and how much of its next request has arrived."""

import ipaddress
import re
import time
from typing import Any, Final

from gunicorn import http
from gunicorn.workers.gthread import TConn

from routes.server.client_socket import ClientSocket
from services.net.addresses import parse_address

HEADER_SECONDS: Final = 10.0
# Between two bytes of a body.
SILENCE_SECONDS: Final = 15.0
MAX_HEADER_BYTES: Final = 64 * 1024
# A request gets its thread when this much of its body is there.
FIRST_BYTES: Final = 64 * 1024
# Above Gunicorn's limit of a request line (4094 bytes), which it refuses unseen.
MAX_LINE_BYTES: Final = 4100
END: Final = b"\r\n\r\n"
FRAMING: Final = re.compile(rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r\n]*)", re.IGNORECASE)
PATH: Final = re.compile(rb"[A-Z]+ ([^\s?]+)[\s?]")
LENGTH: Final = re.compile(rb"[0-9]{1,18}")
HEALTH: Final = re.compile(rb"(?:GET|HEAD) /(?:api/(?:v1/)?)?health[/? ]")


class Connection(TConn):  # type: ignore[misc]
    """A connection of the worker. Its request's first bytes are read without a thread, into `received`."""

    sock: ClientSocket
    parser: Any

    def __init__(self, cfg: Any, sock: ClientSocket, client: Any, server: Any) -> None:
        super().__init__(cfg, sock, client, server)
        self.peer = peer_of(client)
        self.drained = 0
        self.expect_request(0.0)

    def expect_request(self, body_seconds: float) -> None:
        """Start the clocks of the next request; its first bytes may take `body_seconds` after its header."""
        self.received = bytearray()
        self.since = time.monotonic()
        self.deadline = self.since + HEADER_SECONDS
        self.reader: WatchedReader | None = None
        self.is_health = self._has_all = False
        self._body_seconds = body_seconds
        self._body_at = self._needed = 0
        self._length: int | None = 0
        self._body_end = 0.0

    def add(self, data: bytes) -> bool:
        """Add bytes to the request; return whether it is ready for a thread."""
        searched = max(len(self.received) - len(END) + 1, 0)
        self.received += data
        if not self._body_at:
            # Gunicorn skips one empty line before the request.
            end = self.received.find(END, max(searched, 2 if self.received.startswith(b"\r\n") else 0))
            if end < 0:
                return self._is_refused_unfinished()
            self._read_header(end + len(END))
        self.deadline = min(time.monotonic() + SILENCE_SECONDS, self._body_end)
        if len(self.received) < self._needed:
            return False
        self._has_all = self._length is not None and len(self.received) >= self._body_at + self._length
        self.is_health = self.whole and self._length == 0 and bool(HEALTH.match(self.received))
        return True

    @property
    def whole(self) -> bool:
        """Whether nothing of the request is left to read from the socket, as far as its thread has come."""
        return self.reader.whole if self.reader else self._has_all

    @property
    def has_header(self) -> bool:
        """Whether the header is complete."""
        return bool(self._body_at)

    @property
    def has_long_header(self) -> bool:
        """Whether the header goes on after the largest size that is read without a thread."""
        return not self.has_header and len(self.received) > MAX_HEADER_BYTES

    def note_path(self) -> None:
        """Leave the request's path, as far as it is known, for the error of a request that can't be parsed."""
        line = PATH.match(self.received)
        self.sock.path = line[1].decode("latin-1") if line else ""

    def hand_over(self) -> None:
        """Give the received bytes to the parser, which reads the rest from the socket."""
        self.note_path()
        if self.parser is None:
            self.parser = http.get_parser(self.cfg, self.sock, self.client)
        self.parser.unreader.unread(bytes(self.received))
        self.received = bytearray()
        self.data_ready = True

    def rate(self, now: float) -> float:
        """Return the bytes per second that have arrived of a request that is not ready."""
        return len(self.received) / max(now - self.since, 0.001)

    def _read_header(self, body_at: int) -> None:
        """Decide from a complete header how much of the body is waited for."""
        self._body_at = body_at
        self._body_end = time.monotonic() + self._body_seconds
        fields = {name.lower(): value.strip() for name, value in FRAMING.findall(bytes(self.received[:body_at]))}
        given = fields.get(b"content-length", b"0")
        # Gunicorn refuses a value that is no number. None: the end of a chunked body is the parser's to find.
        self._length = None if b"transfer-encoding" in fields else int(given) if LENGTH.fullmatch(given) else 0
        # A caller that expects 100 Continue may send nothing before it.
        waits = self._length is not None and b"expect" not in fields
        self._needed = body_at + (min(self._length or 0, FIRST_BYTES) if waits else 0)

    def _is_refused_unfinished(self) -> bool:
        """Return whether Gunicorn refuses the header already, so that its thread will not wait for the rest."""
        lines = self.received.count(b"\n")
        return lines != self.received.count(b"\r\n") or (lines == 0 and len(self.received) > MAX_LINE_BYTES)


def peer_of(client: object) -> str:
    """Return the IPv4 address of a socket's other end, or the /64 of its IPv6 address; "" for a unix socket."""
    address = parse_address(client[0].partition("%")[0]) if isinstance(client, tuple) else None
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address.packed, 64), strict=False))
    return str(address or "")


class WatchedReader:
    """Reads a request's body: asks for it with `100 Continue` when it is first read, and notes when it is whole."""

    def __init__(self, reader: Any, connection: Connection, *, is_expected: bool) -> None:
        self._reader, self._sock = reader, connection.sock
        self.whole = connection.whole
        self._asks = is_expected and not self.whole

    def read(self, size: int) -> bytes:
        if self._asks:
            self._asks = False
            self._sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        data: bytes = self._reader.read(size)
        # Only Gunicorn's reader of a body of known length has a `length`: of the rest.
        if len(data) < size or getattr(self._reader, "length", 1) == 0:
            self.whole = True
        return data
