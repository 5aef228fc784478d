"""Reads one column of many rows by their ids."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import InstrumentedAttribute

from services.persistence.database import Database

# Of one query: below the number of parameters that SQLite and PostgreSQL take.
MAX_IDS: Final = 10_000


def values_by_id(
    database: Database,
    ids: InstrumentedAttribute[str],
    values: InstrumentedAttribute[str],
    wanted: Collection[str],
) -> dict[str, str]:
    """Return the values of the wanted rows by their ids, with one query; ids without a row are left out."""
    left = sorted(set(wanted))
    found: dict[str, str] = {}
    while left:
        some, left = left[:MAX_IDS], left[MAX_IDS:]
        with database.session() as session:
            rows = session.execute(select(ids, values).where(ids.in_(some)))
            found.update((row_id, value) for row_id, value in rows)
    return found
