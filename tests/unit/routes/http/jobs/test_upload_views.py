"""The JSON bodies of uploads and tasks, byte for byte."""

from datetime import UTC, datetime, timedelta

import pytest

from routes.http.jobs.job_answers import encoded
from routes.http.jobs.upload_views import STATUS, TaskView, UploadAcceptedView, UploadView
from services.jobs.queries import JobSnapshot
from services.jobs.tables import ACTIVE, CANCELLED, ENDED, FAILED, FINISHED
from tests.support.jobs import new_records

START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def snapshot(state: str = "queued") -> JobSnapshot:
    """A job of one image in this state, submitted at `START`."""
    job, items = new_records()
    job.id, job.created_at, job.state, items[0].state = "0" * 32, START, state, state
    return JobSnapshot(job, items, None)


def test_an_accepted_upload_has_the_jobs_id_twice() -> None:
    assert encoded(UploadAcceptedView.of(snapshot().job)).decode() == (
        '{"upload_id":"00000000000000000000000000000000","task_id":"00000000000000000000000000000000",'
        '"status":"queued","message":"The image is queued"}'
    )


def test_upload_has_the_file_name_without_folders() -> None:
    found = snapshot()
    found.items[0].name = "incoming/shop/cat.jpg"
    assert UploadView.of(found).filename == "cat.jpg"


def test_an_upload_is_described_by_its_file() -> None:
    assert encoded(UploadView.of(snapshot())).decode() == (
        '{"upload_id":"00000000000000000000000000000000","task_id":"00000000000000000000000000000000",'
        '"filename":"photo 1","size":100,"status":"queued","created_at":"2026-01-02T03:04:05.678Z"}'
    )


def test_a_finished_task_has_links_and_its_time() -> None:
    found = snapshot(FINISHED)
    found.job.started_at, found.job.finished_at = START, START + timedelta(seconds=1.23456)
    assert encoded(TaskView.of(found, "", "https://bucket.example/x")).decode() == (
        '{"task_id":"00000000000000000000000000000000","upload_id":"00000000000000000000000000000000",'
        '"status":"completed","progress":100,"result_url":"/api/jobs/00000000000000000000000000000000/download",'
        '"presigned_url":"https://bucket.example/x","error_message":null,"processing_time":1.235,'
        '"created_at":"2026-01-02T03:04:05.678Z","updated_at":"2026-01-02T03:04:06.913Z"}'
    )


@pytest.mark.parametrize(("code", "details", "message"), [("busy", "why", "why"), ("busy", None, "busy")])
def test_a_failed_task_says_why(code: str, details: str | None, message: str) -> None:
    found = snapshot(FAILED)
    found.items[0].error_code, found.items[0].error_details = code, details
    view = TaskView.of(found, "", None)
    assert (view.status, view.error_message, view.result_url) == ("failed", message, None)


def test_a_cancelled_task_has_failed() -> None:
    view = TaskView.of(snapshot(CANCELLED), "", None)
    assert (view.status, view.error_message) == ("failed", "cancelled")


def test_every_state_of_a_job_has_a_status() -> None:
    assert set(STATUS) == {*ACTIVE, *ENDED}
