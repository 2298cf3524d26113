"""Metrics are switched for real; each test in a process of its own, as a process is set up once."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest

from voicebackend.errors import InvalidConfig
from voicebackend.metrics_endpoint import METRICS, MetricsAddress

PROGRAM = """
import json, sys
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from voicebackend import telemetry
from voicebackend.telemetry_setup import configure
from voicebackend.errors import VoiceBackendError

sys.modules["opentelemetry.exporter"] = None  # as if the extra were not installed
reader = InMemoryMetricReader()
try:
    configure("test", {arguments})
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


SWITCHES = """
import json, logging, sys
from opentelemetry import metrics, trace
from voicebackend.config import BackendConfig
from voicebackend.metrics_endpoint import endpoint
from voicebackend.process import observe
from voicebackend.tracing import inject, span

observe("test", BackendConfig.from_env())
with span("a_test"):
    traced = inject()
    logging.getLogger("test").warning("told")
print(json.dumps([bool(traced), "sdk" in type(metrics.get_meter_provider()).__module__]))
"""


@pytest.mark.parametrize(
    ("traced", "measured", "structured"),
    [
        ("true", "true", "true"),
        ("false", "true", "true"),
        ("true", "false", "true"),
        ("true", "true", "false"),
        ("false", "false", "false"),
    ],
)
def test_each_switch_of_the_configuration_is_its_own(traced: str, measured: str, structured: str) -> None:
    """Off means that nothing is made: no trace, no figures, no JSON."""
    switches = {"TRACING": traced, "METRICS": measured, "STRUCTURED_LOGGING": structured}
    env = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "VOICEBACKEND_"))}
    env |= {f"VOICEBACKEND_ENABLE_{name}": value for name, value in switches.items()}
    env["VOICEBACKEND_METRICS"] = "127.0.0.1:0"
    command = [sys.executable, "-c", SWITCHES]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [traced == "true", measured == "true"]
    line = next(line for line in done.stderr.splitlines() if "told" in line)
    assert line.startswith("{") is (structured == "true")
    assert ("trace_id" in line) is (traced == "true" and structured == "true")
    assert ("metrics served" in done.stderr) is (measured == "true")


@pytest.mark.parametrize(
    "address", ["9464", "127.0.0.1", "127.0.0.1:a", "127.0.0.1:9470-9464", "127.0.0.1:70000", ":1"]
)
def test_an_address_for_metrics_that_is_none_is_refused(address: str) -> None:
    """By the variable's name."""
    with pytest.raises(InvalidConfig, match=METRICS):
        MetricsAddress.from_env({METRICS: address})


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464, 9464)),
        ("10.0.0.1:9464-9479", ("10.0.0.1", 9464, 9479)),
        ("[::1]:9464", ("::1", 9464, 9464)),
    ],
)
def test_an_address_for_metrics_is_a_port_or_several(address: str, expected: tuple[str, int, int]) -> None:
    """Each process takes the first that is free."""
    found = MetricsAddress.from_env({METRICS: address})
    assert found is not None
    assert (found.host, found.first, found.last) == expected
    assert list(found.ports()) == list(range(expected[1], expected[2] + 1))


TAKEN = """
import socket, sys
from voicebackend.errors import VoiceBackendError
from voicebackend.metrics_endpoint import endpoint
from voicebackend.telemetry_setup import configure

configure("test")
try:
    print(endpoint.serve())
except VoiceBackendError as error:
    print(error.message)
"""


def test_a_port_that_is_taken_is_passed_over_and_none_left_is_told() -> None:
    """Several processes of one machine share a range."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for last, expected in ((port, "no port is free"), (min(port + 40, 65_535), "")):
            env = {**os.environ, METRICS: f"127.0.0.1:{port}-{last}"}
            told = subprocess.run([sys.executable, "-c", TAKEN], env=env, capture_output=True, text=True, check=True)
            assert expected in told.stdout
            assert told.stdout.strip() != str(port)


DEAD = """
from voicebackend.telemetry_setup import configure
from voicebackend.tracing import span

configure("test")
with span("a_test"):
    print("made")
"""


def test_a_collector_that_does_not_answer_holds_no_process_up() -> None:
    """What it still had to tell is lost, after a few seconds at most, and that is said."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        env = {**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{silent.getsockname()[1]}"}
        command = [sys.executable, "-c", DEAD]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0
    assert done.stdout == "made\n"
    assert "Failed to export spans" in done.stderr
