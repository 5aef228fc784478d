"""URLs are read once and strictly: what readers disagree about is refused, and nothing of it is repeated."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.net.errors import BadURL
from services.net.urls import Target, join_url, parse_url

GOOD = {
    "http://example.org": ("http", "example.org", 80, "/"),
    "https://example.org": ("https", "example.org", 443, "/"),
    "HTTP://Example.ORG.:80/A?b=C": ("http", "example.org", 80, "/A?b=C"),
    "https://example.org:8443/x": ("https", "example.org", 8443, "/x"),
    "http://example.org?x=1": ("http", "example.org", 80, "/?x=1"),
    "http://example.org/a%20b?q=%2F&s=a+b/c": ("http", "example.org", 80, "/a%20b?q=%2F&s=a+b/c"),
    "http://example.org/ü": ("http", "example.org", 80, "/%C3%BC"),
    "http://example.org/a#part": ("http", "example.org", 80, "/a"),
    "http://evil.example#@good.example/": ("http", "evil.example", 80, "/"),
    "http://bücher.example/": ("http", "xn--bcher-kva.example", 80, "/"),
    "http://аррӏе.com/": (
        "http",
        "xn--80ak6aa92e.com",
        80,
        "/",
        # Cyrillic: a name of its own, not the one it looks like.
    ),
    "http://my_bucket.example/": ("http", "my_bucket.example", 80, "/"),
    "http://127.0.0.1/": ("http", "127.0.0.1", 80, "/"),
    "http://127。0。0。1/": ("http", "127.0.0.1", 80, "/"),
    "http://①②⑦.⓪.⓪.①/": ("http", "127.0.0.1", 80, "/"),
    "http://１２７.0.0.1/": ("http", "127.0.0.1", 80, "/"),
    "http://[::FFFF:127.0.0.1]:80/": ("http", "::ffff:7f00:1", 80, "/"),
}
BAD = (
    "",
    "example.org/a.png",
    "//example.org/a.png",
    "http:",
    "HTTP:",
    "http:/example.org",
    "http:example.org",
    "http://",
    "http:///x",
    "http://?x",
    "http://:80/",
    "file:///etc/passwd",
    "ftp://example.org/a",
    "gopher://example.org:70/_x",
    "dict://example.org:11211/stat",
    "jar:http://example.org/a!/b",
    "data:image/png;base64,AAAA",
    "s3://bucket/key",
    "http://user@example.org/",
    "http://good.example@evil.example/",
    "http://user:pass@example.org/",
    "http://@example.org/",
    "http://good.example\\@evil.example/",
    "http:\\\\evil.example/",
    "\\\\evil.example\\share",
    "http://exam\tple.org/",
    "http://example.org/\r\nX-Injected:1",
    "http://example.org/a b",
    " http://example.org/",
    "http://example.org/\u00a0",
    "http://example.org/\u2028",
    "http://example.org/\0",
    "http://example.org:80:80/",
    "http://example.org:-1/",
    "http://example.org:0/",
    "http://example.org:65536/",
    "http://example.org:/",
    "http://example.org:8o/",
    "http://example.org:８０/",
    "http://exam%70le.org/",
    "http://exam℀ple.org/",
    "http://a..example/",
    "http://-a.example/",
    "http://.example/",
    "http://./",
    "http://a" + "a" * 63 + ".example/",
    "http://" + "a." * 127 + "example/",
    "http://" + "ü" * 3000 + "/",
    "http://xn--99999999999999/",
    "http://xn--a.example/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://127.1/",
    "http://127.0.0.01/",
    "http://0/",
    "http://0x/",
    "http://256.1.1.1/",
    "http://1.2.3.4.5/",
    "http://example.1/",
    "http://[::1/",
    "http://::1/",
    "http://[::1]x/",
    "http://[fe80::1%25eth0]/",
    "http://[fe80::1%eth0]/",
    "http://[v1.fe]/",
    "http://[127.0.0.1]/",
    "http://[::12345]/",
    "http://example.org/" + "a" * 10_000,
)


@pytest.mark.parametrize("url", GOOD)
def test_a_url_is_read(url: str) -> None:
    assert parse_url(url) == Target(*GOOD[url])


@pytest.mark.parametrize("url", BAD, ids=lambda url: repr(url)[:40])
def test_a_doubtful_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(BadURL) as refused:
        parse_url(url)
    assert refused.value.details
    assert "evil" not in refused.value.details


@given(st.text(max_size=60) | st.from_regex(r"https?://[^/]{0,30}(/.{0,20})?", fullmatch=True))
def test_any_text_is_refused_or_parses_to_a_stable_url(text: str) -> None:
    try:
        target = parse_url(text)
    except BadURL:
        return
    assert parse_url(target.url) == target
    assert target.host.isascii()
    assert target.path.isascii()


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("/b", "http://example.org:8080/b"),
        ("b?c", "http://example.org:8080/x/b?c"),
        ("//other.example/b", "http://other.example/b"),
        ("https://other.example", "https://other.example/"),
        ("../../../b", "http://example.org:8080/b"),
        ("?d", "http://example.org:8080/x/a?d"),
    ],
)
def test_redirect_is_resolved_against_its_base(location: str, url: str) -> None:
    assert join_url(parse_url("http://example.org:8080/x/a"), location).url == url
