"""The S3 bucket's pure parts: links, errors, the circuit breaker. Its contract is in test_base.py, with a server."""

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError

from services.errors import BadOption
from services.storage import s3 as module
from services.storage.base import S3Options
from services.storage.errors import ObjectNotFound, StorageUnavailable
from services.storage.s3 import S3Bucket
from tests.support.servers.sources import answer, source
from tests.support.waiting import free_port


@pytest.fixture
def bucket() -> S3Bucket:
    """A bucket of a server that is not there."""
    return bucket_at(free_port())


def bucket_at(port: int) -> S3Bucket:
    return S3Bucket("bucket", S3Options(f"http://127.0.0.1:{port}", "https://public.example", "us-east-1", "id", "key"))


def raise_translated(bucket: S3Bucket, error: Exception) -> None:
    with bucket._translated("get"):
        raise error


def client_error(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code}}, "GetObject")


def test_a_link_is_signed_for_the_public_endpoint(bucket: S3Bucket) -> None:
    url = urlsplit(bucket.url("a/b.png", 60, 'ü "☃".png'))
    query = {name: values[0] for name, values in parse_qs(url.query).items()}
    assert (url.scheme, url.netloc, url.path) == ("https", "public.example", "/bucket/a/b.png")
    assert query["X-Amz-Expires"] == "60"
    assert query["response-content-disposition"].startswith('attachment; filename="_ ___.png"')
    assert query["response-content-disposition"].endswith("filename*=UTF-8''%C3%BC%20%22%E2%98%83%22.png")


@pytest.mark.parametrize("key", ["", "../a", "a b"])
def test_an_invalid_key_is_refused_before_the_server_is_asked(bucket: S3Bucket, key: str) -> None:
    for call in (lambda: bucket.open(key), lambda: bucket.url(key, 1, "x"), lambda: bucket.delete([key])):
        with pytest.raises(BadOption):
            call()


@pytest.mark.parametrize(
    ("error", "expected", "details"),
    [
        (client_error("NoSuchKey"), ObjectNotFound, ""),
        (client_error("AccessDenied"), StorageUnavailable, "AccessDenied"),
        (NoCredentialsError(), StorageUnavailable, "NoCredentialsError"),
        (EndpointConnectionError(endpoint_url="http://h"), StorageUnavailable, "EndpointConnectionError"),
        (OSError("reset"), StorageUnavailable, "OSError"),
    ],
)
def test_errors_of_boto3_are_translated(bucket: S3Bucket, error: Exception, expected: Any, details: str) -> None:
    with pytest.raises(expected) as caught:
        raise_translated(bucket, error)
    assert caught.value.details == details
    assert caught.value.__cause__ is error


@pytest.mark.slow
def test_server_that_redirects_can_not_be_used() -> None:
    """As one behind a proxy that leads from http to https."""
    moved = answer(status="301 Moved Permanently", Location="https://storage.example/", Connection="close")
    with source(moved) as server:
        bucket = bucket_at(server.port)
        for call in (bucket.check, lambda: bucket.open("a"), lambda: bucket.put("a", b"x", "image/png")):
            with pytest.raises(StorageUnavailable, match="it redirects"):
                call()


@pytest.mark.parametrize(
    "damage",
    [
        {"Content-Length": "abc"},
        {"Content-Length": "-5"},
        {"Content-Length": "9" * 5000},
        {"Transfer-Encoding": "chunked"},
        {"Last-Modified": "yesterday"},
        {"Last-Modified": "9" * 30},
        {"x-amz-tagging-count": "many"},
    ],
)
def test_object_with_a_damaged_header_can_not_be_used(damage: dict[str, str]) -> None:
    length = {} if "Transfer-Encoding" in damage else {"Content-Length": "3"}
    lines = "".join(f"{name}: {value}\r\n" for name, value in ({"Connection": "close"} | length | damage).items())
    with (
        source(f"HTTP/1.1 200 OK\r\n{lines}\r\n".encode() + b"3\r\nabc\r\n0\r\n\r\n") as server,
        pytest.raises(StorageUnavailable, match="its answer is damaged"),
    ):
        bucket_at(server.port).open("a")


@pytest.mark.parametrize(
    "fields",
    [
        "",
        "<Key>a</Key><Size>1</Size><LastModified>x</LastModified>",
        "<Key>a</Key><Size>x</Size><LastModified>2026-01-01T00:00:00Z</LastModified>",
        "<Key>a</Key><Size>1</Size><LastModified>0001-01-01T00:00:00+23:00</LastModified>",
    ],
)
def test_damaged_list_can_not_be_used(fields: str) -> None:
    listed = f"<ListBucketResult><Contents>{fields}</Contents></ListBucketResult>"
    with (
        source(answer(listed.encode(), Connection="close")) as server,
        pytest.raises(StorageUnavailable, match="its answer is damaged"),
    ):
        list(bucket_at(server.port).list(""))


def test_upload_in_parts_that_the_server_does_not_begin_fails() -> None:
    with (
        source(answer(b"<html>a page</html>", Connection="close")) as server,
        pytest.raises(StorageUnavailable, match="its answer is damaged"),
    ):
        bucket_at(server.port).put("a", b"x" * (module.PART_BYTES + 1), "image/png")


def test_a_lost_connection_opens_the_circuit_but_not_for_links(bucket: S3Bucket) -> None:
    with pytest.raises(StorageUnavailable):
        raise_translated(bucket, EndpointConnectionError(endpoint_url="http://h"))
    with pytest.raises(StorageUnavailable, match="a moment ago"):
        bucket.check()
    assert bucket.url("a", 1, "x")


def test_the_circuit_closes_after_its_time(bucket: S3Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CIRCUIT_OPEN_SECONDS", 0)
    with pytest.raises(StorageUnavailable):
        raise_translated(bucket, EndpointConnectionError(endpoint_url="http://h"))
    with pytest.raises(StorageUnavailable, match="AccessDenied"):
        raise_translated(bucket, client_error("AccessDenied"))


def test_a_refusal_of_the_server_leaves_the_circuit_closed(bucket: S3Bucket) -> None:
    for _ in range(2):
        with pytest.raises(StorageUnavailable, match="AccessDenied"):
            raise_translated(bucket, client_error("AccessDenied"))
