"""Check that the Kubernetes manifests are valid, confined, and agree with each other and with the code."""

from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from jsonschema import Draft202012Validator

from config import Settings
from services.jobs.queue import QUEUE
from tests.support.deploy import WORKER, settings_names
from tests.support.waiting import ROOT

FOLDER = ROOT / "deploy/kubernetes"
# The oldest version that enables `preStop.sleep` by default, and the newest.
VERSIONS = ("1.30", "1.37")
TEXT = {"type": "string", "minLength": 1}
COUNT = {"type": "integer", "minimum": 0}
REDIS_METADATA = (
    *("address", "listName", "listLength", "activationListLength", "databaseIndex"),
    *("enableTLS", "unsafeSsl", "addressFromEnv", "passwordFromEnv", "usernameFromEnv"),
)


def closed(required: tuple[str, ...] = (), **properties: Any) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "required": [*required], "properties": properties}


# Schemas of the two KEDA kinds in use, written from KEDA's documentation.
KEDA_SPECS = {
    "TriggerAuthentication": closed(
        ("secretTargetRef",),
        secretTargetRef={
            "type": "array",
            "minItems": 1,
            "items": closed(("parameter", "name", "key"), parameter=TEXT, name=TEXT, key=TEXT),
        },
    ),
    "ScaledObject": closed(
        ("scaleTargetRef", "triggers"),
        scaleTargetRef=closed(("name",), apiVersion=TEXT, kind=TEXT, name=TEXT, envSourceContainerName=TEXT),
        pollingInterval=COUNT,
        cooldownPeriod=COUNT,
        initialCooldownPeriod=COUNT,
        idleReplicaCount={"const": 0},
        minReplicaCount=COUNT,
        maxReplicaCount=COUNT,
        fallback=closed(("failureThreshold", "replicas"), failureThreshold=COUNT, replicas=COUNT),
        advanced=closed(
            restoreToOriginalReplicaCount={"type": "boolean"},
            horizontalPodAutoscalerConfig=closed(name=TEXT, behavior={"type": "object"}),
        ),
        triggers={
            "type": "array",
            "minItems": 1,
            "items": closed(
                ("type", "metadata"),
                type={"const": "redis"},
                name=TEXT,
                useCachedMetrics={"type": "boolean"},
                metricType={"enum": ["AverageValue", "Value"]},
                authenticationRef=closed(("name",), name=TEXT, kind=TEXT),
                metadata={
                    "type": "object",
                    "required": ["listName", "listLength"],
                    "additionalProperties": False,
                    # Every value is a string, numbers too.
                    "properties": dict.fromkeys(REDIS_METADATA, TEXT),
                },
            ),
        },
    ),
}


def documents(*names: str) -> list[dict[str, Any]]:
    paths = [FOLDER / name for name in names] or sorted(path for path in FOLDER.rglob("*.yaml*"))
    return [document for path in paths for document in yaml.safe_load_all(path.read_text())]


ALL = documents()


def one(kind: str, name: str) -> dict[str, Any]:
    (found,) = (d for d in ALL if (d["kind"], d["metadata"]["name"]) == (kind, name))
    return found


def pod(name: str) -> dict[str, Any]:
    spec: dict[str, Any] = one("Deployment", f"background-remover-{name}")["spec"]["template"]["spec"]
    return spec


def container(name: str) -> dict[str, Any]:
    (found,) = pod(name)["containers"]
    return found  # type: ignore[no-any-return]


def test_manifests_contain_exactly_the_expected_objects() -> None:
    kinds = sorted(document["kind"] for document in ALL)
    assert kinds == [
        *("ConfigMap", "Deployment", "Deployment", "HorizontalPodAutoscaler", "NetworkPolicy", "NetworkPolicy"),
        *("PodDisruptionBudget", "PodDisruptionBudget", "ScaledObject", "Secret", "Service", "ServiceAccount"),
        "TriggerAuthentication",
    ]


@pytest.mark.parametrize("version", VERSIONS)
def test_manifests_match_the_kubernetes_schemas(version: str) -> None:
    for document in ALL:
        if not document["apiVersion"].startswith("keda.sh"):
            kubernetes_validate.validate(document, version, strict=True)


def test_schemas_reject_an_unknown_field() -> None:
    wrong = one("Deployment", "background-remover-web")
    wrong = {**wrong, "spec": {**wrong["spec"], "replica": 3}}
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_keda_objects_match_its_documentation() -> None:
    for document in documents("keda/worker.yaml"):
        assert document["apiVersion"] == "keda.sh/v1alpha1"
        Draft202012Validator(KEDA_SPECS[document["kind"]]).validate(document["spec"])


@pytest.mark.parametrize("name", ["web", "worker"])
def test_each_pod_is_confined_limited_and_probed(name: str) -> None:
    spec, inside = pod(name), container(name)
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert (
        f"USER {spec['securityContext']['runAsUser']}:{spec['securityContext']['runAsGroup']}\n"
        in (ROOT / "Dockerfile").read_text()
    )
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert spec["automountServiceAccountToken"] is False
    assert inside["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= inside["resources"]["requests"].keys()
    # The server sets its thread count from the CPU limit.
    assert {"cpu", "memory", "ephemeral-storage"} <= inside["resources"]["limits"].keys()
    assert {"startupProbe", "livenessProbe"} <= inside.keys()
    mounted = {mount["mountPath"] for mount in inside["volumeMounts"]}
    # These are the only folders the service writes to.
    assert mounted == {"/tmp", "/dev/shm", "/data"}
    assert {volume["name"] for volume in spec["volumes"]} == {mount["name"] for mount in inside["volumeMounts"]}


def test_web_and_worker_share_image_and_settings() -> None:
    web, worker = container("web"), container("worker")
    assert web["image"] == worker["image"]
    assert web["envFrom"] == worker["envFrom"]
    assert "command" not in web
    assert worker["command"] == WORKER


def test_config_map_holds_known_settings_and_no_secrets() -> None:
    settings, secrets = (
        one("ConfigMap", "background-remover")["data"],
        one("Secret", "background-remover")["stringData"],
    )
    assert settings.keys() <= settings_names()
    assert {name for name in secrets if not name.startswith("KEDA_")} <= settings_names()
    assert not [name for name in settings if name in {"SECRET_KEY", "REDIS_URL", "DATABASE_URL"} or "SECRET" in name]
    assert all(value == "" or "PASSWORD" in value or name == "KEDA_REDIS_ADDRESS" for name, value in secrets.items())
    assert not list(FOLDER.rglob("secret.yaml"))


def test_grace_period_exceeds_the_drain_time() -> None:
    drain = Settings.model_fields["request_timeout_seconds"].default + 5
    sleep = container("web")["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod("web")["terminationGracePeriodSeconds"] > drain + sleep
    assert pod("worker")["terminationGracePeriodSeconds"] > 300  # JOB_TIMEOUT_SECONDS


def test_each_selector_matches_its_pods() -> None:
    for name in ("web", "worker"):
        deployment = one("Deployment", f"background-remover-{name}")["spec"]
        labels = deployment["template"]["metadata"]["labels"]
        assert deployment["selector"]["matchLabels"] == labels
        assert one("PodDisruptionBudget", f"background-remover-{name}")["spec"]["selector"]["matchLabels"] == labels
        # The autoscaler sets the number of replicas.
        assert "replicas" not in deployment
    web = one("Deployment", "background-remover-web")["spec"]["template"]["metadata"]["labels"]
    assert one("Service", "background-remover")["spec"]["selector"] == web
    assert (
        one("Service", "background-remover")["spec"]["ports"][0]["targetPort"] == container("web")["ports"][0]["name"]
    )
    assert one("NetworkPolicy", "background-remover-web")["spec"]["podSelector"]["matchLabels"] == web
    assert one("NetworkPolicy", "background-remover")["spec"]["podSelector"]["matchLabels"].items() <= web.items()


def test_network_policy_closes_workers_and_limits_egress() -> None:
    policy = one("NetworkPolicy", "background-remover")["spec"]
    assert policy["policyTypes"] == ["Ingress", "Egress"]
    assert "ingress" not in policy
    ports = {(port["protocol"], port["port"]) for rule in policy["egress"] for port in rule["ports"]}
    assert ports == {("UDP", 53), ("TCP", 53), ("TCP", 6379), ("TCP", 5432), ("TCP", 443)}
    assert all(rule["to"] for rule in policy["egress"])


def test_autoscalers_refer_to_existing_deployments() -> None:
    hpa = one("HorizontalPodAutoscaler", "background-remover-web")["spec"]
    assert hpa["scaleTargetRef"]["name"] == one("Deployment", "background-remover-web")["metadata"]["name"]
    assert hpa["metrics"][0]["resource"]["name"] == "cpu"
    scaled = one("ScaledObject", "background-remover-worker")["spec"]
    assert scaled["scaleTargetRef"]["name"] == one("Deployment", "background-remover-worker")["metadata"]["name"]
    assert 1 <= scaled["minReplicaCount"] < scaled["maxReplicaCount"]
    authentication = one("TriggerAuthentication", scaled["triggers"][0]["authenticationRef"]["name"])["spec"]
    assert {ref["key"] for ref in authentication["secretTargetRef"]} <= one("Secret", "background-remover")[
        "stringData"
    ].keys()


def test_keda_watches_the_workers_queue() -> None:
    assert one("ScaledObject", "background-remover-worker")["spec"]["triggers"][0]["metadata"]["listName"] == QUEUE


def test_folder_holds_only_manifests_and_the_sample_secret() -> None:
    assert {path.suffix for path in FOLDER.rglob("*") if path.is_file()} == {".yaml", ".sample"}
    assert Path(FOLDER / "secret.yaml.sample").exists()
