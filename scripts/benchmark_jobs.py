"""Submit jobs to a running service, wait for them, and print how fast they were.

    .venv/bin/python scripts/benchmark_jobs.py --count 200 --url http://localhost:5001 [--key KEY] [--photo FILE]

Each job has one image. The output is JSON: jobs per second, and seconds from submission to the end (median, 95th
percentile).
"""

import argparse
import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import requests

PHOTO: Final = Path(__file__).resolve().parent.parent / "docs/before-after.jpg"
SUBMITTERS: Final = 4
POLL_SECONDS: Final = 0.5
FINAL: Final = frozenset({"finished", "failed", "cancelled"})


class BenchmarkError(Exception):
    """The service can't be measured; the text says why."""


@dataclass(frozen=True)
class Ended:
    """A job's final status, and the seconds from its submission to when it was seen."""

    status: str
    seconds: float


class JobClient:
    """Submits jobs and asks for them."""

    def __init__(self, url: str, key: str) -> None:
        self._url = url.rstrip("/")
        self._headers = {"X-Api-Key": key} if key else {}

    def submit(self, name: str, photo: bytes) -> str:
        """Submit one image; return the job's id. A full queue is asked again. Raises `BenchmarkError`."""
        while True:
            answer = self._call("POST", "/api/jobs/remove-bg", files={"file": (name, photo)})
            if answer.status_code == 202:
                return str(answer.json()["job_id"])
            if answer.status_code not in (429, 503):
                raise BenchmarkError(f"submitting was answered {answer.status_code}: {answer.text[:300]}")
            time.sleep(min(float(answer.headers.get("Retry-After", 1)), 60))

    def status(self, job_id: str) -> str:
        """Return the job's status. Raises `BenchmarkError`."""
        answer = self._call("GET", f"/api/jobs/{job_id}")
        if answer.status_code == 429:
            return ""
        if answer.status_code != 200:
            raise BenchmarkError(f"asking for a job was answered {answer.status_code}: {answer.text[:300]}")
        return str(answer.json()["status"])

    def _call(self, method: str, path: str, **more: object) -> requests.Response:
        try:
            return requests.request(method, self._url + path, headers=self._headers, timeout=60, **more)  # type: ignore[arg-type] # files
        except requests.RequestException as exc:
            raise BenchmarkError(f"{self._url} can't be reached: {exc}") from exc


def measure(client: JobClient, photo: bytes, count: int) -> dict[str, object]:
    """Run `count` jobs and return the figures. Raises `BenchmarkError`."""
    start = time.monotonic()

    def submit(number: int) -> tuple[str, float]:
        return client.submit(f"{number}.jpg", photo), time.monotonic()

    with ThreadPoolExecutor(SUBMITTERS) as pool:
        open_jobs = dict(pool.map(submit, range(count)))
    submitted = time.monotonic() - start
    ended: list[Ended] = []
    while open_jobs:
        for job_id in list(open_jobs):
            if (status := client.status(job_id)) in FINAL:
                ended.append(Ended(status, time.monotonic() - open_jobs.pop(job_id)))
            elif status == "queued":
                # Later ones are not done either, or soon will be.
                break
        if open_jobs:
            time.sleep(POLL_SECONDS)
    return figures(ended, submitted, time.monotonic() - start)


def figures(ended: list[Ended], submit_seconds: float, seconds: float) -> dict[str, object]:
    """Return the figures of jobs that have ended."""
    waits = sorted(job.seconds for job in ended)
    return {
        "jobs": len(ended),
        "finished": sum(job.status == "finished" for job in ended),
        "seconds": round(seconds, 2),
        "submit_seconds": round(submit_seconds, 2),
        "jobs_per_second": round(len(ended) / seconds, 2),
        "median_seconds": round(statistics.median(waits), 2),
        "p95_seconds": round(waits[max(0, -(-len(waits) * 95 // 100) - 1)], 2),
    }


def main(words: list[str]) -> int:
    """Measure and print; return 0 if every job finished."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=100, help="jobs to submit (default: 100)")
    parser.add_argument("--url", required=True, help="of the service, as http://localhost:5001")
    parser.add_argument("--key", default="", help="an API key with the scope jobs")
    parser.add_argument("--photo", type=Path, default=PHOTO, help="the image of each job")
    given = parser.parse_args(words)
    if given.count < 1:
        parser.error("--count has to be 1 or more")
    try:
        found = measure(JobClient(given.url, given.key), given.photo.read_bytes(), given.count)
    except (BenchmarkError, OSError) as exc:
        print(exc, file=sys.stderr)
        return 1
    print(json.dumps(found, indent=1))
    return 0 if found["finished"] == given.count else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
