"""Makes the questions behind an operator's overview."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from config import Settings

if TYPE_CHECKING:
    from services.jobs.pending import Backlog
    from services.jobs.workers.presence import Seen
    from services.observability.questions import Question
    from services.persistence.database import Database
    from services.storage.base import Storage
    from services.storage.census import Census


# How long an operator's overview reuses its answers, and its count of files.
OVERVIEW_SECONDS = 2.0
CENSUS_SECONDS = 30.0


@dataclass(frozen=True)
class Overview:
    """Questions for operators to the parts of the service; None: the part is not in use."""

    database: Question[bool] | None
    redis: Question[bool] | None
    broker: Question[bool] | None
    storage: Question[dict[str, Census]]
    cache: Question[Census] | None
    workers: Question[list[Seen]] | None
    backlog: Question[Backlog] | None

    def begin(self) -> None:
        """Ask all of them at the same time."""
        for part in fields(self):
            question: Question[object] | None = getattr(self, part.name)
            if question:
                question.begin()


def make_overview(settings: Settings, storage: Storage, database: Database) -> Overview:
    """Return the questions of an operator's overview; nothing is asked yet."""
    from services.jobs.pending import PendingWork
    from services.jobs.tables import FOLDERS
    from services.jobs.workers.presence import Workers
    from services.observability.questions import Question
    from services.persistence.redis import connect
    from services.result_cache import count_cached
    from services.storage.census import count_all

    def ping() -> bool:
        database.ping()
        return True

    cache = connect(settings.redis_url)
    broker = connect(settings.broker_url)
    uses_redis = settings.quotas_in_redis or settings.result_cache_seconds
    workers, jobs = Workers(settings.broker_url), settings.jobs_enabled
    return Overview(
        database=Question(ping, OVERVIEW_SECONDS) if settings.auth_required or database.exists() or jobs else None,
        redis=Question(lambda: bool(cache.ping()), OVERVIEW_SECONDS) if uses_redis else None,
        broker=Question(lambda: bool(broker.ping()), OVERVIEW_SECONDS) if jobs else None,
        storage=Question(lambda: count_all(storage, FOLDERS), CENSUS_SECONDS),
        cache=Question(lambda: count_cached(cache), CENSUS_SECONDS) if settings.result_cache_seconds else None,
        workers=Question(workers.list, OVERVIEW_SECONDS) if jobs else None,
        backlog=Question(PendingWork(database).backlog, OVERVIEW_SECONDS) if jobs else None,
    )
