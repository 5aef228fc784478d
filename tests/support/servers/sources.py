"""Servers to fetch images from, good and hostile, on real loopback sockets.

No packet leaves the machine. Names resolve from a table, and each allowed address maps to a loopback port. A connection
to any other address fails the test.
"""

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from services.capacity.deadline import Deadline
from services.errors import ServiceError
from services.net import stream
from services.net.addresses import Address
from services.net.client import Outbound
from services.net.fetch import Fetcher

LOOPBACK = ipaddress.IPv4Address("127.0.0.1")
Behaviour = Callable[[socket.socket, bytes], None]
PUBLIC = "93.184.216.34"
URL = "http://good.example/a/photo.jpg"
BODY = b"\x89PNG and so on"
MAX_BYTES = 100_000


class Network:
    """A resolver and a network that reach only loopback.

    `names` maps a name to its answers: each lookup uses up one answer, and the last one repeats.
    `ways` maps an address to a loopback port.
    `looked_up` and `connected` record all attempts.
    """

    def __init__(self, names: dict[str, list[list[str]]], ways: dict[str, int]) -> None:
        self.names = names
        self.ways = ways
        self.looked_up: list[str] = []
        self.connected: list[tuple[str, int]] = []

    def resolve(self, host: str, _port: int) -> Sequence[str]:
        self.looked_up.append(host)
        answers = self.names.get(host)
        if not answers:
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def connect(self, address: Address, port: int) -> socket.socket:
        self.connected.append((str(address), port))
        if str(address) not in self.ways:
            raise AssertionError(f"a connection to {address}")
        return stream.connect(LOOPBACK, self.ways[str(address)])


class Source:
    """A loopback server that reads a request's head and then runs the test's behaviour on the connection."""

    def __init__(self, behaviour: Behaviour, tls: ssl.SSLContext | None = None) -> None:
        self._behaviour = behaviour
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=200)
        self.port: int = self._listener.getsockname()[1]
        self.requests: list[bytes] = []
        self._open: list[socket.socket] = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            with connection:
                head = b""
                while b"\r\n\r\n" not in head and (data := connection.recv(65536)):
                    head += data
                self.requests.append(head)
                self._behaviour(connection, head)

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()


@contextmanager
def source(behaviour: Behaviour | bytes, tls: ssl.SSLContext | None = None) -> Iterator[Source]:
    """Run a source. If `behaviour` is bytes, it sends them in response to every request."""
    running = Source(behaviour if callable(behaviour) else sending(behaviour), tls)
    try:
        yield running
    finally:
        running.close()


def sending(*parts: bytes) -> Behaviour:
    """Return a behaviour that sends these bytes and closes."""

    def behave(connection: socket.socket, _head: bytes) -> None:
        for part in parts:
            connection.sendall(part)

    return behave


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    """Return a complete HTTP response; the keyword `Content_Type` becomes the header Content-Type."""
    fields = {"Content_Length": str(len(body)), **headers}
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


class Authority:
    """A certificate authority that only the test trusts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign("test authority", self._key.public_key(), days=(-1, 1), authority=True)
        self.client = ssl.create_default_context(
            cadata=self._certificate.public_bytes(serialization.Encoding.PEM).decode()
        )

    def server(self, name: str, days: tuple[int, int] = (-1, 1)) -> ssl.SSLContext:
        """Return the TLS context of a server `name`, valid between two offsets in days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, key.public_key(), days=days)
        path = self._folder / f"{name}{days[1]}.pem"
        path.write_bytes(
            certificate.public_bytes(serialization.Encoding.PEM)
            + key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _sign(
        self, name: str, key: ec.EllipticCurvePublicKey, days: tuple[int, int], authority: bool = False
    ) -> x509.Certificate:
        now = dt.datetime.now(dt.UTC)
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
        issuer = subject if authority else self._certificate.subject
        builder = (
            x509.CertificateBuilder(issuer, subject, key, x509.random_serial_number())
            .not_valid_before(now + dt.timedelta(days=days[0]))
            .not_valid_after(now + dt.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if authority:
            usage = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(usage, critical=True)
        else:
            builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False).add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False
        )
        return builder.sign(self._key, hashes.SHA256())


def fetcher(
    network: Network, *, seconds: float = 5, places: int = 4, tls: ssl.SSLContext | None = None, **more: Any
) -> Fetcher:
    hosts, max_bytes = more.pop("hosts", ()), more.pop("max_bytes", MAX_BYTES)
    outbound = Outbound(ports=(80, 443), hosts=hosts, resolve=network.resolve, connect=network.connect, tls=tls)
    return Fetcher(outbound, seconds=seconds, max_bytes=max_bytes, places=places, **more)


@contextmanager
def good(behaviour: Behaviour | bytes, tls: ssl.SSLContext | None = None) -> Iterator[tuple[Source, Network]]:
    """A source that is known as good.example, at a public address."""
    with source(behaviour, tls) as running:
        yield running, Network({"good.example": [[PUBLIC]]}, {PUBLIC: running.port})


def refusal(network: Network, url: str, **more: Any) -> ServiceError:
    with pytest.raises(ServiceError) as refused:
        fetcher(network, **more).fetch(url, Deadline())
    return refused.value
