"""TLS, HTTP/2, IPv6, headers and names: what a client sees of nginx itself."""

import io
import re
import ssl
import warnings

import httpx
import pytest
import requests
from PIL import Image

from tests.support.gunicorn import Gunicorn, QuickGunicorn
from tests.support.servers.nginx import CONF, HAS_IPV6, NAME, ONCE, Nginx


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


def test_plain_http_on_the_tls_port_is_400(without_app: Nginx) -> None:
    answer = requests.get(f"http://127.0.0.1:{without_app.https}/", timeout=10)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_request")


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
def test_host_reaches_the_app_which_answers_only_to_its_own_names(http2: bool) -> None:
    with (
        QuickGunicorn(ALLOWED_HOSTS="api.example", TRUSTED_PROXIES=1) as named,
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


@pytest.mark.parametrize("folder", ["/files/", "/archives/", "/i/"])
def test_signed_link_is_not_in_the_log(nginx: Nginx, client: httpx.Client, folder: str) -> None:
    client.get(f"{folder}a-signature/format:png/x.png?a=b", headers={"X-Request-ID": f"signed-{folder[1]}"})
    line = nginx.logged(f"signed-{folder[1]}")
    assert line["path"] == f"{folder}…"
    assert "a-signature" not in str(line)


def test_log_is_utf8_whatever_a_client_sends(without_app: Nginx) -> None:
    request = (
        b"GET /caf\xe9?x HTTP/1.1\r\nHost: a\r\nUser-Agent: curl \xff\xed\xa0\x80\r\nX-Request-ID: no-utf8\r\n\r\n"
    )
    without_app.exchange(request)
    line = without_app.logged("no-utf8")
    assert (line["path"], line["user_agent"]) == ("/caf", "curl ")


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
