"""Reads the values of single settings; ValueError says what is allowed."""

import re
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

from paths import in_home
from services.inference.tiers import parse_tiers
from services.jobs.webhooks.signatures import signing_key
from services.net.errors import BadURL
from services.net.urls import DEFAULT_PORTS, parse_authority
from services.storage.factory import BUCKETS, is_bucket, parse_storage_url

HOST: Final = r"([A-Za-z0-9._-]+|[0-9A-Fa-f.]*:[0-9A-Fa-f:.]*(%[A-Za-z0-9._-]+)?)"
MIN_SECRET_CHARS: Final = 16


def split_words(value: object) -> object:
    """'a, b' becomes ('a', 'b'); for lists in an environment variable."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def image_formats(value: object) -> object:
    names = split_words(value)
    if not isinstance(names, tuple):
        return names
    same = {"jpg": "jpeg", "jpe": "jpeg", "tif": "tiff", "heif": "heic"}
    return tuple(dict.fromkeys(same.get(str(n).lower(), str(n).lower()) for n in names))


def listen_address(text: str) -> str:
    if not re.fullmatch(HOST, text):
        raise ValueError("Input should be a name or an address without port, scheme or brackets: 127.0.0.1, ::1")
    return text


def database_address(url: str) -> str:
    # SQLAlchemy takes its time, and the default needs no check.
    from services.persistence.database import parse_url

    parsed = parse_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        return f"sqlite:///{in_home(Path(parsed.database))}"
    return url


def storage_address(url: str) -> str:
    if not url:
        return url
    kind, place = parse_storage_url(url)
    return f"file:{in_home(Path(place))}" if kind == "file" else url


def bucket_name(name: str) -> str:
    if name and not is_bucket(name):
        raise ValueError(BUCKETS)
    return name


def host_and_port(text: str) -> str:
    try:
        parse_authority(text)
    except BadURL as exc:
        raise ValueError("Input should be host names or addresses, each with or without :port") from exc
    return text


def host_name(text: str) -> str:
    if text == "*":
        return text
    try:
        return parse_authority(text)[0]
    except BadURL as exc:
        raise ValueError("Input should be host names such as remove.example.com, or *") from exc


def web_origin(text: str) -> str:
    """Return an origin as browsers send it; Flask-CORS would take one with `*` for a pattern without an end."""
    if text in ("", "*"):
        return text
    scheme, _, authority = text.lower().removesuffix("/").partition("://")
    try:
        host, port = parse_authority(authority)
    except BadURL:
        scheme = ""
    if not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        raise ValueError("Input should be exact origins such as https://app.example or http://localhost:3000, or *")
    host = f"[{host}]" if ":" in host else host
    return f"{scheme}://{host}" if port in (None, DEFAULT_PORTS.get(scheme)) else f"{scheme}://{host}:{port}"


def long_secret(text: str) -> str:
    if text and len(text) < MIN_SECRET_CHARS:
        raise ValueError(f"it needs {MIN_SECRET_CHARS} characters or more; `openssl rand -hex 32` makes a good one")
    return text


def header_list(text: str) -> str:
    if text and not all(part.partition("=")[0].strip() and "=" in part for part in text.split(",")):
        raise ValueError("Input should be headers as name=value, with commas between them")
    return text


def webhook_key(text: str) -> str:
    if text:
        signing_key(text)
    return text


def smtp_address(url: str) -> str:
    if url:
        # Only a server with accounts needs it.
        from services.accounts.mail import SmtpServer

        SmtpServer.parse(url)
    return url


def model_tiers_text(text: str) -> str:
    parse_tiers(text)
    return text


def lower_case(value: object) -> object:
    return value.strip().lower() if isinstance(value, str) else value


HomePath = Annotated[Path, AfterValidator(in_home)]
Size = Literal["preview", "small", "regular", "medium", "hd", "full", "4k", "50mp", "auto"]
Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_words)]
