"""What is told of a call through real processes: one trace over all of them, figures, logs, and no caller's words."""

from __future__ import annotations

import asyncio
import re
import subprocess
from collections.abc import Iterator
from itertools import pairwise

import pytest
from dashboards import DEPLOY, RULES, alerts, names_in, names_served, panel_queries
from observed_site import CANARY, TRACE, USER, Told, watched_call
from otlp_collector import SpanSeen
from prometheus_server import Prometheus, program, prometheus

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

SERVER, CLIENT, PRODUCER, CONSUMER = 2, 3, 4, 5
"""Kinds of spans, as OTLP numbers them."""
STAGES = {"end_of_turn", "stt", "agent", "clause", "tts"}


@pytest.fixture(scope="module")
def asked() -> dict[str, object]:
    """Give what Prometheus answered while the processes ran; empty where there is no Prometheus."""
    return {}


@pytest.fixture(scope="module")
def told(asked: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """Hold the call once for all tests of this file."""
    binary, folder = program("prometheus"), tmp_path_factory.mktemp("prometheus")

    def ask(told: Told) -> None:
        assert binary is not None
        with prometheus(binary, RULES, told.ports, folder) as server:
            _ask(server, asked, len(told.ports))

    with asyncio.Runner() as runner:
        yield runner.run(watched_call(meanwhile=ask if binary else None))


def _ask(server: Prometheus, asked: dict[str, object], processes: int) -> None:
    server.until(f"count(up == 1) == {processes}")
    server.until("count(rate(backend_requests_total[1m]))")
    server.until("count(rate(backend_turn_e2e_latency_seconds_bucket[1m]))")
    asked["rules"] = server.rules()
    asked["panels"] = {text: server.query(text) for text in panel_queries()}
    asked["fired"] = [found["metric"]["alertname"] for found in server.query('ALERTS{alertstate="firing"}')]


def one(told: Told, name: str) -> SpanSeen:
    """Return the first span of the trace that has this name: that of the turn which was answered."""
    return next(span for span in told.trace if span.name == f"backend.{name}" and not span.failed)


def test_one_trace_runs_through_all_processes(told: Told) -> None:
    """From the caller's application through HTTP, a stream's entry, the worker, Celery, and to the vendor."""
    assert {span.service for span in told.trace} == {"control", "worker", "celery"}
    chain = ["tts.synthesize", "turn", "session", "sessions.create"]
    by_id = {span.id: span for span in told.trace}
    span, above = one(told, "vendor.speak"), []
    while (parent := by_id.get(span.parent)) is not None:
        above.append(parent.name.removeprefix("backend."))
        span = parent
    assert above == chain
    assert span.parent == "00f067aa0ba902b7"
    task = one(told, "task.agents.turn")
    assert by_id[task.parent] is one(told, "agent.publish")
    assert by_id[one(told, "agents.turn").parent] is task


def test_kinds_and_links_say_who_hands_on_to_whom(told: Told) -> None:
    """Consumers are linked to what they consume, besides being in its trace."""
    kinds = {name: one(told, name).kind for name in ("sessions.create", "vendor.speak", "agent.publish")}
    assert kinds == {"sessions.create": SERVER, "vendor.speak": CLIENT, "agent.publish": PRODUCER}
    for name in ("task.agents.turn", "session"):
        consumer = one(told, name)
        assert consumer.kind == CONSUMER
        assert consumer.links == (consumer.parent,)


def test_spans_say_whose_they_are(told: Told) -> None:
    """Provider, session, user and kind of pipeline; a failure its code. The user by one pseudonym."""
    whose = {"session_id": told.session, "user_id": told.pseudonym, "pipeline_type": "stt_tts"}
    control, worker = ("sessions.create", "media.attach"), ("session", "turn", "turn.response", "vendor.speak")
    for name in (*control, *worker, "stt.finish", "tts.synthesize", "agent.publish", "agents.turn"):
        attributes = one(told, name).attributes
        assert {key: attributes.get(key) for key in whose} == whose, name
        assert attributes["provider"], name
    assert one(told, "stt.finish").attributes["gen_ai.provider.name"] == "openai"
    assert one(told, "agents.turn").attributes["gen_ai.operation.name"] == "invoke_agent"
    assert one(told, "sessions.create").attributes["http.response.status_code"] == 201


def test_the_trace_explains_the_wait_for_an_answer(told: Told) -> None:
    """The stages of a turn cover at least 95 % of the latency that the caller's side was told, one after the other."""
    (turn,) = [event for event in told.events if event["type"] == "turn"]
    response = one(told, "turn.response")
    stages = [span for span in told.trace if span.parent == response.id]
    assert {span.name.rpartition(".")[2] for span in stages} <= STAGES
    explained_ms = sum(span.end_s - span.start_s for span in stages) * 1000
    assert 0.95 <= explained_ms / turn["latency_ms"]["e2e"] <= 1.05
    for before, after in pairwise(stages):
        assert abs(after.start_s - before.end_s) < 0.001
    hop = one(told, "turn.hop")  # maybe on a guess, while the end of the turn was still waited for
    assert response.start_s < hop.end_s <= response.end_s


def test_what_polls_makes_no_spans(told: Told) -> None:
    """Readiness was asked, and lanes were read, all the time."""
    names = {span.name for span in told.spans}
    assert not [name for name in names if "health" in name or "ready" in name or "expire" in name]
    assert len(told.spans) < 120


def test_no_span_and_no_figure_has_a_callers_words(told: Told) -> None:
    """Nor a key or token, nor whom the session is for; errors are told by code, without what was thrown."""
    for secret in (CANARY, USER, told.api_key, told.token, "secret of"):
        assert secret.encode() not in told.raw
    assert not [span.name for span in told.spans if span.events]


def test_no_figure_tells_users_apart(told: Told) -> None:
    """A time series for each user would be one for ever; in traces there is the pseudonym."""
    assert re.fullmatch(r"[0-9a-f]{16}", told.pseudonym)
    points = [labels for metrics in told.points.values() for found in metrics.values() for labels in found]
    assert points
    assert not [labels for labels in points if {"user_id", told.pseudonym} & {part for pair in labels for part in pair}]
    assert not [who for who, text in told.served.items() if told.pseudonym in text or "user_id" in text]


def test_the_nine_metrics_are_told(told: Told) -> None:
    """By the process that knows, with their labels."""
    worker, control = told.points["worker"], told.points["control"]
    assert (("provider", "local"),) in worker["backend.requests.total"]
    assert (("error_code", "agent_error"), ("provider", "local")) in worker["backend.errors.total"]
    assert (("operation", "session"), ("provider", "local")) in worker["backend.latency.seconds"]
    assert (("operation", "sessions.create"), ("provider", "local")) in control["backend.latency.seconds"]
    assert {(("direction", "in"),), (("direction", "out"),)} <= worker["backend.throughput.bytes"]
    assert (("session_id", told.session),) in worker["backend.throughput.per.session.bytes"]
    for name in ("sessions.active", "sessions.total", "session.creation.time.seconds"):
        assert (("provider", "local"),) in worker[f"backend.{name}"]
    assert () in worker["backend.concurrent.operations"]
    assert (("queue", "agents"),) in told.points["celery"]["backend.queue.age.seconds"]


def test_every_process_serves_its_figures(told: Told) -> None:
    """On ports of their own, in the form of Prometheus."""
    assert set(told.served) == {"control", "celery", "worker-0"}
    assert "backend_slots_total" in names_served(told.served["worker-0"])
    assert "backend_turn_e2e_latency_seconds_bucket" in names_served(told.served["worker-0"])
    for text in told.served.values():
        assert "backend_errors_total" in names_served(text)  # from the start: else its first step would be none
        assert CANARY not in text


def test_logs_carry_the_trace(told: Told) -> None:
    """Every service has lines with the call's trace and a span of it."""
    lines = [line for line in told.logs if line.get("trace_id") == TRACE]
    assert {line["service"] for line in lines} == {"control", "worker", "celery"}
    assert {line["span_id"] for line in lines} <= {span.id for span in told.trace}


def test_a_prometheus_reads_it_all_and_knows_every_query(told: Told, asked: dict[str, object]) -> None:
    """Rules are in order, the panels about calls show something; no alert goes off while all is well."""
    if not asked:
        assert {name for text in panel_queries() for name in names_in(text)}
        pytest.skip("no prometheus here: queries were only compared with what is served, in test_metrics.py")
    assert asked["rules"] == {rule["alert"]: "ok" for rule in alerts()}
    assert asked["fired"] == []
    panels = asked["panels"]
    assert isinstance(panels, dict)
    shown = {name for text, found in panels.items() if found for name in names_in(text)}
    assert shown >= {"backend_sessions_active", "backend_slots_used", "backend_requests_total", "backend_errors_total"}
    assert told.ports


def test_alerts_fire_when_they_should() -> None:
    """On the series that stand beside them."""
    tool = program("promtool")
    if tool is None:
        pytest.skip("no promtool here: that each alert has its series is looked at in test_metrics.py")
    folder = DEPLOY / "prometheus"
    for command in (["check", "config", "prometheus.yaml"], ["test", "rules", "alerts_test.yaml"]):
        done = subprocess.run([tool, *command], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
