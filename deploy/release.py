"""Makes a release: `make release VERSION=1.2.0`. It commits and tags; pushing is yours.

The version is written once, in `config.py`: the wheel, the API's description and `GET /` read it there. The image tags
of the Kubernetes manifests follow. The section "Unreleased" of the changelog becomes the section of the version.
"""

import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parent.parent
SEMVER: Final = re.compile(r"\d+\.\d+\.\d+", re.ASCII)
VERSION: Final = re.compile(r'^VERSION: Final = "(.+)"$', re.MULTILINE)
IMAGE: Final = re.compile(r"image: background-remover:[\w.]+")
UNRELEASED: Final = "## [Unreleased]"


class ReleaseError(Exception):
    """The release can't be made; the text says why."""


def release(root: Path, version: str, today: str) -> None:
    """Write the version, commit and tag. Raises `ReleaseError` before anything is changed."""
    if not SEMVER.fullmatch(version):
        raise ReleaseError(f"VERSION is {version!r}; it has to be like 1.2.0")
    if _git(root, "status", "--porcelain"):
        raise ReleaseError("the working tree has changes; commit or stash them first")
    if _git(root, "tag", "--list", f"v{version}"):
        raise ReleaseError(f"there is a tag v{version} already")
    changelog = dated_changelog((root / "CHANGELOG.md").read_text(), version, today)
    config = root / "config.py"
    (root / "CHANGELOG.md").write_text(changelog)
    config.write_text(VERSION.sub(f'VERSION: Final = "{version}"', config.read_text(), count=1))
    for manifest in (root / "deploy/kubernetes").glob("*.yaml"):
        manifest.write_text(IMAGE.sub(f"image: background-remover:{version}", manifest.read_text()))
    _git(root, "commit", "--quiet", "--all", "--message", f"Release {version}")
    _git(root, "tag", "--annotate", f"v{version}", "--message", f"Release {version}")


def dated_changelog(text: str, version: str, today: str) -> str:
    """Return the changelog with the unreleased changes under the version. Raises `ReleaseError` without any."""
    before, heading, after = text.partition(f"{UNRELEASED}\n")
    changes, following, older = after.partition("\n## ")
    if not heading or not re.search(r"^- ", changes, re.MULTILINE):
        raise ReleaseError(f"CHANGELOG.md has no changes under {UNRELEASED}")
    return f"{before}{heading}\n## [{version}] - {today}\n{changes}{following}{older}"


def _git(root: Path, *words: str) -> str:
    command = ["git", *words]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    if done.returncode:
        raise ReleaseError(f"git {words[0]} failed: {done.stderr.strip()}")
    return done.stdout.strip()


def main(words: list[str]) -> int:
    """Make the release that the command line names."""
    try:
        release(ROOT, words[0] if words else "", f"{datetime.now(UTC):%Y-%m-%d}")
    except ReleaseError as exc:
        print(f"no release: {exc}", file=sys.stderr)
        return 1
    print(f"Committed and tagged v{words[0]}. Publish it with: git push --follow-tags", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
