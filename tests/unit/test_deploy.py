"""The files under ``deploy``: what cannot be run here is read, and compared with the code that it is about."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from voicebackend.config import BackendConfig
from voicebackend.tasks import Queue
from worker.settings import SupervisorSettings

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text(encoding="utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
MANIFESTS: list[dict[str, Any]] = [
    document
    for file in sorted((DEPLOY / "kubernetes").glob("*.yaml"))
    for document in yaml.safe_load_all(file.read_text(encoding="utf-8"))
]
DEPLOYMENTS = {it["metadata"]["name"]: it["spec"] for it in MANIFESTS if it["kind"] == "Deployment"}
DOCKERFILE = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")


def pod(name: str) -> dict[str, Any]:
    """Return a deployment's pod."""
    return dict(DEPLOYMENTS[name]["template"]["spec"])


@pytest.mark.parametrize("name", SERVICES)
def test_a_container_is_bounded_and_may_do_little(name: str) -> None:
    """Not root, nothing to write to but what is named, limits, a health check or a reason for none."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["user"] not in {"0", "root"}
    assert {"cpus", "memory"} <= service["deploy"]["resources"]["limits"].keys()
    assert service["healthcheck"].get("test") or service["healthcheck"]["disable"] is True
    assert ":latest" not in service["image"]


@pytest.mark.parametrize("name", DEPLOYMENTS)
def test_a_pod_is_bounded_and_may_do_little(name: str) -> None:
    """As the namespace's policy, restricted, wants it."""
    spec = pod(name)
    [container] = spec["containers"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["automountServiceAccountToken"] is False
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {"cpu", "memory"} <= container["resources"]["limits"].keys()
    assert container["image"] in re.findall(r"-t (\S+)", DOCKERFILE)
    assert name == "beat" or container["livenessProbe"]


def test_every_queue_is_served_and_no_other() -> None:
    """By compose and by Kubernetes alike."""
    wanted = {queue.value for queue in Queue}
    commands = [service["command"] for service in SERVICES.values() if "worker" in service.get("command", [])]
    pods = [pod(name)["containers"][0].get("command", []) for name in DEPLOYMENTS]
    for every in (commands, pods):
        named = [command[command.index("-Q") + 1].split(",") for command in every if "-Q" in command]
        assert sorted(queue for queues in named for queue in queues) == sorted(wanted)


def test_a_worker_has_time_to_hand_its_calls_over() -> None:
    """A process after the other, as long as each may take."""
    drain_s = SupervisorSettings().drain_s
    command = SERVICES["worker"]["command"]
    grace = int(SERVICES["worker"]["stop_grace_period"].removesuffix("s"))
    assert grace > drain_s * int(command[command.index("--processes") + 1])
    command = pod("worker")["containers"][0]["command"]
    assert pod("worker")["terminationGracePeriodSeconds"] > drain_s * int(command[command.index("--processes") + 1])


def test_images_have_what_their_roles_need() -> None:
    """Stages that exist, and what is pinned for them; no speech engine in control's."""
    assert re.findall(r"--require-hashes -r requirements/(\w+)\.txt", DOCKERFILE) == ["control", "worker"]
    engine = re.compile(r"^(onnxruntime|moonshine-voice)==", re.MULTILINE)
    for role, speaks in (("control", False), ("worker", True)):
        pinned = (ROOT / "requirements" / f"{role}.txt").read_text(encoding="utf-8")
        assert (engine.search(pinned) is not None) == speaks
    stages = set(re.findall(r"^FROM \S+ AS (\S+)$", DOCKERFILE, re.MULTILINE))
    assert {it["build"]["target"] for it in SERVICES.values() if "build" in it} <= stages
    copied = re.findall(r"^COPY (\w+) \1$", DOCKERFILE, re.MULTILINE)
    assert set(copied) == {"voicebackend", "providers", "worker", "control", "requirements"}


def test_variables_are_ones_that_the_code_reads() -> None:
    """Each is described where variables are, or is a field of the configuration."""
    files = [*DEPLOY.rglob("*.yaml"), DEPLOY / "env.example", DEPLOY / "Dockerfile"]
    used = {name for file in files for name in re.findall(r"VOICEBACKEND_[A-Z_]+[A-Z]", file.read_text("utf-8"))}
    docs = [ROOT / "voicebackend" / "README.md", ROOT / "worker" / "README.md", ROOT / "docs" / "observability.md"]
    told = {name for file in docs for name in re.findall(r"VOICEBACKEND_[A-Z_]+", file.read_text("utf-8"))}
    fields = {f"VOICEBACKEND_{name.upper()}" for name in BackendConfig.model_fields}
    assert used - told - fields == set()


def test_what_is_mounted_is_there() -> None:
    """Under the compose file's own folder."""
    mounts = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    assert [path for path in mounts if path.startswith("./") and not (DEPLOY / path).exists()] == []
    assert {path for path in mounts if not path.startswith("./")} == COMPOSE["volumes"].keys()


def test_recordings_outlive_their_container() -> None:
    """The spool and the folder of the example are on a volume of every process that has to do with records."""
    said = yaml.safe_load((DEPLOY / "retention.yaml").read_text(encoding="utf-8"))
    for name in ("control", "celery-records"):
        mounts = {it.split(":")[1] for it in SERVICES[name]["volumes"] if not it.startswith("./")}
        for path in (said["spool"], said["store"].removeprefix("file://")):
            assert any(path.startswith(f"{mount}/") for mount in mounts), (name, path)


def test_the_scaler_scales_what_is_there_by_what_is_measured() -> None:
    """The metric is one of ours, as Prometheus spells it; the deployment exists."""
    [scaler] = [it["spec"] for it in MANIFESTS if it["kind"] == "HorizontalPodAutoscaler"]
    assert scaler["scaleTargetRef"]["name"] in DEPLOYMENTS
    metric = scaler["metrics"][0]["pods"]["metric"]["name"]
    alerts = (DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")
    assert metric in alerts  # whose queries are tried against real processes
    budgets = [it["spec"]["selector"]["matchLabels"]["app"] for it in MANIFESTS if it["kind"] == "PodDisruptionBudget"]
    assert set(budgets) <= DEPLOYMENTS.keys()


@pytest.mark.skipif(
    shutil.which("kubectl") is None, reason="no kubectl here: the manifests are read by the other tests"
)
def test_kubectl_builds_the_manifests() -> None:
    """All of them, in the one namespace."""
    done = subprocess.run(
        ["kubectl", "kustomize", str(DEPLOY / "kubernetes")],  # noqa: S607 - wherever it is
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    built = list(yaml.safe_load_all(done.stdout))
    assert len(built) == len([it for it in MANIFESTS if it["kind"] != "Kustomization"])
    assert {it["metadata"].get("namespace", "voicebackend") for it in built} == {"voicebackend"}
