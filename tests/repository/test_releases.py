"""Check the workflows of releases and deployments, the settings files, and the notes of a release."""

import re
import runpy
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dotenv import dotenv_values

from config import SECRETS, ConfigError, Settings, load_settings
from tests.support.deploy import settings_names
from tests.support.waiting import ROOT

WORKFLOWS = ROOT / ".github/workflows"
NOTES = runpy.run_path(str(ROOT / "deploy/notes.py"))["notes"]
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.1.0] - 2030-02-03\n\n### Added\n\n- A.\n\n## [1.0.0]\n\n- B.\n"
# URLs that may hold a password, the secret before a rotation, and what is off by default.
NOT_FILLED = {
    # Of buckets that are watched.
    "WATCH_WEBHOOK_TOKEN",
    # Of accounts, which are off.
    "OIDC_CLIENT_SECRET",
    "SMTP_URL",
    "OTEL_EXPORTER_OTLP_HEADERS",
    "REDIS_URL",
    "DATABASE_URL",
    "JOB_BROKER_URL",
    "WEBHOOK_SECRET_PREVIOUS",
    "URL_SIGNING_KEY_PREVIOUS",
    "MODEL_MIRROR_URL",
} | {
    "S3_ENDPOINT_URL",
    "S3_PUBLIC_ENDPOINT_URL",
}


def workflow(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text())
    return found


def steps(job: dict[str, Any]) -> list[str]:
    return [step["name"] for step in job["steps"] if "name" in step]


def test_image_is_tried_on_both_architectures_before_it_is_pushed() -> None:
    job = workflow("release.yml")["jobs"]["image"]
    assert {row["architecture"] for row in job["strategy"]["matrix"]["include"]} == {"amd64", "arm64"}
    order = steps(job)
    assert order.index("Build") < order.index("Smoke") < order.index("Push")
    texts = {step["name"]: step["run"] for step in job["steps"] if "name" in step}
    assert "tests/integration_smoke.sh" in texts["Smoke"]
    assert "--push" not in texts["Build"]
    assert {"--sbom=true", "--provenance=mode=max", "--push"} <= set(texts["Push"].split())


def test_release_is_signed_and_has_wheel_and_notes() -> None:
    job = workflow("release.yml")["jobs"]["publish"]
    assert job["needs"] == "image"
    # For a signature without a key.
    assert job["permissions"]["id-token"] == "write"
    text = (WORKFLOWS / "release.yml").read_text()
    assert "cosign sign --yes" in text
    assert "deploy/notes.py" in text
    assert "dist/*.whl" in text


def test_deployment_is_by_hand_and_goes_back_where_it_fails() -> None:
    text = (WORKFLOWS / "deploy.yml").read_text()
    # YAML reads the key `on` as true.
    (trigger,) = yaml.safe_load(text)[True]
    assert trigger == "workflow_dispatch"
    order = steps(workflow("deploy.yml")["jobs"]["deploy"])
    assert order.index("Check the signature") < order.index("Roll out") < order.index("Smoke") < order.index("Undo")
    assert "failure()" in text.partition("- name: Undo")[2]


def test_every_variable_and_secret_of_the_workflows_is_documented() -> None:
    text = "".join(path.read_text() for path in WORKFLOWS.glob("*.yml"))
    named = set(re.findall(r"(?:vars|secrets)\.(\w+)", text)) - {"GITHUB_TOKEN"}
    table = (ROOT / "deploy/README.md").read_text()
    assert {name for name in named if f"`{name}`" not in table} == set()
    documented = set(re.findall(r"`([A-Z_]+)`", table.partition("Releases, and forks")[2].partition("\n## ")[0]))
    assert documented == named


def test_workflows_pass_no_input_into_a_shell() -> None:
    for path in WORKFLOWS.glob("*.yml"):
        for job in yaml.safe_load(path.read_text())["jobs"].values():
            for step in job["steps"]:
                assert not re.search(r"\$\{\{ *(inputs|github\.event|secrets)\b", step.get("run", "")), step


@pytest.mark.parametrize("path", [*WORKFLOWS.glob("*.yml")], ids=lambda path: path.name)
def test_shell_of_the_workflows_parses(path: Path) -> None:
    for job in yaml.safe_load(path.read_text())["jobs"].values():
        for step in job["steps"]:
            script = re.sub(r"\$\{\{.*?\}\}", "x", step.get("run", ""))
            done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
            assert done.returncode == 0, (step, done.stderr)


def test_notes_are_the_versions_section() -> None:
    assert NOTES(CHANGELOG, "1.1.0") == "### Added\n\n- A.\n"
    assert NOTES(CHANGELOG, "1.0.0") == "- B.\n"
    for version in ("1.1", "2.0.0", "Unreleased"):
        with pytest.raises(SystemExit, match="no changes of"):
            NOTES(CHANGELOG, version)


@pytest.fixture
def settings_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)

    def load(text: str) -> Settings:
        (tmp_path / ".env").write_text(text)
        monkeypatch.chdir(tmp_path)
        return load_settings()

    return load


def test_development_settings_load(settings_of: Any) -> None:
    settings = settings_of((ROOT / ".env.dev").read_text())
    assert (settings.debug, settings.rate_limit_enabled, settings.jobs_enabled) == (True, False, True)


def test_production_settings_name_every_secret_to_fill_in(settings_of: Any) -> None:
    text = (ROOT / ".env.prod.example").read_text()
    given = dotenv_values(stream=None, dotenv_path=ROOT / ".env.prod.example", interpolate=False)
    assert given.keys() - {"COMPOSE_PROFILES", "POSTGRES_PASSWORD", "STORAGE_ENCRYPTION_KEY"} <= settings_names()
    to_fill = {name for name, value in given.items() if value == "FILL_IN_RANDOM"}
    assert to_fill >= SECRETS - NOT_FILLED
    assert {"POSTGRES_PASSWORD", "STORAGE_ENCRYPTION_KEY"} <= to_fill
    # As it is, it does not start.
    with pytest.raises(ConfigError, match="SECRET_KEY"):
        settings_of(text)
    filled = re.sub("FILL_IN_RANDOM", "0123456789abcdef" * 4, text).replace("FILL_IN", "images.example.com")
    settings = settings_of(filled)
    assert settings.auth_required
    assert settings.database_url.startswith("postgresql://background-remover:0123")


def test_command_that_fills_secrets_gives_each_its_own(tmp_path: Path) -> None:
    text = (ROOT / ".env.prod.example").read_text()
    (command,) = re.findall(r"^#     (perl .*?) > \.env", text, re.MULTILINE)
    done = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False)
    if "not found" in done.stderr:
        pytest.skip(done.stderr.strip())
    random = re.findall(r"=([0-9a-f]{64})$", done.stdout, re.MULTILINE)
    assert len(random) == len(set(random)) == len(re.findall(r"=FILL_IN_RANDOM$", text, re.MULTILINE))
