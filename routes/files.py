"""Views of files: a text file of base64 image data from the operator's folder, and stored objects by signed links."""

import os
import stat
from pathlib import Path
from typing import Final

from flask import Response

from routes.http.answers import TextFile, json_response
from routes.http.bodies import decode_base64, read_json
from routes.http.context import service
from routes.removal import file_name
from services.containers.sniff import sniff
from services.errors import BadBase64, BadOption, ForbiddenPath, NotFound, UploadTooLarge
from services.imaging.errors import UnsupportedFormat
from services.imaging.formats import Format
from services.imaging.options import unknown_option
from services.storage.local import LocalFolder
from services.storage.safe_path import open_file

TYPES: Final = {format_.extension: format_.mimetype for format_ in Format}


def read_file() -> Response:
    """Return the text of a `.txt` file of base64 image data inside `READ_FILE_DIR`."""
    body = read_json()
    for name in body:
        if name != "path":
            raise unknown_option(name, also=("path",))
    settings = service().settings
    content = read_base64_text(settings.files_dir, _path(body.get("path")), settings.max_encoded_bytes)
    image = decode_base64(content)
    if not sniff(image).name:
        raise UnsupportedFormat(f"the file holds {sniff(image).label}, not an image")
    return json_response(TextFile(content=content, size=len(content)))


def download(token: str) -> Response:
    """Return an object of the local storage, by a link that the service has signed; see `LocalFolder.url`."""
    storage = service().storage
    if not isinstance(storage, LocalFolder):  # links lead to S3 itself
        raise NotFound("this server's storage is elsewhere")
    opened, name = storage.open_signed(token)
    response = Response(opened, mimetype=TYPES.get(name.rpartition(".")[2].lower(), "application/octet-stream"))
    response.headers["Content-Length"] = str(opened.size)
    response.headers["Cache-Control"] = "private, no-store"
    response.headers.set("Content-Disposition", "attachment", **file_name(name))
    return response


def read_base64_text(folder: Path, path: str, max_bytes: int) -> str:
    """Read a text file inside `folder`. Raises `ForbiddenPath`, `NotFound`, `UploadTooLarge`, `BadBase64`."""
    parts = path.split("/")
    if path.startswith("/") or "\\" in path or "\0" in path or any(part in ("", ".", "..") for part in parts):
        raise ForbiddenPath("the path must be relative, without '..', empty parts or backslashes")
    if not path.endswith(".txt"):
        raise ForbiddenPath("only files that end in .txt are open")
    try:
        descriptor = open_file(folder, parts)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as exc:
        raise NotFound("there is no such file", "Check the name; files are looked up in READ_FILE_DIR") from exc
    # ELOOP: a link; EACCES: not readable; ENXIO: a pipe.
    except OSError as exc:
        raise ForbiddenPath("the path can't be opened") from exc
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise ForbiddenPath("the path is not a plain file")
        if found.st_size > max_bytes:
            raise UploadTooLarge(f"the file has {found.st_size} bytes; allowed: {max_bytes}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(max_bytes)
    finally:
        os.close(descriptor)
    try:
        return data.decode("ascii")
    except UnicodeDecodeError as exc:
        raise BadBase64("the file is not plain base64 text") from exc


def _path(value: object) -> str:
    if isinstance(value, str) and 0 < len(value) <= 1000:
        return value
    raise BadOption("path", value, "the name of a .txt file, at most 1000 characters")
