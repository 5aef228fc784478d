"""Takes the notifications of a bucket: objects that were created."""

import hmac
from typing import Final

from flask import Response, request
from pydantic import ValidationError

from routes.http.answers import Body, Count
from routes.http.bodies import read_json
from routes.http.context import service
from routes.http.jobs.job_answers import answer
from routes.jobs import jobs
from services.errors import BadOption, Forbidden, NotFound
from services.jobs.buckets.events import MAX_RECORDS, Notification

MAX_BYTES: Final = 1024 * 1024


class HookView(Body):
    """What became of a notification's records."""

    accepted: Count
    ignored: Count


def s3_events() -> Response:
    """Hand the created objects of a notification to the watches of their buckets."""
    _check_token()
    found = _notification()
    accepted = jobs().mailbox.put(found.created())
    return answer(HookView(accepted=accepted, ignored=len(found.records) - accepted))


def _check_token() -> None:
    """Raise `NotFound` where there is no token, `Forbidden` for another one."""
    expected = service().settings.watch_webhook_token
    if not expected:
        raise NotFound("bucket notifications are turned off", "Ask the operator to set WATCH_WEBHOOK_TOKEN")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(token.strip().encode(), expected.encode()):
        raise Forbidden("the token is wrong", "Send WATCH_WEBHOOK_TOKEN as Authorization: Bearer")


def _notification() -> Notification:
    request.max_content_length = MAX_BYTES
    try:
        return Notification.model_validate(read_json())
    except ValidationError as exc:
        where = ".".join(str(part) for part in exc.errors(include_url=False)[0]["loc"])
        allowed = f"at most {MAX_RECORDS} records with eventName, bucket and key, as S3 sends them"
        raise BadOption(where, None, allowed) from exc
