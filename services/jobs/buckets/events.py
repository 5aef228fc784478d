"""Reads the notifications of S3 and of servers with its protocol: which objects were created."""

from typing import Annotated, Final
from urllib.parse import unquote_plus

from pydantic import BaseModel, Field

MAX_RECORDS: Final = 1000
CREATED: Final = "ObjectCreated:"
# Each server's own prefix of an event's name; AWS has none.
VENDOR: Final = "s3:"


class _Bucket(BaseModel):
    name: Annotated[str, Field(max_length=100)]


class _Object(BaseModel):
    key: Annotated[str, Field(max_length=4096)]


class _S3(BaseModel):
    bucket: _Bucket
    object: _Object


class _Record(BaseModel):
    event: Annotated[str, Field(alias="eventName", max_length=100)]
    s3: _S3


class Notification(BaseModel):
    """What a server sends. A message without records, such as `s3:TestEvent`, says nothing of objects."""

    records: Annotated[
        list[_Record],
        Field(alias="Records", max_length=MAX_RECORDS, description=f"at most {MAX_RECORDS} records of S3 events"),
    ] = []

    def created(self) -> list[tuple[str, str]]:
        """Return bucket and key of each object that was created."""
        made = [record.s3 for record in self.records if record.event.removeprefix(VENDOR).startswith(CREATED)]
        # Keys are encoded as in the query of a URL.
        return [(s3.bucket.name, unquote_plus(s3.object.key)) for s3 in made]
