"""Check the files for developers and automation: workflows, templates and the release script."""

import os
import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import VERSION
from tests.support.waiting import ROOT

YAML = [ROOT / ".pre-commit-config.yaml", *sorted((ROOT / ".github").rglob("*.yml"))]
RELEASE = runpy.run_path(str(ROOT / "deploy/release.py"))


@pytest.mark.parametrize("path", YAML, ids=lambda path: str(path.relative_to(ROOT)))
def test_yaml_files_parse(path: Path) -> None:
    assert yaml.safe_load(path.read_text())


def test_workflow_covers_every_python_and_platform() -> None:
    jobs: dict[str, Any] = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    assert set(jobs) == {"check", "test", "long", "browser", "image", "buildah", "compose", "audit", "fuzz"}
    combinations = jobs["check"]["strategy"]["matrix"]["include"]
    pythons = {row["python"] for row in combinations if row["os"] == "ubuntu-latest"}
    assert pythons == {"3.11", "3.12", "3.13", "3.14"}
    assert {row["os"] for row in combinations} >= {"ubuntu-24.04-arm", "macos-latest"}
    for job in jobs.values():
        assert job["timeout-minutes"] <= 30


def test_make_targets_of_the_workflow_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for path in YAML:
        assert set(re.findall(r"\bmake (?:--\w+ )?([a-z]+)", path.read_text())) <= targets, path.name


def test_version_is_defined_once() -> None:
    assert f'VERSION: Final = "{VERSION}"' in (ROOT / "config.py").read_text()
    for name in ("pyproject.toml", ".env.sample", "README.md", "Dockerfile", "docker-compose.yml"):
        assert VERSION not in (ROOT / name).read_text(), name


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A small repository with the files that a release changes."""
    for name in ("config.py", "deploy/kubernetes/web.yaml"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text((ROOT / name).read_text())
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n### Added\n\n- Something.\n")
    for words in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "first"]):
        git(tmp_path, *words)
    return tmp_path


def git(folder: Path, *words: str) -> str:
    names = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@t", "GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@t"}
    return subprocess.run(
        ["git", *words], cwd=folder, env={**os.environ, **names}, capture_output=True, text=True, check=True
    ).stdout


def test_release_writes_version_and_date_and_tags(clone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
        monkeypatch.setenv(name, "t@t")
    RELEASE["release"](clone, "9.8.7", "2030-01-02")
    assert 'VERSION: Final = "9.8.7"' in (clone / "config.py").read_text()
    assert "image: background-remover:9.8.7" in (clone / "deploy/kubernetes/web.yaml").read_text()
    changelog = (clone / "CHANGELOG.md").read_text()
    assert "## [Unreleased]\n\n## [9.8.7] - 2030-01-02\n\n### Added\n\n- Something.\n" in changelog
    assert git(clone, "tag", "--list").split() == ["v9.8.7"]
    assert git(clone, "status", "--porcelain") == ""
    with pytest.raises(RELEASE["ReleaseError"], match="already"):
        RELEASE["release"](clone, "9.8.7", "2030-01-02")
    with pytest.raises(RELEASE["ReleaseError"], match="no changes under"):
        RELEASE["release"](clone, "9.8.8", "2030-01-03")


def test_release_of_an_unclean_tree_changes_nothing(clone: Path) -> None:
    (clone / "config.py").write_text("")
    with pytest.raises(RELEASE["ReleaseError"], match="has changes"):
        RELEASE["release"](clone, "1.0.0", "2030-01-02")
    with pytest.raises(RELEASE["ReleaseError"], match=r"like 1\.2\.0"):
        RELEASE["release"](clone, "1.0", "2030-01-02")


def test_changelog_follows_its_format() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert "## [Unreleased]" in text
    headings = set(re.findall(r"^### (.+)$", text, re.MULTILINE))
    assert headings <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
