"""Stores objects in an S3 bucket: of AWS, or of any server with its protocol.

boto3 is imported when a bucket is first used: it is slow to import, and most installations do without S3.
"""

import contextlib
import io
import re
import threading
import time
from collections.abc import Iterable, Iterator
from datetime import UTC
from functools import cached_property
from itertools import islice
from typing import Any, Final
from urllib.parse import quote

import structlog

from services.storage.base import CHUNK_BYTES, Opened, Readable, S3Options, Stored, check_key, check_prefix
from services.storage.errors import ObjectNotFound, StorageUnavailable

CONNECT_SECONDS: Final = 2.0
# For each answer, or piece of one.
READ_SECONDS: Final = 10.0
ATTEMPTS: Final = 3
CONNECTIONS: Final = 16
# A larger object is uploaded in parts of this size.
PART_BYTES: Final = 8 * 1024 * 1024
# The protocol's limit of keys in one deletion.
MAX_DELETED_KEYS: Final = 1000
# How long the server is not asked after it could not be reached.
CIRCUIT_OPEN_SECONDS: Final = 1.0
log = structlog.get_logger("storage")


class S3Bucket:
    """A `Storage` in a bucket, behind a circuit breaker: after a connection failure callers fail immediately for a
    moment, instead of piling up behind a dead host."""

    def __init__(self, bucket: str, options: S3Options) -> None:
        self._bucket, self._options = bucket, options
        self._lock = threading.Lock()
        self._open_until = 0.0

    def put(self, key: str, data: bytes | Readable, content_type: str) -> None:
        """See `Storage.put`. A large object is uploaded in parts, one of them in memory at a time."""
        from boto3.s3.transfer import TransferConfig

        check_key(key)
        extra = {"ContentType": content_type}
        if self._options.encryption:
            extra["ServerSideEncryption"] = self._options.encryption
        try:
            with self._translated("put"):
                # Most objects are small: this saves them a millisecond.
                if isinstance(data, bytes) and len(data) <= PART_BYTES:
                    self._client.put_object(Bucket=self._bucket, Key=key, Body=data, **extra)
                    return
                parts = TransferConfig(
                    multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, use_threads=False
                )
                file = io.BytesIO(data) if isinstance(data, bytes) else _Borrowed(data)
                self._client.upload_fileobj(file, self._bucket, key, ExtraArgs=extra, Config=parts)
        except _SourceFailed as failed:
            raise failed.error from None

    def open(self, key: str) -> Opened:
        """See `Storage.open`."""
        check_key(key)
        with self._translated("open"):
            found = self._client.get_object(Bucket=self._bucket, Key=key)
            size = found.get("ContentLength", -1)
            if size < 0:
                found["Body"].close()
                raise ValueError("an object without a size")
        return Opened(size, self._chunks(found["Body"]), found["Body"].close)

    def delete(self, keys: Iterable[str]) -> None:
        """See `Storage.delete`."""
        names = iter([{"Key": "/".join(check_key(key))} for key in keys])
        while some := list(islice(names, MAX_DELETED_KEYS)):
            with self._translated("delete"):
                done = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": some, "Quiet": True})
            for error in done.get("Errors", ()):
                log.warning("object not deleted", reason=error.get("Code"))
                raise StorageUnavailable(str(error.get("Code")))

    def list(self, prefix: str) -> Iterator[Stored]:
        """See `Storage.list`."""
        check_prefix(prefix)
        return self._list(prefix)

    def url(self, key: str, seconds: int, filename: str) -> str:
        """See `Storage.url`: presigned, for the public endpoint."""
        check_key(key)
        plain = re.sub(r"[^A-Za-z0-9 ._()-]", "_", filename)
        disposition = f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='')}"
        object_ = {"Bucket": self._bucket, "Key": key, "ResponseContentDisposition": disposition}
        with self._translated("url", reach=False):
            signed: str = self._public_client.generate_presigned_url("get_object", Params=object_, ExpiresIn=seconds)
        return signed

    def check(self) -> None:
        """See `Storage.check`: the bucket must exist and be accessible."""
        with self._translated("check"):
            self._client.head_bucket(Bucket=self._bucket)

    def _list(self, prefix: str) -> Iterator[Stored]:
        with self._translated("list"):
            pages = iter(self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix))
        while True:
            with self._translated("list"):
                page = next(pages, None)
                if page is None:
                    return
                listed = [
                    Stored(found["Key"], found["Size"], found["LastModified"].astimezone(UTC))
                    for found in page.get("Contents", ())
                ]
            yield from listed

    def _chunks(self, body: Any) -> Iterator[bytes]:
        while True:
            with self._translated("read"):
                chunk = body.read(CHUNK_BYTES)
            if not chunk:
                return
            yield chunk

    @cached_property
    def _client(self) -> Any:
        return self._new_client(self._options.endpoint_url)

    @cached_property
    def _public_client(self) -> Any:
        public = self._options.public_endpoint_url
        return self._new_client(public) if public else self._client

    def _new_client(self, endpoint: str) -> Any:
        import boto3
        from botocore.config import Config

        config = Config(
            signature_version="s3v4",
            connect_timeout=CONNECT_SECONDS,
            read_timeout=READ_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            max_pool_connections=CONNECTIONS,
            # Servers other than AWS seldom have a host name per bucket.
            s3={"addressing_style": "path" if endpoint else "auto"},
            # AWS's newer checksums, in trailers, are not supported everywhere.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )
        # A session is not thread-safe; the client it makes is.
        with self._lock:
            return boto3.session.Session().client(
                "s3",
                endpoint_url=endpoint or None,
                region_name=self._options.region or None,
                aws_access_key_id=self._options.access_key_id or None,
                aws_secret_access_key=self._options.secret_access_key or None,
                config=config,
            )

    @contextlib.contextmanager
    def _translated(self, operation: str, *, reach: bool = True) -> Iterator[None]:
        """Translate boto3's errors; the reason goes to the log. `reach`: the operation needs the server."""
        from botocore.exceptions import BotoCoreError, ClientError, ConnectionError, HTTPClientError

        if reach and time.monotonic() < self._open_until:
            raise StorageUnavailable("it did not answer a moment ago", retry_after=int(CIRCUIT_OPEN_SECONDS) + 1)
        try:
            yield
        except ClientError as exc:
            code = str(exc.response.get("Error", {}).get("Code", "unknown"))
            if code == "NoSuchKey":
                raise ObjectNotFound from exc
            log.warning("object storage refuses", operation=operation, code=code, reason=str(exc)[:300])
            raise StorageUnavailable(code) from exc
        except RecursionError as exc:
            # To a redirect botocore asks for the bucket's region, and asks again when that is redirected too.
            log.warning("object storage redirects: see S3_ENDPOINT_URL and AWS_REGION", operation=operation)
            raise StorageUnavailable("it redirects") from exc
        except (ValueError, LookupError, ArithmeticError, RuntimeError) as exc:
            # botocore raises them for a number or date that it can't parse, and this class for a missing field.
            log.warning("object storage sends a damaged answer", operation=operation, reason=repr(exc)[:300])
            raise StorageUnavailable("its answer is damaged") from exc
        except (BotoCoreError, OSError) as exc:
            if isinstance(exc, (HTTPClientError, ConnectionError)):
                self._open_until = time.monotonic() + CIRCUIT_OPEN_SECONDS
            log.warning("object storage not usable", operation=operation, reason=type(exc).__name__)
            raise StorageUnavailable(type(exc).__name__) from exc


class _SourceFailed(Exception):
    """The source of an upload has failed, not the storage."""

    def __init__(self, error: Exception) -> None:
        super().__init__(error)
        self.error = error


class _Borrowed(io.RawIOBase):
    """A file read from its current position that boto3, which closes its uploads, can't close."""

    def __init__(self, file: Readable) -> None:
        self._file = file

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        try:
            return self._file.read(size)
        except OSError:
            raise
        except Exception as exc:
            raise _SourceFailed(exc) from exc
