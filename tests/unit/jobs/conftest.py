"""A store of jobs in SQLite: quick, and enough where the databases do not differ."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from services.jobs.store import JobStore
from services.persistence.database import Database


@pytest.fixture
def store(tmp_path: Path) -> Iterator[JobStore]:
    """A store in a new SQLite file; results are kept for an hour."""
    database = Database(f"sqlite:///{tmp_path}/jobs.db")
    yield JobStore(database, result_seconds=3600)
    database.close()
