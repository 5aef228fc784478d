"""The table of usage: what each caller sent, by day (UTC) and endpoint.

A caller is an API key, by its id. `charged` counts the images that count against a monthly quota: of the endpoints
that run a model, and only those that succeeded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple

from sqlalchemy import BigInteger, Date, Float, Index, Select, String, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from services.persistence.database import Base, Database

# The endpoint of the images that workers make.
JOBS_ENDPOINT: Final = "/api/jobs"
COUNTS: Final = ("requests", "images", "charged", "failures", "megapixels", "bytes_in")


class DailyUsage(Base):
    """What a caller sent to one endpoint on one day."""

    __tablename__ = "daily_usage"

    caller: Mapped[str] = mapped_column(String(12), primary_key=True)
    day: Mapped[date] = mapped_column(Date, primary_key=True)
    endpoint: Mapped[str] = mapped_column(String(100), primary_key=True)
    requests: Mapped[int] = mapped_column(BigInteger, default=0)
    images: Mapped[int] = mapped_column(BigInteger, default=0)
    charged: Mapped[int] = mapped_column(BigInteger, default=0)
    failures: Mapped[int] = mapped_column(BigInteger, default=0)
    megapixels: Mapped[float] = mapped_column(Float, default=0.0)
    bytes_in: Mapped[int] = mapped_column(BigInteger, default=0)

    __table_args__ = (Index("ix_daily_usage_day", "day"),)


class Slot(NamedTuple):
    """Whose usage is counted: one row of the table."""

    caller: str
    day: date
    endpoint: str


@dataclass(frozen=True)
class Counts:
    """Counts of a slot; `failures` are images that failed, `bytes_in` the bytes of the images received."""

    requests: int = 0
    images: int = 0
    charged: int = 0
    failures: int = 0
    megapixels: float = 0.0
    bytes_in: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in COUNTS))


def today() -> date:
    """Return the day in UTC."""
    return datetime.now(UTC).date()


def month_of(day: date) -> tuple[date, date]:
    """Return the first day of the day's month and of the next."""
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def add_usage(session: Session, usage: Mapping[Slot, Counts]) -> None:
    """Add counts to the table within the caller's transaction."""
    is_sqlite = session.get_bind().dialect.name == "sqlite"
    # Ordered: two processes that lock the same rows could otherwise deadlock.
    rows = [{**slot._asdict(), **vars(counts)} for slot, counts in sorted(usage.items())]
    insert = sqlite.insert(DailyUsage) if is_sqlite else postgresql.insert(DailyUsage)
    added = {name: getattr(DailyUsage, name) + getattr(insert.excluded, name) for name in COUNTS}
    statement = insert.on_conflict_do_update(index_elements=["caller", "day", "endpoint"], set_=added)
    session.connection().execute(statement, rows)


def write_usage(database: Database, usage: Mapping[Slot, Counts]) -> None:
    """Add counts to the table. Raises `DatabaseUnavailable`."""
    with database.session() as session:
        add_usage(session, usage)


def charged_since(database: Database, caller: str, first: date) -> int:
    """Return how many charged images a caller has had since this day. Raises `DatabaseUnavailable`."""
    total = select(func.sum(DailyUsage.charged)).where(DailyUsage.caller == caller, DailyUsage.day >= first)
    with database.connection() as connection:
        return int(connection.execute(total).scalar() or 0)


def charged_by_caller(database: Database, first: date) -> dict[str, int]:
    """Return how many charged images each caller has had since this day. Raises `DatabaseUnavailable`."""
    totals = select(DailyUsage.caller, func.sum(DailyUsage.charged)).where(DailyUsage.day >= first)
    with database.connection() as connection:
        return {caller: int(total) for caller, total in connection.execute(totals.group_by(DailyUsage.caller))}


def usage_of(database: Database, callers: Sequence[str], first: date) -> dict[Slot, Counts]:
    """Return the usage of these callers since this day, oldest first. Raises `DatabaseUnavailable`."""
    return _read(database, select(DailyUsage).where(DailyUsage.caller.in_(callers), DailyUsage.day >= first))


def usage_of_all(database: Database, first: date) -> dict[Slot, Counts]:
    """Return the usage of all callers since this day, oldest first. Raises `DatabaseUnavailable`."""
    return _read(database, select(DailyUsage).where(DailyUsage.day >= first))


def delete_usage_before(database: Database, day: date) -> int:
    """Delete the usage of earlier days; return the number of rows. Raises `DatabaseUnavailable`."""
    with database.long_session() as session:
        return session.connection().execute(delete(DailyUsage).where(DailyUsage.day < day)).rowcount


def _read(database: Database, query: Select[DailyUsage]) -> dict[Slot, Counts]:
    ordered = query.order_by(DailyUsage.day, DailyUsage.caller, DailyUsage.endpoint)
    with database.session() as session:
        return {
            Slot(row.caller, row.day, row.endpoint): Counts(*(getattr(row, name) for name in COUNTS))
            for row in session.scalars(ordered)
        }
