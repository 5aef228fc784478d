"""Options that are not allowed, on all three removal endpoints, in query, form and JSON: named, explained, bounded."""

import base64
import io
from collections.abc import Callable
from typing import Any, Final

import pytest
import requests
from PIL import Image

from services.imaging.options import PRESETS, option_names
from tests.support import corpus
from tests.support.servers import Gunicorn

GOOD: Final = corpus.encode(corpus.photo(), "PNG")
BASE64: Final = base64.b64encode(GOOD).decode()
REMOVE, PREVIEW, JSON = "/remove-background", "/remove-background-preview", "/remove-background-base64"


def by_form(server: Gunicorn, path: str, options: Any) -> requests.Response:
    return requests.post(server.url + path, files={"file": GOOD}, data=options, timeout=30)


def by_query(server: Gunicorn, path: str, options: Any) -> requests.Response:
    body: dict[str, Any] = {"json": {"image": BASE64}} if path == JSON else {"files": {"file": GOOD}}
    return requests.post(server.url + path, params=options, **body, timeout=30)


def by_raw_body(server: Gunicorn, path: str, options: Any) -> requests.Response:
    return requests.post(
        server.url + path, params=options, data=GOOD, headers={"Content-Type": "image/png"}, timeout=30
    )


def by_json(server: Gunicorn, path: str, options: Any) -> requests.Response:
    return requests.post(server.url + path, json={"image": BASE64, **dict(options)}, timeout=30)


Send = Callable[[Gunicorn, str, Any], requests.Response]
WAYS: Final = [
    pytest.param(send, path, id=f"{path} {send.__name__}")
    for path, sends in {
        REMOVE: (by_form, by_query, by_raw_body),
        PREVIEW: (by_form, by_query, by_raw_body),
        JSON: (by_json, by_query),
    }.items()
    for send in sends
]
NO_NUMBERS: Final = (
    "abc", "NaN", "nan", "Infinity", "-inf", "1e400", "1e2", "0x50", "８０", "٨٠", "1_0", "80%", "80px", "--80", "8 0",
    "80\0", "None", "null", "true", "[80]", "80;DROP", "+", ".", "99999999999999999999",
)  # fmt: skip
SOME: Final = ("abc", "NaN", "Infinity", "1e400", "８０", "1_0", "80\0", "99999999999999999999")
LENGTHS: Final = ("abc", "-5px", "5em", "1e2%", "５%", "5 px", "5px,5px", "NaN%", "%", "10%\0", "auto", "calc(1px)")
BAD: Final[dict[str, tuple[tuple[str, ...], str]]] = {
    "format": (
        ("svg", "gif", "../png", "png%00", "png\0", "ｐｎｇ", "image/png", "png,webp", "bmp", "0"), "png, webp, jpeg"
    ),
    "quality": ((*NO_NUMBERS, "9", "101", "0", "-1", "80.5"), "from 10 to 100"),
    "max_width": ((*SOME, "0", "-1", "16385", "99.5"), "from 1 to 16384"),
    "max_height": ((*SOME, "0", "-1", "16385", "99.5"), "from 1 to 16384"),
    "preset": (("Web2", "none", "__class__", "web\0", "web,print", "0"), ", ".join(PRESETS)),
    "prompt": (
        ("here", "[]", "{}", "[{}]", "null", "1", '[{"type": "point", "data": [1]}]', "[" * 190,
         '[{"type": "circle", "data": [1, 2]}]', '[{"type": "point", "data": [1, NaN]}]',
         '[{"type": "point", "data": [1, 1e400]}]'),
        "a JSON list of 1 to 32 marks",
    ),
    "output": (("alpha", "foreground", "cutout,mask", "1"), "cutout, mask"),
    "edges": (("hard", "none", "soft\0", "1"), "soft, refined, matting"),
    "decontaminate": (("2", "ja", "-1", "yes\0", "null"), "true, false, 1, 0, yes, no, on, off"),
    "smooth": (("2", "ja", "-1", "yes\0", "null"), "true, false, 1, 0, yes, no, on, off"),
    "keep_alpha": (("2", "ja", "-1", "yes\0", "null"), "true, false, 1, 0, yes, no, on, off"),
    "max_pixels": ((*SOME, "0", "-1", "99.5"), "a whole number from 256 to 500000000"),
    "feather": ((*SOME, "-1", "-0.1", "100.1", "101"), "from 0 to 100"),
    "alpha_boost": ((*SOME, "0", "0.09", "5.1", "-1"), "from 0.1 to 5"),
    "threshold": ((*SOME, "-1", "256", "0.5"), "from 0 to 255"),
    "background": (
        ("#12345", "#1", "12", "#1234567", "#123456789", "rgb(", "rgb(1,2,3)", "hsl(0,1%,1%)", "url(http://127.0.0.1/)",
         "#ggg", "＃fff", "#ff٠", "whitee", "-1", "##fff", "#fff;", "var(--x)", "red blue", "#fff\0"),
        "hex of 3, 4, 6 or 8 digits",
    ),
    "crop": (("2", "ja", "tru", "-1", "yes\0", "null", "box"), "true, false, 1, 0, yes, no, on, off"),
    "crop_margin": ((*LENGTHS, "5", "1px 2px 3px", "1px 2px 3px 4px 5px"), "one, two or four of 30px, 10% or 0"),
    "scale": ((*LENGTHS, "9%", "101%", "50px", "center", "50% 50%"), "10% to 100%, or original"),
    "position": ((*LENGTHS, "left", "50", "50px", "101%", "0 0 0", "center center"), "original, center, 'n%'"),
    "roi": ((*LENGTHS, "0", "0 0 100%", "0 0 1 1", "0 0 100% 100% 0"), "inside the image and not empty"),
    "shadow": (("car", "3D", "true", "drop,contact", "0"), "none, drop, contact"),
    "shadow_opacity": ((*SOME, "-1", "101", "0.5"), "from 0 to 100"),
}  # fmt: skip


def test_every_option_but_the_model_is_covered() -> None:
    assert set(BAD) | {"model"} == set(option_names())


@pytest.mark.parametrize(("send", "path"), WAYS)
@pytest.mark.parametrize("option", BAD)
def test_a_bad_value_is_named_with_its_option_and_what_is_allowed(
    server: Gunicorn, send: Send, path: str, option: str
) -> None:
    values, allowed = BAD[option]
    for value in values:
        answer = send(server, path, {option: value})
        assert answer.status_code == 400, f"{option}={value!r}: {answer.status_code}"
        body = answer.json()
        assert body["code"] == "bad_option"
        assert body["details"].startswith(f"{option} is {value!r}; allowed: ")
        assert allowed in body["details"].partition("allowed: ")[2]


# A list of one is that one: a form or a query can't tell them apart either.
TAKEN: Final[list[tuple[str, object]]] = [
    ("feather", 5.5), ("feather", [80]), ("quality", [80]), ("max_width", [80]),
]  # fmt: skip


@pytest.mark.parametrize(
    "value",
    [True, False, 5.5, -1, 10**30, 1.5e300, [], [80], [80, 90], {}, {"a": 1}, [[80]]],
    ids=str,
)
@pytest.mark.parametrize("option", ["quality", "format", "background", "preset", "feather", "model", "max_width"])
def test_json_values_of_other_types_are_refused_or_mean_absent(server: Gunicorn, option: str, value: object) -> None:
    answer = by_json(server, JSON, {option: value})
    if value == [] or (option, value) in TAKEN:
        assert answer.status_code == 200, answer.text[:300]
        return
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")
    assert answer.json()["details"].startswith(f"{option} is ")


@pytest.mark.parametrize(("send", "path"), WAYS)
@pytest.mark.parametrize("option", sorted(option_names()))
def test_ten_thousand_letters_are_not_repeated_in_the_answer(
    server: Gunicorn, send: Send, path: str, option: str
) -> None:
    value = "x" * (10_000 if send is by_form or send is by_json else 3_000)  # a request line holds 4094 bytes
    answer = send(server, path, {option: value})
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")
    assert "x" * 100 in answer.json()["details"]
    assert len(answer.content) < 1000


UNKNOWN: Final = {
    "qualty": "quality",
    "Quality": "quality",
    "FORMAT": "format",
    "max-width": "max_width",
    "maxwidth": "max_width",
    "modle": "model",
    "backgroud": "background",
    "background_color": "background",
    "treshold": "threshold",
    "alphaboost": "alpha_boost",
    "fether": "feather",
    "edge": "edges",
    "zzzzzz": None,
    "__class__": None,
    "quality\0": "quality",
    "": None,
    "k" * 3000: None,
}


@pytest.mark.parametrize(("send", "path"), WAYS)
@pytest.mark.parametrize("name", UNKNOWN, ids=lambda name: repr(name[:20]))
def test_an_unknown_option_is_named_with_the_nearest_known(server: Gunicorn, send: Send, path: str, name: str) -> None:
    answer = send(server, path, {name: "80"})
    body = answer.json()
    assert (answer.status_code, body["code"]) == (400, "unknown_option")
    assert body["details"].startswith(repr(name)[:100])
    if near := UNKNOWN[name]:
        assert f"did you mean {near!r}?" in body["details"]
    else:
        assert all(known in body["details"] for known in option_names())
    assert len(answer.content) < 1000


MODELS: Final = (
    "../../etc/passwd", "../u2netp", "u2netp.onnx", "/etc/passwd", "..\\x", "u2netp\0", "U2NETP", "u2net", "sam",
    "ｕ2netp", "file:///etc/passwd", "http://127.0.0.1/", "bria", "u2netp u2netp", "%2e%2e%2f", "__class__",
)  # fmt: skip


@pytest.mark.parametrize(("send", "path"), WAYS)
def test_a_model_that_is_not_there_is_404_whatever_it_looks_like(server: Gunicorn, send: Send, path: str) -> None:
    for name in MODELS:
        answer = send(server, path, {"model": name})
        body = answer.json()
        assert (answer.status_code, body["code"]) == (404, "model_not_found"), name
        assert body["details"] == f"{name!r} is not one of: u2netp"


@pytest.mark.parametrize(("send", "path"), WAYS)
def test_an_empty_text_is_the_same_as_absent(server: Gunicorn, send: Send, path: str) -> None:
    plain, empty = send(server, path, {}), send(server, path, dict.fromkeys(option_names(), ""))
    assert plain.status_code == empty.status_code == 200
    assert empty.content == plain.content


@pytest.mark.parametrize("path", [REMOVE, PREVIEW])
@pytest.mark.parametrize("option", sorted(option_names()))
def test_an_option_given_twice_is_refused_even_with_the_same_value(server: Gunicorn, path: str, option: str) -> None:
    value = {"format": "png", "preset": "web", "model": "u2netp", "output": "mask", "edges": "soft"}.get(option, "50")
    for answer in (
        by_query(server, path, [(option, value), (option, value)]),
        by_form(server, path, [(option, value), (option, value)]),
        requests.post(
            server.url + path, params={option: value}, files={"file": GOOD}, data={option: value}, timeout=30
        ),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")
        assert answer.json()["details"].startswith(f"{option} is ")
        assert "one value" in answer.json()["details"]


def test_an_option_in_query_and_json_is_given_twice(server: Gunicorn) -> None:
    body = {"image": BASE64, "quality": 80}
    answer = requests.post(server.url + JSON, params={"quality": "80"}, json=body, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")
    assert answer.json()["details"].startswith("quality is ")


def test_an_empty_one_beside_a_value_does_not_count(server: Gunicorn) -> None:
    answer = by_form(server, REMOVE, [("format", ""), ("format", "webp"), ("quality", "")])
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "image/webp")


def test_a_bad_option_is_refused_before_the_image_is_looked_at(server: Gunicorn) -> None:
    answer = requests.post(server.url + REMOVE, files={"file": b"no image"}, data={"quality": "9"}, timeout=30)
    assert (answer.status_code, answer.json()["code"]) == (400, "bad_option")


@pytest.mark.parametrize(
    ("options", "kind", "size"),
    [
        ({"format": " JPG "}, "image/jpeg", (96, 64)),
        ({"format": "WebP", "quality": " 10 "}, "image/webp", (96, 64)),
        ({"quality": "80.0"}, "image/png", (96, 64)),
        ({"max_width": "1"}, "image/png", (1, 1)),
        ({"max_width": "+48"}, "image/png", (48, 32)),
        ({"max_width": "16384", "max_height": "16384"}, "image/png", (96, 64)),
        ({"preset": "THUMBNAIL"}, "image/webp", (96, 64)),
        ({"preset": "web", "format": "png", "max_height": "32"}, "image/png", (48, 32)),
        ({"feather": "100", "alpha_boost": "5", "threshold": "255"}, "image/png", (96, 64)),
        ({"feather": "0.5", "alpha_boost": "0.1", "threshold": "0"}, "image/png", (96, 64)),
        ({"background": "F80"}, "image/png", (96, 64)),
        ({"background": " Transparent "}, "image/png", (96, 64)),
        ({"background": "#ff880080"}, "image/png", (96, 64)),
        ({"background": "RebeccaPurple", "format": "jpeg"}, "image/jpeg", (96, 64)),
        ({"output": "MASK", "edges": "Soft"}, "image/png", (96, 64)),
        ({"model": "u2netp"}, "image/png", (96, 64)),
        ({"format": "AVIF"}, "image/avif", (96, 64)),
        ({"scale": "original", "position": "Original", "roi": "0 0 100% 100%"}, "image/png", (96, 64)),
        ({"scale": "10", "position": "0 100%", "shadow": "DROP", "shadow_opacity": "100"}, "image/png", (96, 64)),
        ({"crop": "OFF", "crop_margin": "0"}, "image/png", (96, 64)),
    ],
    ids=str,
)
def test_the_last_allowed_value_of_each_kind_is_taken(
    server: Gunicorn, options: dict[str, str], kind: str, size: tuple[int, int]
) -> None:
    answer = by_form(server, REMOVE, options)
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, kind), answer.text[:300]
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size == size
    same = by_json(server, JSON, options)
    assert base64.b64decode(same.json()["image"]) == answer.content


def test_refusals_leave_the_server_as_it_was(server: Gunicorn) -> None:
    pids = server.workers()
    before = by_form(server, REMOVE, {}).content
    for option, (values, _) in BAD.items():
        assert by_query(server, REMOVE, {option: values[0]}).status_code == 400
    assert server.workers() == pids
    assert by_form(server, REMOVE, {}).content == before
