"""The ids and storage keys of jobs, and the states of their items."""

from sqlalchemy import String
from sqlalchemy.orm import InstrumentedAttribute

from services.jobs.tables import (
    ACTIVE,
    CANCELLED,
    ENDED,
    FAILED,
    FINISHED,
    JOB_ID,
    QUEUED,
    STARTED,
    Job,
    JobItem,
    item_id,
    new_job_id,
    original_key,
    result_key,
)
from services.storage.base import is_key


def test_new_job_ids_are_distinct_and_have_the_form_of_one() -> None:
    ids = {new_job_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(JOB_ID.fullmatch(job_id) for job_id in ids)


def longest(column: InstrumentedAttribute[str] | InstrumentedAttribute[str | None]) -> int:
    """The number of characters that a column holds."""
    kind = column.type
    assert isinstance(kind, String)
    assert kind.length
    return kind.length


def test_ids_and_keys_fit_their_columns() -> None:
    job_id = new_job_id()
    assert len(job_id) == longest(Job.id)
    assert len(item_id(job_id, 9_999_999)) <= longest(JobItem.id)
    assert len(result_key(job_id, 9_999_999, "jpeg")) <= longest(JobItem.result_key)


def test_item_ids_and_keys_name_the_job() -> None:
    job_id = new_job_id()
    assert item_id(job_id, 3) == f"{job_id}-3"
    assert original_key(job_id, 3) == f"originals/{job_id}/3"
    assert original_key(job_id, "background") == f"originals/{job_id}/background"
    assert result_key(job_id, 3, "png") == f"results/{job_id}/3.png"
    assert is_key(original_key(job_id, 3))
    assert is_key(result_key(job_id, 3, "png"))


def test_each_state_is_either_active_or_ended() -> None:
    assert {*ACTIVE, *ENDED} == {QUEUED, STARTED, FINISHED, FAILED, CANCELLED}
    assert not {*ACTIVE} & {*ENDED}
