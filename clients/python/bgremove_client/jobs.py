"""A submitted job: wait for it, download its result."""

import time
from pathlib import Path
from typing import Final, cast

from .errors import JobFailed
from .models import JobStatus
from .transport import Transport, with_jitter

FIRST_POLL_SECONDS: Final = 0.2
MAX_POLL_SECONDS: Final = 3.0
ENDED: Final = frozenset({"finished", "failed", "cancelled"})


class Job:
    """A job of one image or of many."""

    def __init__(self, transport: Transport, job_id: str) -> None:
        self._transport, self.id = transport, job_id

    def status(self) -> JobStatus:
        """Return the job's state, with its images and, for those that failed, why."""
        return cast(JobStatus, self._transport.send("GET", f"/api/jobs/{self.id}").json())

    def wait(self, timeout: float | None = None) -> JobStatus:
        """Return the job's state once it has ended with a result, at least for some images.

        Raises `JobFailed`, and `TimeoutError` after `timeout` seconds.
        """
        end = None if timeout is None else time.monotonic() + timeout
        pause = FIRST_POLL_SECONDS
        while (found := self.status())["status"] not in ENDED:
            if end is not None and time.monotonic() + pause > end:
                raise TimeoutError(f"job {self.id} is {found['status']} after {timeout:g} s")
            time.sleep(with_jitter(pause))
            pause = min(MAX_POLL_SECONDS, pause * 1.5)
        if found["download_url"] is None:
            problem = found["error"] or {"code": found["status"], "message": f"The job is {found['status']}"}
            raise JobFailed(200, problem)
        return found

    def result(self, timeout: float | None = None) -> bytes:
        """Wait, and return the image, or the ZIP archive of a batch. Raises as `wait`."""
        self.wait(timeout)
        return self._transport.send("GET", f"/api/jobs/{self.id}/download").content

    def save(self, path: str | Path, timeout: float | None = None) -> Path:
        """Wait, and write the result to a file."""
        target = Path(path)
        target.write_bytes(self.result(timeout))
        return target

    def cancel(self) -> None:
        """End all images of the job that have not ended."""
        self._transport.send("POST", f"/api/jobs/{self.id}/cancel")

    def delete(self) -> None:
        """Delete the job and its files."""
        self._transport.send("DELETE", f"/api/jobs/{self.id}")

    def delete_item(self, item_id: str) -> None:
        """Delete the files of one image; the job goes on with the others. `status()["items"]` has the ids."""
        self._transport.send("DELETE", f"/api/jobs/{self.id}/items/{item_id}")
