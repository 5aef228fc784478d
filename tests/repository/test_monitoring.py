"""Check that alerts and dashboard use existing metrics and labels, and that every expression parses."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from services.jobs.metrics import JobCounters, JobMetricsCollector
from services.observability.machine import DiskSpace
from services.observability.metrics import Metrics
from services.persistence.database import Database
from tests.support.waiting import ROOT

RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/prometheus-rules.yml").read_text())["groups"][0]["rules"]
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
OF_PROMETHEUS = {"instance", "job"}


def expressions() -> Iterator[tuple[str, str]]:
    for rule in RULES:
        yield rule["alert"], rule["expr"]
    for panel in PANELS:
        for target in panel["targets"]:
            yield panel["title"], target["expr"].replace("$__rate_interval", "5m")


@pytest.fixture(scope="module")
def samples() -> dict[str, set[str]]:
    """Map the name of each sample that /metrics can show to its label names."""
    found: dict[str, set[str]] = {}
    of_jobs = JobMetricsCollector(Database("sqlite:///nowhere"), JobCounters())
    metrics = Metrics()
    for collector in (*vars(metrics).values(), *metrics._others, DiskSpace({}), of_jobs):
        if not hasattr(collector, "describe"):
            continue
        for family in collector.describe():
            labels = set(getattr(collector if hasattr(collector, "_labelnames") else family, "_labelnames", ()))
            endings = {"counter": ["_total"], "histogram": ["_bucket", "_count", "_sum"]}.get(family.type, [""])
            for ending in endings:
                found[family.name + ending] = labels | ({"le"} if ending == "_bucket" else set())
    return found


def test_metrics_are_collected_with_their_labels(samples: dict[str, set[str]]) -> None:
    assert samples["bg_remover_requests_total"] == {"method", "endpoint", "status"}
    assert samples["bg_remover_resident_bytes"] == set()
    assert len(samples) > 20


@pytest.mark.parametrize(("where", "text"), list(expressions()))
def test_every_metric_and_label_in_an_expression_exists(where: str, text: str, samples: dict[str, set[str]]) -> None:
    named = set(re.findall(r"bg_remover_\w+", text))
    assert named <= samples.keys()
    assert named or 'up{job="background-remover"}' in text
    allowed = OF_PROMETHEUS.union(*(samples[name] for name in named))
    assert set(re.findall(r"(\w+)=~?\"", text)) <= allowed
    for group in re.findall(r"by \(([^)]*)\)", text):
        assert {label.strip() for label in group.split(",")} <= allowed


@pytest.mark.parametrize(("where", "text"), list(expressions()))
def test_every_expression_parses(where: str, text: str) -> None:
    pytest.importorskip("promql_parser", reason="promql-parser is not available for this platform").parse(text)


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: apt install prometheus)")
def test_alerts_fire_when_they_should_and_only_then() -> None:
    command = ["promtool", "test", "rules", str(ROOT / "tests/repository/alerts.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_error_codes_in_alerts_exist(samples: dict[str, set[str]]) -> None:
    from services.errors import all_errors

    known = {error.code for error in all_errors()}
    for _, text in expressions():
        for code in re.findall(r'code="(\w+)"', text):
            assert code in known
        for pattern in re.findall(r'code=~"([^"]+)"', text):
            assert any(re.fullmatch(pattern, code) for code in known)


def test_each_alert_has_a_severity_a_summary_and_documentation() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(names) == len(set(names))
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning")
        assert rule["annotations"]["summary"]
        assert rule["alert"] in (ROOT / "docs/guides/operations.md").read_text()


def test_each_alert_leads_to_its_paragraph_in_the_runbook() -> None:
    headings = re.findall(r"^### (BackgroundRemover\w+)$", (ROOT / "docs/guides/runbook.md").read_text(), re.MULTILINE)
    assert sorted(headings) == sorted(rule["alert"] for rule in RULES)
    for rule in RULES:
        assert rule["annotations"]["runbook"] == f"docs/guides/runbook.md#{rule['alert'].lower()}"


def test_panels_have_unique_ids_and_do_not_overlap() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in PANELS)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) == 23


def test_dashboard_uses_only_the_data_source_variable() -> None:
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    assert [variable["name"] for variable in DASHBOARD["templating"]["list"]] == ["datasource", "instance"]
