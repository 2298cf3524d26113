"""Metrics are switched for real; each test in a process of its own, as a process is set up once."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = """
import json, sys
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from voicebackend import telemetry
from voicebackend.errors import VoiceBackendError

sys.modules["opentelemetry.exporter"] = None  # as if the extra were not installed
reader = InMemoryMetricReader()
try:
    telemetry.configure("test", {arguments})
except VoiceBackendError as error:
    print(json.dumps(error.message))
    sys.exit()
telemetry.sessions_total.add(2)
with telemetry.measured("create_session", provider="mock"):
    pass
data = reader.get_metrics_data()
resources = data.resource_metrics if data else []
print(json.dumps({{
    metric.name: metric.data.data_points[0].value
    for resource in resources
    for scope in resource.scope_metrics
    for metric in scope.metrics
    if metric.name.endswith("total")
}}))
"""


def measured(arguments: str, **environ: str) -> object:
    """Return what a process that was configured like this told its reader."""
    command = [sys.executable, "-c", PROGRAM.format(arguments=arguments)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")} | environ
    return json.loads(subprocess.run(command, env=env, capture_output=True, check=True, timeout=30).stdout)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("metric_readers=[reader]", {"backend.sessions.total": 2, "backend.requests.total": 1}),
        ("metric_readers=[reader], metrics=False", {}),
        ("", {}),
    ],
    ids=["on", "off", "no reader"],
)
def test_metrics_go_where_they_are_read_unless_switched_off(arguments: str, expected: object) -> None:
    """Instruments that were made before the setup are measured too."""
    assert measured(arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("tracing=False", 'OTLP export needs: pip install "voicebackend[otlp]"'), ("tracing=False, metrics=False", {})],
)
def test_an_endpoint_without_its_exporter_names_what_to_install(arguments: str, expected: object) -> None:
    """For metrics alone too; with everything off, nothing is missing."""
    assert measured(arguments, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1") == expected
