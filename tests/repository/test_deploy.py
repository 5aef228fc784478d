"""Check that the deployment files agree with each other and with the code."""

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from config import Settings
from tests.support.deploy import WORKER, settings_names
from tests.support.waiting import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
NGINX = (ROOT / "nginx.conf").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = ("app", "app-gpu", "worker")
NOT_OURS = {"PATH", "HOME", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"}
# `graceful_timeout` in gunicorn.conf.py: REQUEST_TIMEOUT_SECONDS + 5.
DRAIN_SECONDS = 65
UNITS = ("background-remover", "background-remover-worker")
OF_COMPOSE = {"COMPOSE_PROFILES", "POSTGRES_PASSWORD", "STORAGE_ENCRYPTION_KEY", "HTTP_PORT", "HTTPS_PORT"} | {
    "APP_IMAGE",
    "PROMETHEUS_PORT",
    "GRAFANA_PORT",
}


def unit(name: str = "background-remover") -> dict[str, str]:
    """Return the systemd unit's settings; the last line of a repeated setting wins."""
    return dict(re.findall(r"^(\w+)=(.*)$", (ROOT / f"deploy/{name}.service").read_text(), re.MULTILINE))


def unit_environment(name: str) -> dict[str, str]:
    lines = re.findall(r"^Environment=(.*)$", (ROOT / f"deploy/{name}.service").read_text(), re.MULTILINE)
    return dict(pair.split("=", 1) for line in lines for pair in line.split())


@pytest.mark.parametrize("name", ["Dockerfile", "Dockerfile.gpu"])
def test_hadolint_finds_no_problem(name: str) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint is not installed on this platform")
    done = subprocess.run([hadolint, ROOT / name], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_copied_sources_exist_and_pass_dockerignore() -> None:
    sources = [
        source
        for name in ("Dockerfile", "Dockerfile.gpu")
        for line in re.findall(r"^COPY (?!--from)(.+)$", (ROOT / name).read_text(), re.MULTILINE)
        for source in line.split()[:-1]
    ]
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    let_through = {line.removeprefix("!") for line in ignored if line.startswith("!")}
    assert "*" in ignored
    assert set(sources) == let_through
    assert [source for source in sources if not (ROOT / source).exists()] == []


def test_image_contains_all_service_code() -> None:
    copied = re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    names = {name for line in copied for name in line.split()}
    # bgremove.py and library are for programs that run the service in their own process.
    modules = {path.name for path in ROOT.glob("*.py")} - {"bgremove.py"}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - {"tests", "benchmarks", "library"}
    assert modules | packages | {"web", "migrations"} <= names


def test_image_runs_as_a_numeric_user_and_stops_on_sigterm() -> None:
    last = DOCKERFILE.rpartition("FROM ")[2]
    assert "\nUSER 10001:10001\n" in last
    assert "\nSTOPSIGNAL SIGTERM\n" in last
    assert '\nCMD ["gunicorn", "-c", "gunicorn.conf.py"]\n' in last
    assert "/health/ready" in last.partition("HEALTHCHECK")[2]


def test_every_container_listens_on_all_its_addresses() -> None:
    # Elsewhere the service listens on loopback unless HOST says otherwise.
    assert re.search(r"^ +HOST=0\.0\.0\.0 \\$", DOCKERFILE.rpartition("FROM ")[2], re.MULTILINE)
    assert SERVICES["app"]["environment"]["HOST"] == "0.0.0.0"
    config = yaml.safe_load((ROOT / "deploy/kubernetes/config.yaml").read_text())
    assert config["data"]["HOST"] == "0.0.0.0"


def test_images_are_pinned_by_tag() -> None:
    images = re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    images += [service["image"] for name, service in SERVICES.items() if name not in OURS]
    assert [image for image in images if not re.fullmatch(r"[\w./-]+:v?\d+\.\d+[\w.-]*", image)] == []


def test_every_deployed_variable_is_a_setting() -> None:
    in_image = re.search(r"\nENV (PATH=.*?[^\\])\n", DOCKERFILE.rpartition("FROM ")[2], re.DOTALL)
    assert in_image
    given = {
        *re.findall(r"(\w+)=", in_image[1]),
        *SERVICES["app"]["environment"],
        *SERVICES["worker"]["environment"],
        *(variable for name in UNITS for variable in unit_environment(name)),
    }
    assert given - NOT_OURS <= settings_names()
    assert {"TRUSTED_PROXIES", "REDIS_URL", "UPLOAD_DIR"} <= given


def test_sqlite_file_is_in_a_writable_folder() -> None:
    assert "DATABASE_URL=sqlite:////data/" in DOCKERFILE
    assert "\nVOLUME /data\n" in DOCKERFILE
    assert SERVICES["app"]["environment"]["DATABASE_URL"] == "${DATABASE_URL:-sqlite:////data/background-remover.db}"
    assert "app-data:/data" in SERVICES["app"]["volumes"]
    text = (ROOT / "deploy/background-remover.service").read_text()
    assert "Environment=DATABASE_URL=sqlite:////var/lib/background-remover/" in text
    assert "background-remover" in unit()["StateDirectory"].split()


def test_only_nginx_is_published_beyond_this_machine() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.pop("nginx") == ["${HTTP_PORT:-80}:80", "${HTTPS_PORT:-443}:443"]
    assert published.keys() == {"prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)
    assert not any("network_mode" in service for service in SERVICES.values())


def test_default_services_are_app_redis_and_nginx() -> None:
    profiles = {name: tuple(service.get("profiles", ())) for name, service in SERVICES.items()}
    assert profiles == {
        "app": (),
        "app-gpu": ("gpu",),
        "redis": (),
        "nginx": (),
        "worker": ("jobs",),
        "postgres": ("stores",),
        "storage": ("stores",),
        "prometheus": ("monitoring",),
        "grafana": ("monitoring",),
    }
    # Without the worker's profile no process would take jobs.
    assert SERVICES["app"]["environment"]["JOBS_ENABLED"] == "${JOBS_ENABLED:-false}"


def test_monitoring_mounts_files_that_exist_and_belong_together() -> None:
    mounts = [mount.split(":") for name in ("prometheus", "grafana") for mount in SERVICES[name]["volumes"]]
    inside = {target: ROOT / source for source, target, *_ in mounts if source.startswith("./")}
    assert all(path.is_file() for path in inside.values())
    prometheus = yaml.safe_load(inside["/etc/prometheus/prometheus.yml"].read_text())
    assert set(prometheus["rule_files"]) <= inside.keys()
    assert prometheus["scrape_configs"][0]["job_name"] == "background-remover"
    (source,) = yaml.safe_load((ROOT / "deploy/monitoring/grafana-datasources.yml").read_text())["datasources"]
    assert (source["type"], source["url"]) == ("prometheus", "http://prometheus:9090")
    (provider,) = yaml.safe_load((ROOT / "deploy/monitoring/grafana-dashboards.yml").read_text())["providers"]
    dashboard = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert dashboard in inside
    assert dashboard.startswith(provider["options"]["path"])


def test_gpu_service_is_the_app_on_another_engine() -> None:
    app, gpu = SERVICES["app"], SERVICES["app-gpu"]
    changed = {"profiles", "build", "image", "environment", "deploy", "networks"}
    assert {name: gpu[name] for name in gpu if name not in changed} == {
        name: app[name] for name in app if name not in changed
    }
    assert gpu["environment"] == {**app["environment"], "INFERENCE_ENGINE": "cuda"}
    assert gpu["deploy"]["resources"]["reservations"]["devices"][0]["capabilities"] == ["gpu"]
    # nginx knows one name.
    assert gpu["networks"]["inner"]["aliases"] == ["app"]
    assert gpu["build"]["dockerfile"] == "Dockerfile.gpu"


def test_dockerfile_for_gpus_differs_only_in_the_engine() -> None:
    ours = [line for line in DOCKERFILE.splitlines() if line and not line.startswith("#")]
    gpu = [line for line in (ROOT / "Dockerfile.gpu").read_text().splitlines() if line and not line.startswith("#")]
    added = [line for line in gpu if line not in ours]
    assert all(re.search("gpu|nvidia|NVIDIA|cuda|models fetch", line) for line in added), added
    removed = [line for line in ours if line not in gpu]
    assert all(re.search("preparing|requirements|models prepare", line) for line in removed), removed


def test_app_and_worker_share_image_queue_database_and_files() -> None:
    app, worker = SERVICES["app"], SERVICES["worker"]
    assert app["image"] == worker["image"] == "${APP_IMAGE:-background-remover:local}"
    assert worker["command"] == WORKER
    assert app["env_file"] == worker["env_file"]
    assert app["volumes"] == worker["volumes"]
    assert worker["environment"].items() <= app["environment"].items()
    assert {"REDIS_URL", "DATABASE_URL", "STORAGE_URL", "JOBS_ENABLED"} <= worker["environment"].keys()


def test_compose_variables_are_in_the_sample_without_secrets() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    # No variable is required: a disabled profile needs no values.
    assert not re.findall(r"\$\{\w+\}|\$\{\w+:?\?", text)
    sample = dict(
        line.split("=", 1)
        for line in (ROOT / "deploy/compose.env.sample").read_text().splitlines()
        if line[:1].isupper()
    )
    asked = set(re.findall(r"\$\{(\w+)", text))
    assert asked - settings_names() <= sample.keys()
    shares = {name for name in sample if name.endswith(("_CPUS", "_MEMORY"))}
    assert sample.keys() - OF_COMPOSE - shares <= settings_names()
    secret = [name for name in sample if re.search("PASSWORD|SECRET|ENCRYPTION", name)]
    assert len(secret) == 4
    assert [sample[name] for name in secret] == [""] * 4


def test_normal_uploads_leave_nothing_in_the_error_log_of_nginx() -> None:
    # With `warn` nginx writes a line for each body and each result that is larger than a buffer in memory.
    assert re.findall(r"error_log \S+ (\w+);", NGINX) == ["error"]


def test_nginx_names_its_limits_of_bodies() -> None:
    general, _, _, batch = re.findall(r"client_max_body_size ([1-9]\d*)m;", NGINX)
    assert f'"the body is larger than {general} MiB; that of a batch may have {batch} MiB"' in NGINX


def test_nginx_reaches_only_the_app() -> None:
    for name in set(SERVICES) - {"app", "app-gpu", "nginx", "prometheus", "grafana"}:
        assert SERVICES[name]["networks"] == ["data"]
    assert "data" not in SERVICES["nginx"]["networks"]
    assert set(SERVICES["nginx"]["networks"]) & set(SERVICES["app"]["networks"])
    assert set(SERVICES["app"]["networks"]) & set(SERVICES["redis"]["networks"])
    assert COMPOSE["networks"]["data"]["internal"] is True


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_each_container_is_confined_checked_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert service["tmpfs"]
    assert service["healthcheck"]["test"][0] in ("CMD", "CMD-SHELL")
    assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    # Our image sets its user in the Dockerfile.
    assert name in OURS or service["user"].split(":")[0] != "0"


def test_containers_wait_for_healthy_dependencies() -> None:
    for name in OURS:
        needed = SERVICES[name]["depends_on"]
        assert {what["condition"] for what in needed.values()} == {"service_healthy"}
        assert {other for other, what in needed.items() if what.get("required", True)} == {"redis"}
        assert set(needed) == {"redis", "postgres", "storage"}
    assert SERVICES["nginx"]["depends_on"] == {"app": {"condition": "service_healthy"}}


def test_compose_app_keeps_quotas_in_redis_behind_one_proxy() -> None:
    environment = SERVICES["app"]["environment"]
    assert environment["RATE_LIMIT_STORAGE"] == "redis"
    assert environment["TRUSTED_PROXIES"] == "1"
    assert environment["REDIS_URL"].startswith("redis://redis:6379")
    assert SERVICES["app"]["env_file"] == [{"path": ".env", "required": False}]


def test_deployments_count_requests_over_loopback() -> None:
    # There a proxy may be on the same machine, and nobody uses the service by hand.
    assert SERVICES["app"]["environment"]["RATE_LIMIT_LOOPBACK"] == "true"
    assert unit_environment("background-remover")["RATE_LIMIT_LOOPBACK"] == "true"
    config = yaml.safe_load((ROOT / "deploy/kubernetes/config.yaml").read_text())
    assert config["data"]["RATE_LIMIT_LOOPBACK"] == "true"


def test_redis_evicts_expiring_keys_and_persists_the_queue() -> None:
    command = SERVICES["redis"]["command"]
    assert command[command.index("--maxmemory-policy") + 1] == "volatile-ttl"
    # The same Redis holds the job queue.
    assert command[command.index("--appendonly") + 1] == "yes"
    assert SERVICES["redis"]["volumes"] == ["redis-data:/data"]


def test_nginx_configuration_is_mounted_read_only() -> None:
    assert "./nginx.conf:/etc/nginx/nginx.conf:ro" in SERVICES["nginx"]["volumes"]
    assert all(volume.endswith(":ro") for volume in SERVICES["nginx"]["volumes"])
    text = (ROOT / "nginx.conf").read_text()
    assert f"server app:{SERVICES['app']['environment']['PORT']} resolve;" in text
    assert set(re.findall(r"^ssl_certificate\S* (/etc/nginx/certs)/", text.replace("    ", ""), re.MULTILINE))


def test_stop_timeouts_exceed_the_drain_time() -> None:
    assert int(unit()["TimeoutStopSec"]) > DRAIN_SECONDS
    assert int(SERVICES["app"]["stop_grace_period"].removesuffix("s")) > DRAIN_SECONDS
    assert Settings.model_fields["request_timeout_seconds"].default + 5 == DRAIN_SECONDS


def test_worker_unit_matches_the_web_unit() -> None:
    web, worker = unit(), unit("background-remover-worker")
    assert worker["ExecStart"].split("/bin/")[1].split() == WORKER
    for same in ("User", "Group", "WorkingDirectory", "EnvironmentFile", "StateDirectory", "UMask"):
        assert worker[same] == web[same]
    environment, others = unit_environment("background-remover-worker"), unit_environment("background-remover")
    for name in environment.keys() - {"JOBS_ENABLED"}:
        assert environment[name] == others[name]
    assert int(worker["TimeoutStopSec"]) > 300  # JOB_TIMEOUT_SECONDS
    # Killing the worker loses no jobs, so the kernel should pick it first.
    assert int(worker["OOMScoreAdjust"]) > 0
    assert int(worker["CPUWeight"]) < 100


@pytest.mark.parametrize("name", UNITS)
def test_systemd_units_are_confined(name: str) -> None:
    service = unit(name)
    wanted = {
        "NoNewPrivileges": "yes",
        "ProtectSystem": "strict",
        "ProtectHome": "yes",
        "PrivateTmp": "yes",
        "CapabilityBoundingSet": "",
        "RestrictNamespaces": "yes",
        "SystemCallArchitectures": "native",
        "KillMode": "mixed",
        "Restart": "always",
        # OpenVINO and Numba need executable memory.
        "MemoryDenyWriteExecute": "no",
    }
    assert {key: service[key] for key in wanted} == wanted
    assert service["User"] not in ("", "root")
    for key in ("MemoryMax", "TasksMax", "StateDirectory", "LogsDirectory", "EnvironmentFile", "SystemCallFilter"):
        assert service[key]


def test_logrotate_moves_files_and_signals_only_nginx() -> None:
    text = (ROOT / "deploy/logrotate.conf").read_text()
    stanzas = dict(re.findall(r"^(/\S+) \{\n(.*?)^\}", text, re.DOTALL | re.MULTILINE))
    ours, nginx = stanzas["/var/log/background-remover/*.log"], stanzas["/var/log/nginx/*.log"]
    assert f"su {unit()['User']} {unit()['Group']}" in ours
    # Each process reopens a moved file, so no signal is needed.
    assert "postrotate" not in ours
    # Copying and truncating would lose lines.
    assert "copytruncate" not in text
    assert "kill -USR1" in nginx
    for stanza in (ours, nginx):
        assert {"missingok", "compress", "rotate 14"} <= {line.strip() for line in stanza.splitlines()}


def test_scaling_guide_names_existing_settings_and_files() -> None:
    text = (ROOT / "docs/guides/scaling.md").read_text()
    named = set(re.findall(r"^([A-Z][A-Z0-9_]+)=", text, re.MULTILINE))
    assert named - OF_COMPOSE <= settings_names()
    assert {"SECRET_KEY", "DATABASE_URL", "STORAGE_URL", "REDIS_URL"} <= named
    for target in re.findall(r"\]\((?!http)([^)#]+)", text):
        assert (ROOT / "docs/guides" / target).exists(), target


def test_forked_worker_enables_garbage_collection() -> None:
    script = """
import gc, runpy, types
conf = runpy.run_path("gunicorn.conf.py")
before = gc.isenabled()
conf["pre_fork"](types.SimpleNamespace(WORKERS={}), types.SimpleNamespace())
print(before, gc.isenabled())
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]


def test_forked_worker_has_one_thread_for_opencv() -> None:
    script = """
import cv2, os, runpy, types
cv2.setNumThreads(4)
conf = runpy.run_path("gunicorn.conf.py")
conf["post_fork"](types.SimpleNamespace(), types.SimpleNamespace(metrics_slot=0))
print(cv2.getNumThreads())
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "1"
