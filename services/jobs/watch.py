"""Watches many jobs for one caller, and yields the changes since the last check."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from services.jobs.queries import JobQueries, JobSnapshot
from services.jobs.tables import ACTIVE, JobItem

DIGEST_CHARS: Final = 8
# Of a job that the caller does not know, and of one that was not checked yet.
UNKNOWN: Final = "0" * DIGEST_CHARS
UNSEEN: Final = "-" * DIGEST_CHARS


@dataclass(frozen=True)
class Change:
    """A changed job: its snapshot, None for one that the caller does not know, and its changed items.

    `position` is the watch's after this change.
    """

    job_id: str
    snapshot: JobSnapshot | None
    items: Sequence[JobItem]
    position: str


@dataclass
class Watch:
    """A caller's view of some jobs. A position is a text that says what it has seen; another watch resumes there."""

    queries: JobQueries
    job_ids: Sequence[str]
    owner: str | None
    _states: dict[str, tuple[str, int]] = field(default_factory=dict)
    _items: dict[str, tuple[object, ...]] = field(default_factory=dict)
    _seen: dict[str, str] = field(default_factory=dict)

    def resume(self, position: str) -> None:
        """Treat what an earlier watch of the same jobs has seen as seen: unchanged jobs are not reported again."""
        digests = [position[at : at + DIGEST_CHARS] for at in range(0, len(position), DIGEST_CHARS)]
        if len(digests) == len(self.job_ids):
            self._seen = dict(zip(self.job_ids, digests, strict=True))

    @property
    def over(self) -> bool:
        """Whether no job is left that may change by itself."""
        return not any(state in ACTIVE for state, _ in self._states.values())

    def changes(self) -> Iterator[Change]:
        """Query the jobs, and yield each one that has changed. Raises `DatabaseUnavailable`."""
        states = self.queries.states(self.job_ids, self.owner)
        # Items of an ended job change only with its state, when they are deleted, or when a caller edits them.
        active = [j for j, found in states.items() if found[0] in ACTIVE or self._states.get(j) != found]
        self._states = states
        found = self.queries.jobs(active, self.owner)
        for job_id in self.job_ids:
            if job_id not in states:
                yield from self._unknown(job_id)
            elif job_id in found:
                yield from self._changed(found[job_id])

    def _unknown(self, job_id: str) -> Iterator[Change]:
        if self._seen.get(job_id) != UNKNOWN:
            self._seen[job_id] = UNKNOWN
            yield Change(job_id, None, (), self._position())

    def _changed(self, snapshot: JobSnapshot) -> Iterator[Change]:
        job, items = snapshot.job, snapshot.items
        facts = {item.id: _facts(item) for item in items}
        seen = hashlib.sha256(repr((job.state, *facts.values())).encode()).hexdigest()[:DIGEST_CHARS]
        changed = [item for item in items if self._items.get(item.id) != facts[item.id]]
        self._items |= facts
        if self._seen.get(job.id) != seen:
            self._seen[job.id] = seen
            yield Change(job.id, snapshot, changed, self._position())

    def _position(self) -> str:
        """Return a digest of each job as it was seen last, in the order of the ids."""
        return "".join(self._seen.get(job_id, UNSEEN) for job_id in self.job_ids)


def _facts(item: JobItem) -> tuple[object, ...]:
    return item.state, item.stage, item.progress, item.attempts, item.error_code, item.revision
