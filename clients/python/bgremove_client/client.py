"""The client: remove a background, submit jobs."""

import os
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Self, Unpack, cast

import httpx

from .jobs import Job
from .models import Models, Options
from .transport import Transport

Image = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
"""An image: the path of a file, its bytes, or an open file."""


class Client:
    """A connection to a service. Thread-safe; close it, or use it in `with`.

    `timeout` is for each request, in seconds; see `Transport` for `retries` and `max_wait`.
    """

    def __init__(
        self, url: str, api_key: str | None = None, *, timeout: float = 120.0, retries: int = 4, max_wait: float = 60.0
    ) -> None:
        # As a bearer token, which httpx keeps from the storage that a download may lead to.
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=timeout, follow_redirects=True)
        self._transport = Transport(self._http, retries, max_wait)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def remove(self, image: Image | None = None, **options: Unpack[Options]) -> bytes:
        """Return the image, or the one at `image_url`, without its background. Raises `ApiError`."""
        files = _single(image)
        return self._transport.send("POST", "/remove-background", files=files, data=_form(options)).content

    def submit(
        self, image: Image | None = None, *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> Job:
        """Submit a job of one image, or of the one at `image_url`; a worker does it."""
        return self._submit("/api/jobs/remove-bg", _single(image), options, idempotency_key)

    def submit_batch(
        self, images: Iterable[Image], *, idempotency_key: str | None = None, **options: Unpack[Options]
    ) -> Job:
        """Submit a job of many images or ZIP archives; its result is a ZIP archive."""
        if isinstance(images, (str, bytes)):
            raise TypeError("images are many: give a list of them")
        files = [("files", read(image, number)) for number, image in enumerate(images, 1)]
        return self._submit("/api/jobs/remove-bg-batch", files, options, idempotency_key)

    def job(self, job_id: str) -> Job:
        """Return a job that was submitted earlier."""
        return Job(self._transport, job_id)

    def models(self) -> Models:
        """Return the models that the option `model` takes."""
        return cast(Models, self._transport.send("GET", "/models").json())

    def _submit(self, path: str, files: list[tuple[str, tuple[str, bytes]]], options: Options, key: str | None) -> Job:
        # With a key, a submission that is sent again makes no second job.
        headers = {"Idempotency-Key": key or uuid.uuid4().hex}
        answer = self._transport.send("POST", path, files=files, data=_form(options), headers=headers)
        return self.job(answer.json()["job_id"])


def read(image: Image, number: int = 1) -> tuple[str, bytes]:
    """Return the name and the bytes of an image; `number` names one that has no name."""
    if isinstance(image, (bytes, bytearray, memoryview)):
        return f"image-{number}", bytes(image)
    if isinstance(image, (str, os.PathLike)):
        return Path(image).name, Path(image).read_bytes()
    # A file without a name has none, an empty one, None or, of a descriptor, a number.
    name = getattr(image, "name", None)
    return (Path(name).name if isinstance(name, str) and name else f"image-{number}"), image.read()


def _single(image: Image | None) -> list[tuple[str, tuple[str, bytes]]]:
    return [] if image is None else [("file", read(image))]


def _form(options: Options) -> dict[str, str]:
    """Return the options as texts; None is the same as absent."""
    given = {name: value for name, value in options.items() if value is not None}
    return {name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in given.items()}
