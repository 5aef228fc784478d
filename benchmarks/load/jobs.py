"""Measure jobs under load, or kill their dependencies: `python -m benchmarks.load.jobs throughput|kills`.

throughput   sends photographs as batches through two worker children, and the same ones through `/remove-background`
             before and after. Checks that the throughput is at least 90 % of the synchronous one, that the results are
             equal, and that 200 polls a second succeed. Reports the cost of a submission and the children's memory.
kills        while jobs run: SIGKILL for a worker child and for the whole worker, a restart of Valkey, the loss of its
             data (FLUSHALL), restarts of SeaweedFS and PostgreSQL. Checks that each image is finished exactly once.

--stack local uses SQLite and a folder, --stack remote uses PostgreSQL and SeaweedFS. All processes are real, run on
loopback, and share the processors with the clients.
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
    """Run one benchmark and write `results/jobs-….json`. Exits with 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("benchmark", choices=("throughput", "kills"))
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--stack", choices=("local", "remote"), default="local")
    parser.add_argument("--photos", type=Path, help="a folder of photographs, instead of scikit-image's")
    chosen = parser.parse_args()
    # Exit normally, so that the context managers stop what they started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with TemporaryDirectory() as folder:
        files = photographs(chosen.images, Path(folder) / "photos", chosen.photos)
        console.print(f"{len(files)} photographs, {sum(file.stat().st_size for file in files) / 1e6:.0f} MB")
        with Stack(chosen.stack, Path(folder)) as stack:
            run = throughput if chosen.benchmark == "throughput" else kills
            found = {"images": chosen.images, "stack": chosen.stack, **run(stack, files, console)}
    console.print(found)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"jobs-{chosen.benchmark}-{chosen.stack}.json").write_text(json.dumps(found, indent=1))
    sys.exit(0 if not found["missed"] else 1)


if __name__ == "__main__":
    main()
