"""The facts of a result in a JSON column: typed for the code, unchanged for rows of older versions."""

from typing import Final

from sqlalchemy import JSON, text, type_coerce, update

from services.jobs.store import JobStore
from services.jobs.tables import JobItem, item_id
from tests.support.jobs import FACTS, claim_item, insert_job

# As a worker wrote it before facts had a type.
OLD_ROW: Final = {
    "format": "jpeg",
    "mimetype": "image/jpeg",
    "width": 10,
    "height": 20,
    "bytes": 30,
    "original_format": "png",
    "original_width": 40,
    "original_height": 50,
    "original_bytes": 60,
    "model": "u2net",
    "confidence": 1.0,
    "timings_ms": {"decode": 0.5},
}
# What later versions added, with what it is for older rows.
ADDED: Final = {"frames": 1, "duration_ms": None}


def read(store: JobStore, job_id: str) -> JobItem:
    with store.database.session() as session:
        item = session.get(JobItem, item_id(job_id, 1))
        assert item
        return item


def test_facts_come_back_from_the_database_typed(store: JobStore) -> None:
    job_id = insert_job(store)
    assert store.finish(claim_item(store, job_id), "results/x", FACTS)
    assert read(store, job_id).result == FACTS


def test_an_item_without_a_result_has_null_in_its_column(store: JobStore) -> None:
    job_id = insert_job(store)
    assert read(store, job_id).result is None
    with store.database.session() as session:
        assert session.scalar(text("SELECT count(*) FROM job_items WHERE result IS NULL")) == 1


def test_facts_read_the_rows_of_older_versions(store: JobStore) -> None:
    job_id = insert_job(store)
    with store.database.session() as session:
        session.execute(update(JobItem).values(result=type_coerce(OLD_ROW, JSON)))
    facts = read(store, job_id).result
    assert facts
    assert facts.model_dump() == OLD_ROW | ADDED


def test_facts_are_stored_under_the_keys_of_older_versions(store: JobStore) -> None:
    job_id = insert_job(store)
    assert store.finish(claim_item(store, job_id), "results/x", FACTS)
    with store.database.session() as session:
        stored = session.query(type_coerce(JobItem.result, JSON)).scalar()
    assert list(stored) == [*OLD_ROW, *ADDED]
