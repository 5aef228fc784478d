"""Metrics of jobs, the same from every web server: what waits, from the records; what has happened, from the tally."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from sqlalchemy import and_, case, func, or_, select

from services.errors import DatabaseUnavailable
from services.jobs.tables import ACTIVE, QUEUED, STARTED, Job, JobItem
from services.jobs.tally import Tally, families
from services.observability.background_check import Probe
from services.persistence.database import Database
from services.persistence.redis import RedisLost

KEEP_SECONDS: Final = 5.0  # the records are asked so often at most, by each process that is scraped
PATIENCE_SECONDS: Final = 0.06  # that a scrape waits for an answer; what is later is told by the next one
WAITING: Final = "waiting"


class JobFigures(Collector):
    """What can't be asked, or not in time, has no samples: scrapes are answered by one process or another, and with an
    older answer of its own than the last one's a counter would seem to have begun anew."""

    def __init__(self, database: Database, tally: Tally) -> None:
        self._database, self._tally = database, tally
        self._probe: Probe[list[Metric]] = Probe(self._ask, [], KEEP_SECONDS, PATIENCE_SECONDS)

    def collect(self) -> Iterator[Metric]:
        found, age = self._probe.look()
        yield from found if age <= KEEP_SECONDS else ()

    def describe(self) -> Iterator[Metric]:
        yield from (*_gauges(), *families({}))

    def _ask(self) -> list[Metric]:
        return [*self._records(), *self._counts()]

    def _counts(self) -> list[Metric]:
        try:
            return self._tally.read()
        except RedisLost:
            return []

    def _records(self) -> list[Metric]:
        items, oldest, webhooks = _gauges()
        states, since, due = dict.fromkeys((WAITING, QUEUED, STARTED), 0), 0.0, 0
        try:
            if self._database.exists():  # no file: no job yet, and none is to be made for this
                states, since, due = self._looked_up()
        except DatabaseUnavailable:
            return []
        for state, count in states.items():
            items.add_metric([state], count)
        oldest.add_metric([], since)
        webhooks.add_metric([], due)
        return [items, oldest, webhooks]

    def _looked_up(self) -> tuple[dict[str, int], float, int]:
        """Items in each state, the age of the oldest that could be worked on (seconds), and webhooks to be sent."""
        now = datetime.now(UTC)
        ready = and_(JobItem.state == QUEUED, or_(JobItem.due_at.is_(None), JobItem.due_at <= now))
        unsent = JobItem.queued_at.is_(None)
        active = select(JobItem.state, unsent, func.count(), func.min(case((ready, JobItem.created_at))))
        with self._database.session() as session:
            found = active.where(JobItem.state.in_(ACTIVE)).group_by(JobItem.state, unsent)
            rows = session.execute(found).all()
            due = session.scalar(select(func.count()).where(Job.callback_due_at.is_not(None))) or 0
        states = dict.fromkeys((WAITING, QUEUED, STARTED), 0)
        for state, no_message, count, _ in rows:
            states[WAITING if state == QUEUED and no_message else state] += count
        first = min((at for *_, at in rows if at), default=now)
        return states, max(0.0, (now - first).total_seconds()), due


def _gauges() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(
            "bg_remover_job_items",
            "Images of jobs that are not done: waiting their turn, queued for any worker, started",
            labels=["state"],
        ),
        GaugeMetricFamily("bg_remover_job_oldest_seconds", "Age of the oldest that could be worked on and is not"),
        GaugeMetricFamily("bg_remover_job_webhooks_due", "Ends of jobs that are still to be told"),
    )
