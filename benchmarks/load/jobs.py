"""Jobs by the thousand, and while everything around them is killed: `python -m benchmarks.load.jobs throughput|kills`.

throughput   photographs as batches through two worker children, and the same ones through `/remove-background` before
             and after: is the throughput 90 % of what the same processors do at once, are the bytes the same, what does
             it cost to hand in, do 200 polls a second harm, does a child's memory stay flat
kills        while they run: SIGKILL for a worker child, for the whole worker, a restart of Valkey, its loss (FLUSHALL),
             restarts of SeaweedFS and PostgreSQL; at the end each image is finished exactly once

--stack local is SQLite and a folder, remote is PostgreSQL and SeaweedFS; all processes are real ones, started here on
loopback. Callers share the processors with them.
"""

import argparse
import json
import signal
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console

from benchmarks.load.kills import kills
from benchmarks.load.pictures import photographs
from benchmarks.load.stack import Stack
from benchmarks.load.throughput import throughput
from benchmarks.stages import RESULTS

console = Console()


def main() -> None:
    """One run; its figures go to `results/jobs-….json`. Exits with 1 where a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("throughput", "kills"))
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--stack", choices=("local", "remote"), default="local")
    parser.add_argument("--photos", type=Path, help="a folder of photographs to take instead of scikit-image's")
    chosen = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # all that was started ends with it
    with TemporaryDirectory() as folder:
        files = photographs(chosen.images, Path(folder) / "photos", chosen.photos)
        console.print(f"{len(files)} photographs, {sum(file.stat().st_size for file in files) / 1e6:.0f} MB")
        with Stack(chosen.stack, Path(folder)) as stack:
            run = throughput if chosen.what == "throughput" else kills
            found = {"images": chosen.images, "stack": chosen.stack, **run(stack, files, console)}
    console.print(found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"jobs-{chosen.what}-{chosen.stack}.json").write_text(json.dumps(found, indent=1))
    sys.exit(0 if not found["missed"] else 1)


if __name__ == "__main__":
    main()
