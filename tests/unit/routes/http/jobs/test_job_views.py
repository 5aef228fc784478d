"""The JSON bodies of jobs, byte for byte: clients rely on keys, order, nulls and formats."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from routes.http.jobs.job_answers import encoded
from routes.http.jobs.job_views import AcceptedView, FailedJobView, JobView, RetriedView, job_url
from routes.http.jobs.upload_views import TaskView
from services.containers.errors import CorruptImage
from services.errors import Busy
from services.jobs.queries import JobSnapshot
from services.jobs.tables import CANCELLED, FAILED, FINISHED, STARTED, Job, JobItem, item_id
from tests.support.jobs import FACTS, new_records

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def job_of(count: int = 1) -> tuple[Job, list[JobItem]]:
    """A job with a fixed id that was submitted at `START`."""
    job, items = new_records(count)
    job.id, job.created_at = "0" * 32, START
    for item in items:
        item.id = item_id(job.id, item.position)
    return job, items


def finish(job: Job, item: JobItem) -> None:
    job.state, job.started_at = FINISHED, START + timedelta(seconds=1)
    job.finished_at, job.expires_at = START + timedelta(seconds=4), START + timedelta(hours=1)
    item.state, item.progress, item.attempts, item.result = FINISHED, 100, 1, FACTS
    item.started_at, item.finished_at = START + timedelta(seconds=1), START + timedelta(seconds=3.25)


def test_a_queued_job_is_described_with_nulls() -> None:
    job, items = job_of()
    assert encoded(JobView.of(JobSnapshot(job, items, 2.0), "")).decode() == (
        '{"job_id":"00000000000000000000000000000000","status":"queued","stage":null,"progress":0,"eta_seconds":2.0,'
        '"created_at":"2026-01-02T03:04:05.678Z","started_at":null,"finished_at":null,"expires_at":null,"attempts":0,'
        '"error":null,"items":[{"item_id":"00000000000000000000000000000000-1","name":"photo 1","path":"photo 1",'
        '"status":"queued","stage":null,"progress":0,"attempts":0,"error":null,"width":null,"height":null,"bytes":null,"format":null,'
        '"model":null,"confidence":null,"frames":null,"duration_ms":null,"ms":null,"revision":0}],"download_url":null,"metrics":{"items":1,'
        '"finished":0,"failed":0,"cancelled":0,"deleted":0,"queue_seconds":null,"processing_seconds":null,"original_bytes":100,"result_bytes":0,'
        '"timings_ms":null}}'
    )


def test_a_finished_job_is_described_with_the_facts_of_its_result() -> None:
    job, items = job_of()
    finish(job, items[0])
    assert encoded(JobView.of(JobSnapshot(job, items, None), "")).decode() == (
        '{"job_id":"00000000000000000000000000000000","status":"finished","stage":null,"progress":100,'
        '"eta_seconds":null,"created_at":"2026-01-02T03:04:05.678Z","started_at":"2026-01-02T03:04:06.678Z",'
        '"finished_at":"2026-01-02T03:04:09.678Z","expires_at":"2026-01-02T04:04:05.678Z","attempts":1,"error":null,'
        '"items":[{"item_id":"00000000000000000000000000000000-1","name":"photo 1","path":"photo 1",'
        '"status":"finished","stage":null,"progress":100,"attempts":1,"error":null,"width":64,"height":48,"bytes":1234,"format":"png",'
        '"model":"u2netp","confidence":0.987,"frames":1,"duration_ms":null,"ms":2250.0,"revision":0}],'
        '"download_url":"/api/jobs/00000000000000000000000000000000/download",'
        '"metrics":{"items":1,"finished":1,"failed":0,"cancelled":0,"deleted":0,"queue_seconds":1.0,"processing_seconds":2.25,'
        '"original_bytes":100,"result_bytes":1234,"timings_ms":{"decode":1.5,"segment":20.0}}}'
    )


def test_a_batch_shows_its_first_failed_image_and_no_timings() -> None:
    job, items = job_of(3)
    finish(job, items[0])
    items[1].error_code = "busy"
    items[2].state, items[2].error_code = FAILED, "corrupt_image"
    view = JobView.of(JobSnapshot(job, items, None), "")
    assert view.error
    assert (view.error.code, view.error.details, view.error.retryable) == ("corrupt_image", "", False)
    assert view.error.solution == CorruptImage.solution
    assert [item.error and item.error.code for item in view.items] == [None, "busy", "corrupt_image"]
    assert (view.metrics.finished, view.metrics.failed, view.metrics.timings_ms) == (1, 1, None)


def test_a_single_image_shows_the_error_of_its_last_attempt() -> None:
    job, items = job_of()
    items[0].error_code, items[0].error_details = "busy", "why"
    error = JobView.of(JobSnapshot(job, items, None), "").error
    assert error
    assert (error.code, error.details, error.retryable) == ("busy", "why", True)
    assert error.message == Busy.message


def test_a_running_job_shows_the_stage_of_its_first_running_item() -> None:
    job, items = job_of(2)
    items[1].state, items[1].stage, items[1].progress = STARTED, "refine", 50
    view = JobView.of(JobSnapshot(job, items, None), "")
    assert (view.stage, view.progress) == ("refine", 25)


def test_an_accepted_job_names_where_its_status_is() -> None:
    assert encoded(AcceptedView.of(job_of(1)[0], ["x/a.jpg"], "")).decode() == (
        '{"job_id":"00000000000000000000000000000000","status":"queued","items":1,'
        '"status_url":"/api/jobs/00000000000000000000000000000000","images":[{"item_id":'
        '"00000000000000000000000000000000-1","name":"x/a.jpg","path":"x/a.jpg"}]}'
    )


def test_failed_job_has_its_retry_url_as_the_last_key() -> None:
    view = JobView.of(JobSnapshot(*job_of(), None), "")
    failed = orjson.loads(encoded(FailedJobView(**dict(view), retry_url=None)))
    assert list(failed) == [*orjson.loads(encoded(view)), "retry_url"]


def test_retry_names_the_images_that_are_not_tried_again() -> None:
    job, items = job_of(3)
    job.state, job.expires_at = FAILED, datetime.now(UTC) + timedelta(hours=1)
    for item, code in zip(items, ("worker_lost", "corrupt_image", "bad_entry"), strict=True):
        item.state, item.error_code, item.attempts = FAILED, code, 0 if code == "bad_entry" else 1
    view = RetriedView.of(JobSnapshot(job, items, None), "")
    assert (view.status, view.items) == ("queued", 1)
    assert [(item.item_id, item.error and item.error.code) for item in view.refused] == [
        (items[1].id, "corrupt_image"),
        (items[2].id, "bad_entry"),
    ]


def test_cancelled_job_has_a_download_where_an_image_was_done() -> None:
    job, items = job_of(2)
    job.state = CANCELLED
    assert JobView.of(JobSnapshot(job, items, None), "").download_url is None
    finish(job, items[0])
    job.state = items[1].state = CANCELLED
    assert JobView.of(JobSnapshot(job, items, None), "").download_url == f"/api/jobs/{job.id}/download"


def test_links_are_absolute_with_the_address_of_the_service() -> None:
    job, items = job_of()
    job.state = FINISHED
    finish(job, items[0])
    snapshot, base = JobSnapshot(job, items, None), "https://api.example"
    assert JobView.of(snapshot, base).download_url == f"{base}/api/jobs/{job.id}/download"
    assert (
        AcceptedView.of(job, [], base).status_url == RetriedView.of(snapshot, base).status_url == job_url(job.id, base)
    )
    assert TaskView.of(snapshot, base, None).result_url == f"{base}/api/jobs/{job.id}/download"


def test_an_unknown_state_is_a_bug() -> None:
    job, items = job_of()
    job.state = "lost in space"
    with pytest.raises(ValueError, match="status"):
        JobView.of(JobSnapshot(job, items, None), "")
