"""The facts of a result in a JSON column: typed for the code, unchanged for rows of older versions."""

from sqlalchemy import text

from services.jobs.store import JobStore
from services.jobs.tables import JobItem, item_id
from tests.support.jobs import FACTS, claim_item, insert_job

# As a worker wrote it before facts had a type.
OLD_ROW = (
    '{"format": "jpeg", "mimetype": "image/jpeg", "width": 10, "height": 20, "bytes": 30, "original_format": "png", '
    '"original_width": 40, "original_height": 50, "original_bytes": 60, "model": "u2net", "confidence": 1.0, '
    '"timings_ms": {"decode": 0.5}}'
)


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
        session.execute(text("UPDATE job_items SET result = :row"), {"row": OLD_ROW})
    facts = read(store, job_id).result
    assert facts
    assert (facts.format, facts.width, facts.height, facts.bytes, facts.model) == ("jpeg", 10, 20, 30, "u2net")
    assert facts.timings_ms == {"decode": 0.5}


def test_facts_are_stored_under_the_keys_of_older_versions(store: JobStore) -> None:
    job_id = insert_job(store)
    assert store.finish(claim_item(store, job_id), "results/x", FACTS)
    with store.database.session() as session:
        stored = session.scalar(text("SELECT json_group_array(key) FROM job_items, json_each(result)"))
        old = session.scalar(text("SELECT json_group_array(key) FROM json_each(:row)"), {"row": OLD_ROW})
    assert stored == old
