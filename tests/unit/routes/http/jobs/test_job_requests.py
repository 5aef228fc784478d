"""A request becomes a job's submission: what is checked before the job is recorded."""

import io
from types import SimpleNamespace
from typing import Any

import pytest
from flask import Flask

from routes.http.context import EXTENSION, state
from routes.http.jobs.job_requests import ROOM_FOR_FIELDS, read_batch, read_single
from services.api_keys.caller import Caller
from services.archives.errors import TooManyFiles
from services.capacity.admission import Admission, Bodies
from services.errors import (
    BadOption,
    BadRequest,
    MissingImage,
    ModelNotFound,
    ServiceError,
    UnknownOption,
    UploadTooLarge,
)
from services.imaging.decode import ImageLimits
from services.imaging.errors import UnsupportedFormat
from services.inference.registry import Models
from services.jobs.submit import File, Submission
from services.net.client import Outbound
from services.net.errors import BadURL, ForbiddenSource
from services.net.fetch import Fetcher
from services.removal import Remover
from tests.support.archives import archive
from tests.support.models import PLAIN
from tests.support.waiting import ROOT

CALLBACK = "https://example.com/hook"
MAX_FILES = 3
MAX_BYTES = 100_000


@pytest.fixture
def app() -> Flask:
    """An application with one model, that takes 3 files of 100 kB together in a batch, and 10 kB in each."""
    made = Flask(__name__)
    limits = ImageLimits(max_bytes=10_000)
    models = Models(["u2netp"], ROOT / "models", PLAIN)
    made.extensions[EXTENSION] = SimpleNamespace(
        bodies=Bodies(10 * MAX_BYTES),
        limits=limits,
        models=models,
        remover=Remover(models, limits, Admission(1, 0)),
        fetcher=Fetcher(Outbound(ports={443}), seconds=1, max_bytes=1, places=1),
        settings=SimpleNamespace(
            max_batch_files=MAX_FILES, max_batch_bytes=MAX_BYTES, max_encoded_bytes=20_000,
            storage_given=False, request_timeout_seconds=10, trusted_proxies=0, webhook_secret="secret",
        ),
    )  # fmt: skip
    return made


def files(*parts: tuple[str, bytes], **fields: str) -> dict[str, Any]:
    """A form of these images and fields."""
    return {"files": [(io.BytesIO(data), name) for name, data in parts], **fields}


def batch(app: Flask, form: dict[str, Any]) -> Submission:
    with app.test_request_context("/", method="POST", data=form, content_type="multipart/form-data"):
        return read_batch()


def single(app: Flask, photo: bytes, query: str = "", headers: dict[str, str] | None = None) -> Submission:
    with app.test_request_context(f"/?{query}", method="POST", data=photo, headers=headers, content_type="image/jpeg"):
        return read_single()


def outcomes(submission: Submission) -> list[tuple[str, str]]:
    """Each file's name, and the code of the error that refused it."""
    return [(file.name, file.error.code if file.error else "") for file in submission.files]


def test_image_becomes_a_job_of_one_file(app: Flask, small: bytes) -> None:
    found = single(app, small, f"quality=70&callback_url={CALLBACK}", {"Idempotency-Key": "order-7"})
    assert (found.kind, found.files, found.options) == ("single", [File("image", small)], {"quality": "70"})
    assert (found.callback_url, found.idempotency_key) == (CALLBACK, "order-7")
    assert (found.caller, found.owner) == ("0.0.0.0", None)


def test_job_belongs_to_the_key_of_its_caller(app: Flask, small: bytes) -> None:
    with app.test_request_context("/", method="POST", data=small, content_type="image/jpeg"):
        state().caller = Caller(id="abc", key_id="abc", name="shop", scopes=())
        found = read_single()
    assert (found.caller, found.owner) == ("key:abc", "abc")


def test_image_that_its_header_rules_out_makes_no_job(app: Flask) -> None:
    with pytest.raises(UnsupportedFormat):
        single(app, b"not an image")


def test_model_that_the_server_lacks_is_refused(app: Flask, small: bytes) -> None:
    assert single(app, small, "model=u2netp").options == {"model": "u2netp"}
    with pytest.raises(ModelNotFound, match="'isnet-general-use' is not one of: u2netp"):
        single(app, small, "model=isnet-general-use")


@pytest.mark.parametrize("key", ["", "two words", "é", "x" * 201])
def test_malformed_idempotency_key_is_refused(app: Flask, small: bytes, key: str) -> None:
    with pytest.raises(BadRequest, match="Idempotency-Key"):
        single(app, small, headers={"Idempotency-Key": key})


def test_second_idempotency_key_is_refused(app: Flask, small: bytes) -> None:
    headers = [("Idempotency-Key", "a"), ("Idempotency-Key", "b")]
    context = app.test_request_context("/", method="POST", data=small, headers=headers, content_type="image/jpeg")
    with context, pytest.raises(BadRequest):
        read_single()


def test_callback_needs_a_valid_url_and_a_secret(app: Flask, small: bytes) -> None:
    with pytest.raises(BadURL):
        single(app, small, "callback_url=ftp://example.com/")
    with pytest.raises(ForbiddenSource, match="callback_url: the port is not one of 443") as refused:
        single(app, small, "callback_url=https://example.com:22/")
    assert "FETCH_ALLOWED_HOSTS" in refused.value.solution
    app.extensions[EXTENSION].settings.webhook_secret = ""
    with pytest.raises(BadOption, match="no WEBHOOK_SECRET"):
        single(app, small, f"callback_url={CALLBACK}")


def test_batch_takes_images_and_the_contents_of_archives(app: Flask, small: bytes) -> None:
    packed = archive(("b.jpg", small), ("c.jpg", small))
    found = batch(app, files(("holiday/a.jpg", small), ("more.zip", packed), quality="70", callback_url=CALLBACK))
    assert found.kind == "batch"
    assert outcomes(found) == [("holiday/a.jpg", ""), ("more.zip/b.jpg", ""), ("more.zip/c.jpg", "")]
    assert (found.options, found.callback_url) == ({"quality": "70"}, CALLBACK)


def test_batch_keeps_a_refused_file_with_its_error(app: Flask, small: bytes) -> None:
    found = batch(app, files(("empty.jpg", b""), ("large.jpg", b"x" * 10_001), ("a.jpg", small)))
    assert outcomes(found) == [("empty.jpg", "empty_image"), ("large.jpg", "upload_too_large"), ("a.jpg", "")]
    assert [len(file.data) for file in found.files] == [0, 0, len(small)]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        (files(), MissingImage),
        (files(*[("a.jpg", b"x")] * (MAX_FILES + 1)), TooManyFiles),
        (files(("a.jpg", b"x"), quality="0"), BadOption),
        (files(("a.jpg", b"x"), model="isnet-general-use"), ModelNotFound),
        ({"file": (io.BytesIO(b"x"), "a.jpg")}, UnknownOption),
    ],
)
def test_batch_with_a_mistake_makes_no_job(app: Flask, form: dict[str, Any], error: type[ServiceError]) -> None:
    with pytest.raises(error):
        batch(app, form)


def test_batch_needs_a_form(app: Flask, small: bytes) -> None:
    context = app.test_request_context("/", method="POST", data=small, content_type="image/jpeg")
    with context, pytest.raises(UnsupportedFormat, match="declared as image/jpeg"):
        read_batch()


def test_batch_of_too_many_bytes_is_refused_before_it_is_read(app: Flask) -> None:
    size = str(MAX_BYTES + ROOM_FOR_FIELDS + 1)
    kind = "multipart/form-data; boundary=x"
    context = app.test_request_context(
        "/", method="POST", content_type=kind, environ_overrides={"CONTENT_LENGTH": size}
    )
    with context, pytest.raises(UploadTooLarge, match=f"{size} bytes were announced"):
        read_batch()


def test_archive_that_unpacks_to_too_many_bytes_is_refused(app: Flask) -> None:
    app.extensions[EXTENSION].settings.max_batch_bytes = 15_000
    bomb = archive(("a.jpg", bytes(9_000)), ("b.jpg", bytes(9_000)))
    assert len(bomb) < 1_000
    with pytest.raises(UploadTooLarge, match="unpacked, more than the 15000 bytes"):
        batch(app, files(("bomb.zip", bomb)))


def test_unpacked_files_are_counted_in_addition_to_the_body(app: Flask) -> None:
    packed = archive(("a.jpg", bytes(9_000)))
    form = files(("photos.zip", packed))
    with app.test_request_context("/", method="POST", data=form, content_type="multipart/form-data") as context:
        read_batch()
        assert context.request.content_length
        assert state().held_bytes == 2 * context.request.content_length + 9_000
