"""Parses forms: Werkzeug's parser, with files that have no file name, and without parts that have no name."""

import io
from typing import IO, Final

from werkzeug.datastructures import FileStorage, Headers, MultiDict
from werkzeug.formparser import FormDataParser, MultiPartParser
from werkzeug.http import parse_options_header

from services.errors import BadRequest, MissingImage

# C#'s `Add(content, "image_file")` and Apache's `addBinaryBody(name, bytes)` send no file name, so that the part counts
# as text.
FILE_FIELDS: Final = frozenset({"file", "files", "image", "image_file", "bg_image_file", "background_image", "mask"})
FILE_NAME: Final = "image"
# It decodes every byte, and back.
LOSSLESS: Final = "iso-8859-1"

BOUNDARY_SOLUTION: Final = "Let the HTTP library write the form and its Content-Type: both need the same boundary"
NAMES_SOLUTION: Final = "Write the names of fields and files in UTF-8"

Form = MultiDict[str, str]
Files = MultiDict[str, FileStorage]


class FormParser(FormDataParser):
    """A parser of forms whose multipart bodies are read by `PartParser`."""

    def _parse_multipart(
        self,
        stream: IO[bytes],
        mimetype: str,  # noqa: ARG002 - Werkzeug's signature
        content_length: int | None,
        options: dict[str, str],
    ) -> tuple[IO[bytes], Form, Files]:
        if content_length == 0:
            return stream, self.cls(), self.cls()
        boundary = options.get("boundary", "")
        if not boundary:
            raise MissingImage("the Content-Type of the form names no boundary", BOUNDARY_SOLUTION)
        parser = PartParser(
            stream_factory=self.stream_factory,
            max_form_memory_size=self.max_form_memory_size,
            max_form_parts=self.max_form_parts,
            cls=self.cls,
        )
        try:
            return (stream, *parser.parse(stream, boundary.encode("ascii"), content_length))
        except UnicodeDecodeError as exc:
            raise MissingImage("the head of a part of the form is not UTF-8", NAMES_SOLUTION) from exc
        except ValueError as exc:
            # Werkzeug would go on with an empty form.
            raise MissingImage("the form is incomplete, or its parts have another boundary", BOUNDARY_SOLUTION) from exc


class PartParser(MultiPartParser):
    """A parser of multipart bodies: bytes in a field for files are a file, also without a file name."""

    def get_part_charset(self, headers: Headers) -> str:
        _, parameters = parse_options_header(headers["content-disposition"])
        return LOSSLESS if parameters.get("name") in FILE_FIELDS else super().get_part_charset(headers)

    def parse(self, stream: IO[bytes], boundary: bytes, content_length: int | None) -> tuple[Form, Files]:
        """Return the texts and the files of a form. Raises `BadRequest` for a part without a name."""
        form, files = super().parse(stream, boundary, content_length)
        if None in form or None in files:
            raise BadRequest("a part of the form has no name", 'Give each part a name, as form-data; name="file"')
        texts: list[tuple[str, str]] = []
        found = list(files.items(multi=True))
        for name, value in form.items(multi=True):
            if name not in FILE_FIELDS:
                texts.append((name, value))
            elif is_binary(data := value.encode(LOSSLESS)):
                found.append((name, FileStorage(io.BytesIO(data), FILE_NAME, name)))
            else:
                texts.append((name, data.decode()))
        return self.cls(texts), self.cls(found)


def is_binary(data: bytes) -> bool:
    """Return whether the bytes are not UTF-8 text; those of an image never are."""
    try:
        return "\0" in data.decode()
    except UnicodeDecodeError:
        return True
