"""Notifications as AWS and MinIO send them."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.jobs.buckets.events import MAX_RECORDS, Notification


def record(key: str, event: str = "ObjectCreated:Put") -> dict[str, Any]:
    s3 = {"s3SchemaVersion": "1.0", "bucket": {"name": "shop", "arn": "arn:aws:s3:::shop"}}
    return {"eventVersion": "2.1", "eventName": event, "s3": s3 | {"object": {"key": key, "size": 1, "eTag": "x"}}}


def created(*records: dict[str, Any]) -> list[tuple[str, str]]:
    return Notification.model_validate({"Records": records, "EventName": "x", "Key": "y"}).created()


def test_keys_are_decoded_and_only_created_objects_count() -> None:
    found = created(record("in/a+b%2Fc.jpg"), record("in/d.jpg", "ObjectRemoved:Delete"))
    assert found == [("shop", "in/a b/c.jpg")]
    assert created(record("in%2Fe.jpg", "s3:ObjectCreated:CompleteMultipartUpload")) == [("shop", "in/e.jpg")]


def test_message_without_records_says_nothing() -> None:
    assert Notification.model_validate({"Service": "Amazon S3", "Event": "s3:TestEvent"}).created() == []


@pytest.mark.parametrize("records", [[{}], ["x"], [record("k") | {"s3": {}}], [record("a")] * (MAX_RECORDS + 1), 7])
def test_other_shapes_and_too_many_records_are_refused(records: object) -> None:
    with pytest.raises(ValidationError):
        Notification.model_validate({"Records": records})
