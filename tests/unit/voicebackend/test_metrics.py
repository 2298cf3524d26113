"""Every metric has the name and the labels that were promised, and no others; an operator's queries find them all."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from dashboards import DEPLOY, alerts, names_in, names_served, queries

from voicebackend import telemetry

ROOT = Path(__file__).parents[3]
PROMISED = {
    "backend.requests.total": {"provider"},
    "backend.errors.total": {"provider", "error_code"},
    "backend.latency.seconds": {"provider", "operation"},
    "backend.sessions.active": {"provider"},
    "backend.sessions.total": {"provider"},
    "backend.throughput.bytes": {"direction"},
    "backend.concurrent.operations": set[str](),
    "backend.session.creation.time.seconds": {"provider"},
    "backend.throughput.per.session.bytes": {"session_id"},
}
"""The nine of the contract."""
BESIDE = {
    *(f"backend.turn.{stage}.seconds" for stage in ("end_of_turn_delay", "stt_final", "agent_ttft", "tts_ttfb")),
    *("backend.turn.e2e_latency.seconds", "backend.turn.hop.seconds", "backend.barge_in.reaction.seconds"),
    *("backend.queue.age.seconds", "backend.lane.lag.seconds", "backend.event_loop.lag.seconds"),
    *("backend.slots.used", "backend.slots.total", "backend.lanes.takeovers"),
    *("backend.frames.late", "backend.frames.dropped"),
}
"""Those that the contract names besides."""
PROGRAM = """
import json, sys, urllib.request
from opentelemetry.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from voicebackend import telemetry
from voicebackend.metrics_endpoint import endpoint
from voicebackend.telemetry_setup import configure

reader = InMemoryMetricReader()
configure("test", metric_readers=[reader])
port = endpoint.serve()
made = [one for one in vars(telemetry).values() if any(hasattr(one, way) for way in ("add", "record", "set"))]
made += telemetry.turn_seconds.values()
rogue = {label: "x" for labels in telemetry.LABELS.values() for label in labels} | {"phone": "+4930123456"}
for one in made:
    if not isinstance(one, (dict, set)):
        (getattr(one, "add", None) or getattr(one, "record", None) or one.set)(1, rogue)
telemetry.PER_SESSION = True
telemetry.count_audio(640, "in", "s1")
points = {
    metric.name: sorted({key for point in metric.data.data_points for key in point.attributes})
    for resource in reader.get_metrics_data().resource_metrics
    for scope in resource.scope_metrics
    for metric in scope.metrics
}
with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
    served = answer.read().decode()
print(json.dumps({"points": points, "served": served}))
"""


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """Give the labels of every metric, each used once with all labels that there are, and what ``/metrics`` answers."""
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
    env |= {"VOICEBACKEND_METRICS": "127.0.0.1:0"}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=env, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(json.loads(done.stdout))


def test_every_metric_has_its_labels_and_no_others(told: dict[str, Any]) -> None:
    """The nine of the contract exactly; a label that nobody declared goes nowhere."""
    points = {name: set(labels) for name, labels in told["points"].items()}
    assert {name: points[name] for name in PROMISED} == PROMISED
    assert points == {name: set(labels) for name, labels in telemetry.LABELS.items()}
    assert points.keys() >= BESIDE
    assert "+4930123456" not in told["served"]


def test_only_one_metric_is_told_apart_by_session(told: dict[str, Any]) -> None:
    """Ids of sessions and users, and numbers, have no bound: that one is asked for by name."""
    unbounded = {"session_id", "user_id", "number", "call_id", "tenant"}
    found = {name for name, labels in told["points"].items() if unbounded & set(labels)}
    assert found == {"backend.throughput.per.session.bytes"}
    assert not telemetry.PER_SESSION


def test_every_query_of_an_operator_is_about_metrics_that_are_served(told: dict[str, Any]) -> None:
    """Alerts and dashboard alike."""
    served = names_served(told["served"])
    assert len(queries()) > 40
    assert [text for text in queries() if not names_in(text) <= served or not (names_in(text) or "up{" in text)] == []


def test_every_alert_is_explained() -> None:
    """The page that each names says what it means and what to do."""
    page = (ROOT / "docs" / "observability.md").read_text(encoding="utf-8")
    for rule in alerts():
        name = rule["alert"]
        assert rule["annotations"]["runbook"] == f"docs/observability.md#{name.lower()}"
        section = page.split(f"### {name}\n")[1].split("\n### ")[0]
        assert "**Means**" in section, name
        assert "**Do**" in section, name


def test_every_alert_has_series_on_which_it_must_fire() -> None:
    """``promtool`` tries them where there is one."""
    tried = (DEPLOY / "prometheus" / "alerts_test.yaml").read_text(encoding="utf-8")
    assert [rule["alert"] for rule in alerts() if f'alertname="{rule["alert"]}"' not in tried] == []


def test_nobody_uses_a_label_that_is_not_declared() -> None:
    """It would be dropped without a word."""
    wrong = [
        f"{path.relative_to(ROOT)}:{line}"
        for folder in ("voicebackend", "control", "worker", "providers")
        for path in (ROOT / folder).rglob("*.py")
        if "telemetry" in (text := path.read_text(encoding="utf-8"))
        for line, metric, labels in _uses(ast.parse(text))
        if not labels <= _declared(metric)
    ]
    assert wrong == []


def _uses(tree: ast.AST) -> list[tuple[int, str, set[str]]]:
    """Return line, metric and labels of each use whose labels are written out."""
    found = []
    for node in ast.walk(tree):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and len(node.args) == 2):
            continue
        owner, labels = node.func.value, node.args[1]
        name = owner.id if isinstance(owner, ast.Name) else owner.attr if isinstance(owner, ast.Attribute) else ""
        if name in _metrics() and isinstance(labels, ast.Dict):
            found.append((node.lineno, name, {_text(key) for key in labels.keys if key is not None}))
    return found


def _text(key: ast.expr) -> str:
    return str(key.value) if isinstance(key, ast.Constant) else str(getattr(telemetry, ast.unparse(key)))


@cache
def _metrics() -> dict[str, str]:
    """Return the metrics' names by the names of their constants."""
    tree = ast.parse(Path(telemetry.__file__).read_text(encoding="utf-8"))
    return {
        ast.unparse(node.targets[0]): str(node.value.args[0].value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and node.value.args
        if isinstance(node.value.args[0], ast.Constant)
    }


def _declared(constant: str) -> frozenset[str]:
    return telemetry.LABELS[_metrics()[constant]]
