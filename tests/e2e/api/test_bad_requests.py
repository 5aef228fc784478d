"""Malformed and hostile requests: on the wire, in headers, in forms and in JSON."""

import base64
import contextlib
import http.client
import io
import re
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote

import orjson
import pytest
import requests
from PIL import Image

from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.pictures import corpus
from tests.support.waiting import poll

KEYS: Final = {"error", "code", "solution", "details", "request_id"}
GOOD: Final = corpus.encode(corpus.photo(), "PNG")
BASE64: Final = base64.b64encode(GOOD)
LENGTH: Final = b"Content-Length: %d\r\n" % len(GOOD)
CHUNKED: Final = b"Transfer-Encoding: chunked\r\n"
JSON_PATH: Final = "/remove-background-base64"


@dataclass(frozen=True)
class Answer:
    """An HTTP response as received from the socket."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Return the error code, or "" for a success; check the body of an error."""
        if self.status < 400:
            return ""
        found = orjson.loads(self.body)
        assert set(found) == KEYS
        assert self.headers["content-type"] == "application/json"
        assert found["request_id"] == self.headers["x-request-id"]
        return str(found["code"])


@pytest.fixture(scope="session")
def server(quick_server: Gunicorn) -> Gunicorn:
    """A server with the tiny model: no test here checks a mask."""
    return quick_server


@pytest.fixture
def server_alive(server: Gunicorn) -> Iterator[Gunicorn]:
    """The shared server. Afterwards the same workers must run and answer a simple request."""
    pids = server.workers()
    yield server
    assert server.workers() == pids
    assert requests.get(f"{server.url}/health/ready", timeout=30).status_code == 200


@pytest.fixture
def server_fine(server_alive: Gunicorn) -> Iterator[Gunicorn]:
    """The shared server. Afterwards the same workers must run and process a good image."""
    yield server_alive
    server = server_alive
    assert requests.post(f"{server.url}/remove-background", files={"file": GOOD}, timeout=30).status_code == 200


def wire(server: Gunicorn, data: bytes, *, end: bool = False, timeout: float = 20) -> list[Answer]:
    """Send the bytes on one connection and return all responses; `end` then closes the client's side."""
    with socket.create_connection(("127.0.0.1", server.port), timeout) as connection:
        connection.sendall(data)
        if end:
            connection.shutdown(socket.SHUT_WR)
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                received += part
    return list(split(received))


def split(received: bytes) -> Iterator[Answer]:
    while received:
        head, _, received = received.partition(b"\r\n\r\n")
        status, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = int(headers.get("content-length", 0))
        code = int(status.split()[1])
        if code != 100:
            yield Answer(code, headers, received[:length])
        received = received[length:]


def get(extra: bytes = b"", line: bytes = b"GET /health/live HTTP/1.1", host: bytes = b"Host: a\r\n") -> bytes:
    return line + b"\r\n" + host + b"Connection: close\r\n" + extra + b"\r\n"


def image(extra: bytes, body: bytes = GOOD) -> bytes:
    return get(b"Content-Type: image/png\r\n" + extra, b"POST /remove-background HTTP/1.1") + body


def form(body: bytes, boundary: bytes = b"XX") -> bytes:
    head = b"Content-Type: multipart/form-data; boundary=%s\r\nContent-Length: %d\r\n" % (boundary, len(body))
    return get(head, b"POST /remove-background HTTP/1.1") + body


def part(head: bytes | None = None, body: bytes = GOOD) -> bytes:
    head = HEAD if head is None else head
    return b"--XX\r\n" + head + b"\r\n\r\n" + body + b"\r\n"


def chunks(data: bytes, size: int, last: bytes = b"0\r\n\r\n") -> bytes:
    parts = (data[at : at + size] for at in range(0, len(data), size))
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in parts) + last


Codes = set[tuple[int, str]]
FINE: Final[Codes] = {(200, "")}
MISSING: Final[Codes] = {(400, "missing_image")}
BAD: Final[Codes] = {(400, "bad_request")}
CODING: Final[Codes] = {(400, "bad_request"), (501, "bad_request")}
LARGE: Final[Codes] = {(413, "upload_too_large")}
TYPE: Final[Codes] = {(415, "unsupported_format")}
UNKNOWN: Final[Codes] = {(400, "unknown_option")}


def chunked_form(size: int) -> bytes:
    return form(b"").replace(b"Content-Length: 0\r\n", CHUNKED) + chunks(part() + END, size)


END: Final = b"--XX--\r\n"
HEAD: Final = b'Content-Disposition: form-data; name="file"; filename="a.png"'
FORMS: Final[dict[str, tuple[bytes, Codes]]] = {
    "no bytes": (form(b""), MISSING),
    "only its end": (form(END), MISSING),
    "another boundary": (form(part() + END, b"YY"), MISSING),
    "no boundary": (form(part() + END).replace(b"; boundary=XX", b""), MISSING),
    "an empty boundary": (form(part() + END, b""), MISSING),
    "cut in a header": (form(part()[:30]), MISSING),
    "cut in the image": (form(part()[:300]), MISSING),
    "cut before its end": (form(part()), MISSING),
    "a boundary of 3 kB": (form((part() + END).replace(b"XX", b"X" * 3000), b"X" * 3000), FINE),
    "a boundary of 10 kB": (form(part() + END, b"X" * 10_000), {(431, "bad_request")}),
    "a part without a header": (form(part(b"") + END), MISSING),
    "a part without a name": (form(part(HEAD.replace(b'; name="file"', b"")) + END), {(400, "bad_request")}),
    "a name of 100 kB": (form(part(HEAD.replace(b"file\"", b"k" * 100_000 + b"\"")) + END), UNKNOWN),
    "a header of 100 kB": (form(part(b"X: %s\r\n" % (b"a" * 100_000) + HEAD) + END), FINE),
    "a file name that is not UTF-8": (form(part(HEAD.replace(b"a.png", b"\xff.png")) + END), FINE | MISSING),
    "a file name over two lines": (form(part(HEAD.replace(b"a.png", b"a\r\nX-Evil: 1")) + END), FINE | MISSING),
    "a part in UTF-7": (form(part(HEAD + b"\r\nContent-Type: text/plain; charset=utf-7") + END), FINE),
    "line feeds only": (form(b"--XX\n" + HEAD + b"\n\n" + GOOD + b"\n--XX--\n"), FINE | MISSING),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_malformed_form_is_a_client_error(server_fine: Gunicorn, name: str) -> None:
    data, allowed = FORMS[name]
    (answer,) = wire(server_fine, data)
    assert (answer.status, answer.code) in allowed, answer.body[:300]


PARTS: Final[dict[str, tuple[list[tuple[str, Any]], int, str, str]]] = {
    "2000 parts": ([(f"x{i}", (None, "a")) for i in range(2000)], 413, "upload_too_large", "parts"),
    "900 parts": ([(f"x{i}", (None, "a")) for i in range(900)], 400, "unknown_option", "'x0'"),
    "a text of 600 kB": ([("file", GOOD), ("quality", (None, "9" * 600_000))], 400, "bad_option", "quality"),
    "a text of 30 MB": ([("file", GOOD), ("quality", (None, "9" * 30_000_000))], 413, "upload_too_large", "16777216"),
    "the image as text": ([("file", (None, "abc"))], 400, "missing_image", "'file'"),
    "the image as text and file": ([("file", (None, "abc")), ("file", GOOD)], 400, "multiple_images", "2"),
    "the image twice": ([("file", GOOD), ("file", GOOD)], 400, "multiple_images", "2"),
    "the field of another service": ([("image_file", GOOD)], 400, "unknown_option", "did you mean 'file'?"),
    "another file": ([("file", GOOD), ("picture", GOOD)], 400, "unknown_option", "'picture'"),
    "an option as a file": ([("file", GOOD), ("quality", ("q.txt", "80"))], 400, "bad_option", "quality"),
    "an empty name": ([("file", GOOD), ("", (None, "x"))], 400, "unknown_option", "''"),
}


@pytest.mark.parametrize("name", PARTS)
def test_unexpected_form_parts_are_named(server_fine: Gunicorn, name: str) -> None:
    files, status, code, word = PARTS[name]
    answer = requests.post(f"{server_fine.url}/remove-background", files=files, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert word in answer.json()["details"]
    assert len(answer.content) < 2000


TOO_LONG: Final = b"Content-Length: 30000000\r\n"
LENGTHS: Final[dict[str, tuple[bytes, bool, Codes]]] = {
    "negative": (image(b"Content-Length: -5\r\n"), False, BAD),
    "with a plus": (image(b"Content-Length: +5\r\n"), False, BAD),
    "1e9": (image(b"Content-Length: 1e9\r\n"), False, BAD),
    "two of them": (image(LENGTH + b"Content-Length: 5\r\n"), False, BAD),
    "a list": (image(b"Content-Length: 5, 5\r\n"), False, BAD),
    "none": (image(b""), False, {(400, "empty_image")}),
    "shorter than the body": (image(b"Content-Length: 50\r\n"), False, {(422, "corrupt_image")}),
    "longer than the body": (image(b"Content-Length: 99999\r\n"), True, BAD),
    "30 MB, and no body": (image(TOO_LONG, b""), True, LARGE),
    "10³⁰": (image(b"Content-Length: 1%s\r\n" % (b"0" * 30)), True, BAD | LARGE),
    "chunked": (image(CHUNKED, chunks(GOOD, 100)), False, FINE),
    "chunked, byte by byte": (image(CHUNKED, chunks(GOOD, 1)), False, FINE),
    "chunked form": (chunked_form(99), False, FINE),
    "chunked and a length": (image(CHUNKED + LENGTH, chunks(GOOD, 100)), False, BAD),
    "chunked, then identity": (image(CHUNKED[:-2] + b", identity\r\n", chunks(GOOD, 100)), False, CODING),
    "an unknown coding": (image(CHUNKED.replace(b"chunked", b"xchunked")), False, CODING),
    "a chunk size of zz": (image(CHUNKED, b"zz\r\n" + GOOD), True, BAD),
    "a negative chunk size": (image(CHUNKED, b"-5\r\n" + GOOD), True, BAD),
    "a chunk size of 0x5": (image(CHUNKED, b"0x5\r\n" + GOOD), True, BAD),
    "a bad chunk after a good one": (image(CHUNKED, chunks(GOOD, 999, b"zz\r\n")), True, BAD),
    "a chunk without its end": (image(CHUNKED, b"5\r\n" + GOOD), True, BAD),
    "no last chunk": (image(CHUNKED, chunks(GOOD, 100, b"")), True, BAD),
    "a chunk that is cut": (image(CHUNKED, b"ffff\r\n" + GOOD), True, BAD),
    "30 MB of chunks": (image(CHUNKED, chunks(bytes(30_000_000), 1 << 20)), False, LARGE),
    "100-continue": (image(b"Expect: 100-continue\r\n" + LENGTH), False, FINE),
    "100-continue and 30 MB": (image(b"Expect: 100-continue\r\n" + TOO_LONG, bytes(30_000_000)), False, LARGE),
    "another expectation": (image(b"Expect: 200-ok\r\n" + LENGTH), False, {(417, "bad_request")}),
    "gzip": (image(b"Content-Encoding: gzip\r\n" + LENGTH), False, TYPE),
    "an unknown encoding": (image(b"Content-Encoding: " + b"x" * 5000 + b"\r\n" + LENGTH), False, TYPE),
    "identity": (image(b"Content-Encoding: Identity\r\n" + LENGTH), False, FINE),
    "range and condition": (image(b"Range: bytes=0-1\r\nIf-None-Match: *\r\n" + LENGTH), False, FINE),
}  # fmt: skip


@pytest.mark.parametrize("name", LENGTHS)
def test_wrong_body_length_gets_exactly_one_answer(server_fine: Gunicorn, name: str) -> None:
    data, end, allowed = LENGTHS[name]
    answers = wire(server_fine, data, end=end)
    assert len(answers) == 1
    assert (answers[0].status, answers[0].code) in allowed, answers[0].body[:300]


@pytest.mark.parametrize(
    "data",
    [
        image(CHUNKED + LENGTH, b"0\r\n\r\n" + get(line=b"GET /smuggled HTTP/1.1")),
        image(CHUNKED, b"zz\r\n" + get(line=b"GET /smuggled HTTP/1.1")),
        image(b"Content-Length: 5\r\nContent-Length: 0\r\n", get(line=b"GET /smuggled HTTP/1.1")),
    ],
    ids=["chunked and length", "bad chunk", "two lengths"],
)
def test_request_smuggled_after_a_broken_body_is_ignored(server_fine: Gunicorn, data: bytes) -> None:
    answers = wire(server_fine, data.replace(b"Connection: close\r\n", b""), end=True)
    assert [(a.status, a.code) for a in answers] == [(400, "bad_request")]


HEADS: Final[dict[str, tuple[bytes, int, str]]] = {
    "101 headers": (get(b"".join(b"X-%d: a\r\n" % i for i in range(101))), 431, "bad_request"),
    "a header of 9 kB": (get(b"X-A: %s\r\n" % (b"a" * 9000)), 431, "bad_request"),
    "a path of 5 kB": (get(line=b"GET /%s HTTP/1.1" % (b"a" * 5000)), 414, "bad_request"),
    "a method of 5 kB": (get(line=b"A" * 5000 + b" / HTTP/1.1"), 414, "bad_request"),
    "a bare CR": (get(b"X-A: a\rX-B: b\r\n"), 400, "bad_request"),
    "NUL": (get(b"X-A: a\0b\r\n"), 400, "bad_request"),
    "a space before the colon": (get(b"X-A : a\r\n"), 400, "bad_request"),
    "a folded line": (get(b"X-A: a\r\n  b\r\n"), 400, "bad_request"),
    "no colon": (get(b"X-A\r\n"), 400, "bad_request"),
    "a lower-case method": (get(line=b"get / HTTP/1.1"), 400, "bad_request"),
    "a method of two words": (get(line=b"GE T / HTTP/1.1"), 400, "bad_request"),
    "HTTP/0.9": (b"GET /health/live\r\n\r\n", 400, "bad_request"),
    "HTTP/1.0": (b"GET /health/live HTTP/1.0\r\n\r\n", 200, ""),
    "HTTP/9.9": (get(line=b"GET / HTTP/9.9"), 400, "bad_request"),
    "an HTTP/2 preface": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, "bad_request"),
    "an upgrade to h2c": (get(b"Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n"), 200, ""),
    "bytes in the path": (get(line=b"GET /\xff\xfe HTTP/1.1"), 400, "bad_request"),
    "NUL in the path": (get(line=b"GET /%00 HTTP/1.1"), 404, "not_found"),
    "no UTF-8 in the path": (get(line=b"GET /%ff%fe HTTP/1.1"), 404, "not_found"),
    "dots in the path": (get(line=b"GET /static/..%2f..%2fconfig.py HTTP/1.1"), 404, "not_found"),
    "a whole address": (get(line=b"GET http://evil.com/health/live HTTP/1.1"), 200, ""),
    "OPTIONS *": (get(line=b"OPTIONS * HTTP/1.1"), 404, "not_found"),
    "two hosts": (get(b"Host: b\r\n"), 400, "bad_request"),
    "no host in HTTP/1.0": (b"GET /health/live HTTP/1.0\r\n\r\n", 200, ""),
    "a host of 300 letters": (get(host=b"Host: %s\r\n" % (b"x" * 300)), 400, "bad_request"),
}


@pytest.mark.parametrize("name", HEADS)
def test_malformed_head_is_refused_in_json(server_alive: Gunicorn, name: str) -> None:
    data, status, code = HEADS[name]
    (answer,) = wire(server_alive, data)
    assert (answer.status, answer.code) == (status, code)
    assert b"evil.com" not in answer.body


@pytest.mark.parametrize("host", [b"evil.com", b"evil.com:99999", b"[::1", b"a b", b"", b"\xc3\xa9"])
@pytest.mark.parametrize("path", [b"/", b"/openapi.json", b"/remove-background"])
def test_response_never_contains_the_host_header(server: Gunicorn, path: bytes, host: bytes) -> None:
    (answer,) = wire(server, get(b"Accept: application/json\r\n", b"GET %s HTTP/1.1" % path, b"Host: %s\r\n" % host))
    assert answer.status in (200, 400, 405)
    assert b"evil" not in answer.body
    assert "location" not in answer.headers


@pytest.fixture(scope="module")
def picky() -> Iterator[Gunicorn]:
    """A server with the default hosts, and one of its own."""
    with QuickGunicorn(ALLOWED_HOSTS="api.example") as running:
        yield running


@pytest.mark.parametrize("path", [b"/", b"/health", b"/metrics", b"/nothing", b"/static/docs.js", b"/v1.0/removebg"])
def test_request_to_another_host_is_refused_everywhere(picky: Gunicorn, path: bytes) -> None:
    line = b"GET %s HTTP/1.1" % path
    (answer,) = wire(picky, get(line=line, host=b"Host: evil.example\r\n"))
    assert answer.status == 421
    assert b"host_not_allowed" in answer.body
    assert "location" not in answer.headers
    for host in (b"api.example", b"127.0.0.1:5001", b"localhost"):
        (answer,) = wire(picky, get(line=line, host=b"Host: %s\r\n" % host))
        assert answer.status != 421


@pytest.mark.parametrize(
    "path", [b"//", b"//evil.com", b"/v1.0//removebg", b"//health", b"//metrics", b"//evil.com/..", b"/static//docs.js"]
)
def test_double_slash_leads_nowhere(server: Gunicorn, path: bytes) -> None:
    (answer,) = wire(server, get(line=b"POST %s HTTP/1.1" % path, host=b"Host: evil.com\r\n"))
    assert answer.status in (404, 405)
    assert "location" not in answer.headers


def test_tls_on_the_plain_port_is_dropped(server_alive: Gunicorn) -> None:
    assert {a.status for a in wire(server_alive, b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" * 9, end=True)} <= {400}


def test_fifty_pipelined_requests_are_answered_in_order(server_fine: Gunicorn) -> None:
    asked = [get(b"X-Request-ID: n%d\r\n" % i).replace(b"Connection: close\r\n", b"") for i in range(49)]
    answers = wire(server_fine, b"".join(asked) + get(b"X-Request-ID: n49\r\n"))
    assert [answer.headers["x-request-id"] for answer in answers] == [f"n{i}" for i in range(50)]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PUT", "PATCH", "DELETE", "PROPFIND", "BREW", "GET", "HEAD"])
@pytest.mark.parametrize("path", ["/remove-background", JSON_PATH, "/read-file"])
def test_unsupported_method_is_405_with_the_allowed_methods(server: Gunicorn, path: str, method: str) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers={"Origin": "https://example.org"})
        answer = connection.getresponse()
        body = answer.read()
    assert answer.status == 405
    assert set(str(answer.getheader("Allow")).split(", ")) == {"OPTIONS", "POST"}
    assert answer.getheader("Access-Control-Allow-Origin") == (None if path == "/read-file" else "*")
    assert method == "HEAD" or orjson.loads(body)["code"] == "method_not_allowed"


NAMES: Final = {
    "../../etc/passwd": "passwd",
    "..\\..\\evil.png": "evil",
    "a\0b.png": "ab",
    "a" * 10_000 + ".png": "a" * 100,
    "\u202egnp.exe": "gnp",
    "a\u2028b\u200b.png": None,
    "😀 é.png": "😀 é",
    "€.png": "€",
    "é.png": "é",
    "...": "image",
    "a;b=c.png": None,
    "%0d%0aX-Evil: 1.png": None,
    "a/b/": None,
}


@pytest.mark.parametrize("name", NAMES, ids=lambda name: ascii(name)[:24])
def test_any_file_name_gives_a_safe_content_disposition(server_alive: Gunicorn, name: str) -> None:
    body = part(b'Content-Disposition: form-data; name="file"; filename="%s"' % name.encode()) + END
    (answer,) = wire(server_alive, form(body))
    assert answer.status == 200, answer.body[:300]
    value = answer.headers["content-disposition"]
    assert re.fullmatch(r"attachment; filename[ -~]+", value)
    assert not {"x-evil"} & set(answer.headers)
    assert not re.search(r"[/\\]|\.\.|%0|%2f|%5c|%e2%80", value, re.I)
    plain = re.search(r'filename="?([^";]*)', value)
    extended = re.search(r"filename\*=UTF-8''(\S+)", value)
    assert plain or extended
    seen = unquote(extended[1]) if extended else plain[1] if plain else ""
    assert seen.endswith("-no-bg.png")
    assert len(seen) <= 120
    if NAMES[name]:
        assert seen == f"{NAMES[name]}-no-bg.png"


def post_json(server: Gunicorn, body: bytes, kind: str | None = "application/json") -> requests.Response:
    headers: Any = {"Content-Type": kind}
    return requests.post(server.url + JSON_PATH, data=body, headers=headers, timeout=30)


BODIES: Final = {
    "no bytes": b"",
    "white space": b"  \n",
    "not UTF-8": b'{"image":"\xff\xfe"}',
    "UTF-16": '{"image":"a"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf{}",
    "100 000 open arrays": b"[" * 100_000,
    "100 000 open objects": b'{"a":' * 100_000,
    "an array": b"[]",
    "null": b"null",
    "a text": b'"a"',
    "a number": b"5",
    "two objects": b"{} {}",
    "a comment": b"{/*a*/}",
    "a trailing comma": b'{"image":"a",}',
    "NaN": b'{"image":"a","feather":NaN}',
    "Infinity": b'{"image":"a","feather":-Infinity}',
    "1e400": b'{"image":"a","feather":1e400}',
    "an integer of 400 digits": b'{"image":"a","quality":%s}' % (b"9" * 400),
    "half a surrogate pair": b'{"image":"\\ud800"}',
    "a form": b"image=abc",
}


@pytest.mark.parametrize("path", [JSON_PATH, "/read-file"])
@pytest.mark.parametrize("name", BODIES)
def test_invalid_json_is_refused(server_alive: Gunicorn, path: str, name: str) -> None:
    answer = requests.post(server_alive.url + path, data=BODIES[name], timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_json")
    assert len(answer.content) < 1000


ODD_KEYS: Final = {
    "an empty name": (b'{"":1}', "unknown_option"),
    "NUL": (b'{"\\u0000":1}', "unknown_option"),
    "__proto__": (b'{"__proto__":{"a":1}}', "unknown_option"),
    "a name of 1 MB": (b'{"%s":1}' % (b"k" * 1_000_000), "unknown_option"),
    "100 000 names": (b"{%s}" % b",".join(b'"k%d":1' % i for i in range(100_000)), "unknown_option"),
    "an option 900 arrays deep": (b'{"image":"%s","quality":%s}' % (BASE64, b"[" * 900 + b"]" * 900), "bad_option"),
    "an option that is an object": (b'{"image":"%s","format":{"a":1}}' % BASE64, "bad_option"),
    "an option that is true": (b'{"image":"%s","quality":true}' % BASE64, "bad_option"),
    "an option that is a list": (b'{"image":"%s","background":[1,2,3]}' % BASE64, "bad_option"),
    "a bad option given twice": (b'{"image":"%s","quality":80,"quality":5}' % BASE64, "bad_option"),
    "data_uri=maybe": (b'{"image":"%s","data_uri":"maybe"}' % BASE64, "bad_option"),
}


@pytest.mark.parametrize("name", ODD_KEYS)
def test_unusual_json_names_and_values_are_refused(server_alive: Gunicorn, name: str) -> None:
    body, code = ODD_KEYS[name]
    answer = post_json(server_alive, body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert len(answer.content) < 2000


IMAGES: Final[dict[str, tuple[object, int, str]]] = {
    "in lines": ("\n".join(re.findall(".{1,60}", BASE64.decode())), 200, ""),
    "with spaces around": (f"  {BASE64.decode()}\r\n", 200, ""),
    "a data URI": (f"data:image/png;base64,{BASE64.decode()}", 200, ""),
    "a data URI of another type": (f"DATA:text/html;BASE64,{BASE64.decode()}", 200, ""),
    "a data URI without base64": (f"data:image/png,{BASE64.decode()}", 400, "bad_base64"),
    "only data:": ("data:", 400, "bad_base64"),
    "an address": ("https://example.org/a.png", 400, "bad_base64"),
    "the URL alphabet": ("-_" * 50, 400, "bad_base64"),
    "no padding": (base64.b64encode(GOOD + b"a" * (1 + -len(GOOD) % 3)).decode().rstrip("="), 400, "bad_base64"),
    "padding in the middle": ("QUJD=QUJD", 400, "bad_base64"),
    "full-width letters": ("ＡＢＣＤ", 400, "bad_base64"),
    "NUL at the end": (BASE64.decode() + "\0", 400, "bad_base64"),
    "30 MB": ("A" * 30_000_000, 413, "upload_too_large"),
    "white space": (" \n ", 400, "empty_image"),
    "nothing": ("", 400, "missing_image"),
    "null": (None, 400, "missing_image"),
    "a number": (5, 400, "bad_base64"),
    "an object": ({}, 400, "bad_base64"),
    "a list": (["a", "b"], 400, "multiple_images"),
}


@pytest.mark.parametrize("name", IMAGES)
def test_base64_is_accepted_only_in_its_common_forms(server_alive: Gunicorn, name: str) -> None:
    value, status, code = IMAGES[name]
    answer = post_json(server_alive, orjson.dumps({"image": value}))
    assert (answer.status_code, answer.json().get("code", "")) == (status, code)
    if status == 200:
        with Image.open(io.BytesIO(base64.b64decode(answer.json()["image"]))) as result:
            assert result.size == (96, 64)


KINDS: Final[dict[str | None, tuple[int, str]]] = {
    None: (200, ""),
    "image/png": (200, ""),
    "image/jpeg": (200, ""),
    "IMAGE/X-ANYTHING": (200, ""),
    "application/octet-stream": (200, ""),
    "text/plain": (415, "unsupported_format"),
    "application/json; charset=utf-7": (400, "bad_json"),
    "multipart/mixed; boundary=XX": (415, "unsupported_format"),
    "multipart/form-data": (400, "missing_image"),
    "application/x-www-form-urlencoded": (400, "missing_image"),
    "*/*": (415, "unsupported_format"),
    "x" * 3000: (415, "unsupported_format"),
}


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: str(kind)[:24])
def test_content_type_decides_how_a_body_is_read(server_alive: Gunicorn, kind: str | None) -> None:
    headers: Any = {"Content-Type": kind}
    answer = requests.post(f"{server_alive.url}/remove-background", data=GOOD, headers=headers, timeout=30)
    code = "" if answer.ok else answer.json()["code"]
    assert (answer.status_code, code) == KINDS[kind]
    assert len(answer.content) < (20_000 if answer.ok else 5000)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        ("", "image/png"),
        ("*/*", "image/png"),
        (",".join(["*/*"] * 1000), "image/png"),
        ("a" * 8000, "image/png"),
        ("text/html", "image/png"),
        ("image/*;q=0", "image/png"),
        ("application/json;q=bad", "image/png"),
        (";q=1, ,;;", "image/png"),
        ("image/webp;q=0", "image/png"),
        ("image/webp;q=0, image/jpeg;q=0.1", "image/jpeg"),
        ("image/webp;q=0.5, image/jpeg;q=0.9", "image/jpeg"),
        ("image/webp;q=NaN", "image/png"),
        ("application/json;q=0.1, image/*", "image/png"),
        ("application/json, image/*;q=0.1", "application/json"),
    ],
    ids=lambda value: value[:36],
)
def test_any_accept_header_gives_a_result(server: Gunicorn, accept: str, kind: str) -> None:
    answer = requests.post(
        f"{server.url}/remove-background", files={"file": GOOD}, headers={"Accept": accept}, timeout=30
    )
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind)


@pytest.mark.parametrize("given", ["a" * 128, "A-b_c.9", "0"])
def test_valid_request_id_is_kept(server: Gunicorn, given: str) -> None:
    answer = requests.get(f"{server.url}/nothing", headers={"X-Request-ID": given}, timeout=10)
    assert answer.headers["X-Request-ID"] == answer.json()["request_id"] == given


@pytest.mark.parametrize(
    "given",
    [b"a" * 129, b"a" * 8000, b"${jndi:ldap://evil}", b"a b", b"", b"\xc3\xa9", b"a,b", b"<script>", b'"', b"a%0d%0ab"],
)
def test_invalid_request_id_is_replaced(server: Gunicorn, given: bytes) -> None:
    (answer,) = wire(server, get(b"X-Request-ID: %s\r\n" % given, b"GET /nothing HTTP/1.1"))
    assert answer.code == "not_found"
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


def test_duplicate_or_underscored_request_id_is_replaced(server: Gunicorn) -> None:
    for extra in (b"X-Request-ID: a\r\nX-Request-ID: b\r\n", b"X_Request_ID: a\r\n"):
        (answer,) = wire(server, get(extra))
        assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])


@pytest.fixture(scope="module")
def private() -> Iterator[Gunicorn]:
    """A server behind one proxy that allows one origin."""
    with QuickGunicorn(RATE_LIMIT_ENABLED="true", TRUSTED_PROXIES=1, CORS_ORIGINS="https://good.com") as running:
        yield running


ORIGINS: Final = ("https://good.com", "null", "https://good.com.evil.com", "https://evilgood.com", "http://good.com",
                  "https://good.com:444", "HTTPS://GOOD.COM", "https://good.com/", "*", "a" * 5000)  # fmt: skip


@pytest.mark.parametrize("origin", ORIGINS, ids=lambda origin: origin[:32])
def test_cors_grants_only_the_listed_origin(private: Gunicorn, origin: str) -> None:
    preflight = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    for method, path, extra in (
        ("GET", "/nothing", {}),
        ("OPTIONS", "/remove-background", preflight),
        ("POST", "/remove-background", {}),
    ):
        answer = requests.request(method, private.url + path, headers={"Origin": origin, **extra}, timeout=10)
        granted = answer.headers.get("Access-Control-Allow-Origin")
        assert granted in ((origin,) if origin.lower() == "https://good.com" else (None, "https://good.com"))
        assert "Access-Control-Allow-Credentials" not in answer.headers
        assert "Access-Control-Allow-Private-Network" not in answer.headers
        assert "Origin" in answer.headers.get("Vary", "Origin")


def test_large_preflight_grants_no_foreign_header_and_uses_no_quota(private: Gunicorn) -> None:
    names = ", ".join(f"x-evil-{i}" for i in range(300))
    headers = {
        "Origin": "https://good.com",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": f"content-type, {names}",
        "X-Forwarded-For": "198.51.100.7",
    }
    for _ in range(3):
        answer = requests.options(f"{private.url}/remove-background", headers=headers, timeout=10)
        assert answer.status_code == 200
        assert "x-evil" not in answer.headers.get("Access-Control-Allow-Headers", "").lower()
    asked = requests.post(f"{private.url}/remove-background", headers={"X-Forwarded-For": "198.51.100.7"}, timeout=10)
    assert asked.headers["X-RateLimit-Remaining"] == "9"


FORWARDED: Final = (
    "evil", "", ",", "1.2.3", "1.2.3.4.5", "0x7f.1", "fe80::1%eth0", "::ffff:999.1.1.1", "1.1.1.1 2.2.2.2", "'; DROP",
    ", ".join(["9.9.9.9"] * 200) + ", evil", "１.１.１.１", "localhost",
)  # fmt: skip


def test_invalid_forwarded_addresses_share_the_peers_quota(private: Gunicorn) -> None:
    """Every kind of bad X-Forwarded-For counts once in the same quota."""
    left = []
    for forwarded in FORWARDED:
        (answer,) = wire(
            private,
            get(b"Accept: application/json\r\nX-Forwarded-For: %s\r\n" % forwarded.encode(), b"GET / HTTP/1.1"),
        )
        assert answer.status == 200
        left.append(int(answer.headers["x-ratelimit-remaining"]))
    assert left == list(range(left[0], left[0] - len(left), -1))


def test_other_forwarding_headers_are_ignored(private: Gunicorn) -> None:
    headers = {
        "Accept": "application/json",
        "X-Forwarded-For": "198.51.100.9",
        "X-Forwarded-Proto": "evil",
        "X-Forwarded-Host": "evil.com",
        "X-Forwarded-Prefix": "/evil",
        "Forwarded": "for=1.1.1.1;host=evil.com",
        "X-Real-IP": "1.1.1.1",
        "True-Client-IP": "1.1.1.1",
    }
    plain = requests.get(private.url, headers={**dict(list(headers.items())[:2])}, timeout=10)
    full = requests.get(private.url, headers=headers, timeout=10)
    assert full.json() == plain.json()
    assert int(full.headers["X-RateLimit-Remaining"]) == int(plain.headers["X-RateLimit-Remaining"]) - 1


def test_disconnected_callers_free_their_places(server_fine: Gunicorn) -> None:
    big = corpus.encode(corpus.photo().resize((4000, 4000)), "JPEG", quality=30)
    for _ in range(4):
        with socket.create_connection(("127.0.0.1", server_fine.port), 10) as connection:
            connection.sendall(image(b"Content-Length: %d\r\n" % len(big), big))
    poll(lambda: load(server_fine) == [0.0, 0.0] and answers_soon(server_fine), 30, "an idle server")


def test_unfinished_bodies_do_not_block_other_clients() -> None:
    settings: dict[str, Any] = {"REQUEST_TIMEOUT_SECONDS": 3, "MAX_RUNNING_IMAGES": 1, "MAX_WAITING_IMAGES": 1}
    with QuickGunicorn(**settings) as server, contextlib.ExitStack() as slow_ones:
        # Twice as many as WEB_THREADS.
        for _ in range(20):
            slow = slow_ones.enter_context(socket.create_connection(("127.0.0.1", server.port), 10))
            slow.sendall(image(b"Content-Length: 99999\r\n"))
        end = time.monotonic() + 15
        while not (answered := answers_soon(server)) and time.monotonic() < end:
            pass
        assert answered


def load(server: Gunicorn) -> list[float]:
    text = requests.get(f"{server.url}/metrics", timeout=10).text
    return [float(value) for value in re.findall(r"^bg_remover_(?:in_flight|waiting) (\S+)$", text, re.M)]


def answers_soon(server: Gunicorn) -> bool:
    start = time.monotonic()
    try:
        return requests.get(f"{server.url}/health/live", timeout=3).ok and time.monotonic() - start < 3
    except requests.RequestException:
        return False
