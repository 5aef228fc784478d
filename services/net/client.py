"""An HTTP client for hosts that callers name; the only way out, for fetching and for webhooks.

A name is looked up once, every address of the answer is checked, and the connection is made to a checked address: no
second look-up can be answered otherwise (DNS rebinding). Everything waits on one clock, and ends when the caller goes.
"""

import ipaddress
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import h11

from services.errors import Busy
from services.net.addresses import Address, is_public
from services.net.errors import ForbiddenSource, SourceFailed, SourceTimeout
from services.net.stream import MAX_HEAD_BYTES, READ_BYTES, Budget, Stream, connect
from services.net.urls import Target, parse_authority

# The share of one address, so that a dead one leaves time for the next.
CONNECT_SECONDS: Final = 3.0
MAX_ADDRESSES: Final = 3
# A name server that never answers holds a thread for longer than the fetch.
MAX_LOOKUPS: Final = 16
# In Via (RFC 9110, 7.6.3): the service recognises its own requests by it.
# Chunk lines that any answer may have beside its content.
FRAMING_BYTES: Final = 64 * 1024
PSEUDONYM: Final = "background-remover"
NOT_PUBLIC: Final = "the host has no address that this server may connect to"
UNREACHABLE: Final = "no connection could be made"
# Not even looked up: the time of the answer would reveal something about the server's own network.
_LOCAL_NAMES: Final = (".localhost", ".local", ".internal", ".home.arpa")

Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[Address, int], socket.socket]


def resolve(host: str, port: int) -> list[str]:
    """Return every address of a name, in the order to try them. Blocks as long as the system's resolver does."""
    return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]


@dataclass(frozen=True)
class Answer:
    """The head of a response, header names in lower case; `body` reads the rest as it arrives."""

    status: int
    headers: Sequence[tuple[str, str]]
    body: Iterator[bytes]

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for key, value in self.headers if key == name]


class Outbound:
    """An HTTP client for public hosts: `ports` are open there; `hosts` (`host` or `host:port`) are open wherever they
    lead.
    """

    def __init__(
        self,
        *,
        ports: Collection[int],
        hosts: Collection[str] = (),
        resolve: Resolve = resolve,
        connect: Connect = connect,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._ports = frozenset(ports)
        self._hosts = frozenset(parse_authority(host) for host in hosts)
        self._resolve = resolve
        self._connect = connect
        self._given_tls = tls
        self._lookups = threading.BoundedSemaphore(MAX_LOOKUPS)

    @contextmanager
    def request(
        self, method: str, target: Target, budget: Budget, headers: Sequence[tuple[str, str]] = (), body: bytes = b""
    ) -> Iterator[Answer]:
        """One request on a connection of its own; no redirect is followed, nothing is decoded, no cookie kept.

        Raises `ForbiddenSource` before anything is sent, `SourceFailed`, `SourceTimeout`, and the caller's
        `DeadlineExceeded` and `ClientGone`.
        """
        addresses = self._checked_addresses(target, budget)
        stream = self._open(addresses, target.port, budget)
        try:
            if target.scheme == "https":
                stream.start_tls(self._tls, target.host)
            yield _exchange(stream, method, target, headers, body)
        except h11.ProtocolError as exc:
            raise SourceFailed("its answer is not HTTP as it should be, or was cut off") from exc
        except ssl.SSLCertVerificationError as exc:
            raise SourceFailed("its certificate is not valid for its name") from exc
        except OSError as exc:
            raise SourceFailed("the connection failed") from exc
        finally:
            stream.close()

    def refuse_closed(self, target: Target) -> None:
        """Raise `ForbiddenSource` for a port, an address or a local name that is closed, without a look-up."""
        if self._is_open(target):
            return
        if target.port not in self._ports:
            raise ForbiddenSource(f"the port is not one of {', '.join(map(str, sorted(self._ports)))}")
        found = _literal(target.host)
        if not all(map(is_public, found)) or (not found and _is_local_name(target.host)):
            raise ForbiddenSource(NOT_PUBLIC)

    def _is_open(self, target: Target) -> bool:
        """Return whether the operator has opened the host wherever it leads."""
        host, port = target.host, target.port
        return (host, port) in self._hosts or ((host, None) in self._hosts and port in self._ports)

    def _checked_addresses(self, target: Target, budget: Budget) -> list[Address]:
        self.refuse_closed(target)
        found = _literal(target.host) or self._look_up(target.host, target.port, budget)
        if not self._is_open(target) and not (found and all(map(is_public, found))):
            # A name that does not exist gets the same words.
            raise ForbiddenSource(NOT_PUBLIC)
        return found[:MAX_ADDRESSES]

    def _look_up(self, host: str, port: int, budget: Budget) -> list[Address]:
        """Return every address of the name, or none if it does not exist; in a thread, since a look-up can't be
        interrupted.
        """
        budget.next_check()
        if not self._lookups.acquire(blocking=False):
            raise Busy("too many host names are being looked up")
        answer: Future[list[Address]] = Future()

        def run() -> None:
            try:
                answer.set_result([ipaddress.ip_address(text) for text in self._resolve(host, port)])
            except OSError:
                answer.set_result([])
            except BaseException as exc:  # noqa: BLE001 - raised where the answer is waited for
                answer.set_exception(exc)
            finally:
                self._lookups.release()

        try:
            threading.Thread(target=run, name="lookup", daemon=True).start()
        except RuntimeError as exc:  # the process may have no more threads
            self._lookups.release()
            raise Busy("the server is out of threads for now") from exc
        while True:
            try:
                return answer.result(timeout=budget.next_check())
            except TimeoutError:
                continue

    def _open(self, addresses: Sequence[Address], port: int, budget: Budget) -> Stream:
        """Return a connection to the first address that accepts one."""
        late = False
        for address in addresses:
            try:
                sock = self._connect(address, port)
            except OSError:
                continue
            try:
                in_time = budget.wait(sock, select.POLLOUT, time.monotonic() + CONNECT_SECONDS)
            except BaseException:
                sock.close()
                raise
            if in_time and sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0:
                return Stream(sock, budget)
            sock.close()
            late = late or not in_time
        raise SourceTimeout(UNREACHABLE) if late else SourceFailed(UNREACHABLE)

    @cached_property
    def _tls(self) -> ssl.SSLContext:
        """Return a context with the system's certificates (or `SSL_CERT_FILE`), TLS 1.2 or newer, and checked names."""
        return self._given_tls or ssl.create_default_context()


def _is_local_name(host: str) -> bool:
    return "." not in host or host.endswith(_LOCAL_NAMES)


def _literal(host: str) -> list[Address]:
    try:
        return [ipaddress.ip_address(host)]
    except ValueError:
        return []


def _exchange(stream: Stream, method: str, target: Target, headers: Sequence[tuple[str, str]], body: bytes) -> Answer:
    """Send the request and read the response's head. Raises `h11.ProtocolError`, `OSError`."""
    http = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
    fixed = [
        ("Host", target.authority),
        ("User-Agent", PSEUDONYM),
        ("Accept-Encoding", "identity"),
        ("Via", f"1.1 {PSEUDONYM}"),
        ("Connection", "close"),
    ]
    length = [("Content-Length", str(len(body)))] if body else []
    head = http.send(h11.Request(method=method, target=target.path, headers=[*fixed, *length, *headers]))
    rest = [http.send(h11.Data(data=body)), http.send(h11.EndOfMessage())] if body else [http.send(h11.EndOfMessage())]
    stream.write(b"".join(part or b"" for part in (head, *rest)))
    read = 0
    while True:
        event = http.next_event()
        if isinstance(event, h11.Response):
            pairs = [(name.decode("ascii"), value.decode("utf-8", "replace")) for name, value in event.headers]
            return Answer(event.status_code, pairs, _body(stream, http))
        if event is h11.NEED_DATA:
            data = stream.read()
            read += len(data)
            if read > MAX_HEAD_BYTES + READ_BYTES:  # a hundred thousand "100 Continue"
                raise h11.RemoteProtocolError("the head does not end")
            http.receive_data(data)


def _body(stream: Stream, http: h11.Connection) -> Iterator[bytes]:
    """Yield the body. Raises `SourceFailed` where chunk lines outweigh it: chunks of one byte cost seconds."""
    wire = content = 0
    while True:
        event = http.next_event()
        if event is h11.NEED_DATA:
            if wire > 2 * content + FRAMING_BYTES:
                raise SourceFailed("its answer has more framing than content")
            data = stream.read()
            wire += len(data)
            http.receive_data(data)
        elif isinstance(event, h11.Data):
            content += len(event.data)
            yield bytes(event.data)
        else:
            return
