"""Every metric of the project: its name, its unit, and the labels that it may have.

Here they are only made: ``telemetry_setup`` says where they go, and drops every label that is not declared here. What
callers say, their numbers, keys and tokens are never labels.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.trace import Span, SpanKind

from voicebackend.errors import ErrorCode
from voicebackend.tracing import ERROR_CODE, PROVIDER, SESSION_ID, error_code, known, quiet, span

if TYPE_CHECKING:
    from opentelemetry.metrics import Counter, Histogram, UpDownCounter
    from opentelemetry.metrics import _Gauge as Gauge

PER_SESSION = os.environ.get("VOICEBACKEND_METRICS_PER_SESSION") == "1"
"""Whether audio is counted by session, too: a time series for each."""
MAX_SESSIONS = 1000
"""Sessions that are told apart then; of more, those that were silent longest are forgotten."""
LABELS: dict[str, frozenset[str]] = {}
"""The labels that each metric may have."""
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 1.5, 2.5, 5.0, 10.0, 30.0)

_meter = metrics.get_meter("voicebackend")
_counters: list[Counter] = []
_audio: dict[str, int] = {"in": 0, "out": 0}
_by_session: dict[str, int] = {}


def _counter(name: str, about: str, *labels: str, unit: str = "1") -> Counter:
    LABELS[name] = frozenset(labels)
    _counters.append(made := _meter.create_counter(name, unit, about))
    return made


def _counted(name: str, about: str, label: str, *, counts: Mapping[str, int]) -> None:
    """Make a counter of bytes that is read where it is counted: 100 times a second and session, a call is too dear."""
    LABELS[name] = frozenset({label})

    def read(_: CallbackOptions) -> list[Observation]:
        return [Observation(count, {label: value}) for value, count in list(counts.items())]

    _meter.create_observable_counter(name, [read], "By", about)


def _level(name: str, about: str, *labels: str) -> UpDownCounter:
    LABELS[name] = frozenset(labels)
    return _meter.create_up_down_counter(name, "1", about)


def _gauge(name: str, about: str, *labels: str, unit: str = "1") -> Gauge:
    LABELS[name] = frozenset(labels)
    return _meter.create_gauge(name, unit, about)


def _histogram(name: str, about: str, *labels: str, unit: str = "s", bounds: tuple[float, ...] = _SECONDS) -> Histogram:
    LABELS[name] = frozenset(labels)
    return _meter.create_histogram(name, unit, about, explicit_bucket_boundaries_advisory=bounds)


# Those of every backend

requests_total = _counter("backend.requests.total", "Requests, by provider", PROVIDER)
errors_total = _counter("backend.errors.total", "Errors, by provider and code", PROVIDER, ERROR_CODE)
latency_seconds = _histogram("backend.latency.seconds", "Duration of requests", PROVIDER, "operation")
sessions_active = _level("backend.sessions.active", "Sessions running now", PROVIDER)
sessions_total = _counter("backend.sessions.total", "Sessions begun on a worker", PROVIDER)
concurrent_operations = _level("backend.concurrent.operations", "Operations under way")
session_creation_seconds = _histogram(
    "backend.session.creation.time.seconds", "From the request to a session that is ready", PROVIDER
)
_counted("backend.throughput.bytes", "Audio in and out", "direction", counts=_audio)
_counted("backend.throughput.per.session.bytes", "Audio by session, where asked for", SESSION_ID, counts=_by_session)

# Conversations

turn_seconds = {
    stage: _histogram(f"backend.turn.{name}.seconds", f"Per turn: {about}")
    for stage, name, about in (
        ("end_of_turn", "end_of_turn_delay", "from the caller's last sound until the turn was taken to be over"),
        ("stt_final", "stt_final", "from there to its final text"),
        ("agent_ttft", "agent_ttft", "from there to the agent's first text"),
        ("tts_ttfb", "tts_ttfb", "from the first clause to the first agent audio"),
        ("e2e", "e2e_latency", "from the caller's last sound to the first agent audio"),
        ("hop", "hop", "from publishing the agent's task to its first word that it runs"),
    )
}
barge_in_seconds = _histogram(
    "backend.barge_in.reaction.seconds", "From the caller's first sound over the agent until that is cut off"
)
keys_pressed = _counter("backend.keys.pressed", "Keys that callers pressed; which ones is not told", "masked")
frames_late = _counter("backend.frames.late", "Agent frames that reached the caller late")
frames_dropped = _counter("backend.frames.dropped", "Frames given up, by where", "where")
caller_level_db = _histogram(
    "backend.caller.level.db",
    "How far callers' audio is below full scale, one message in fifty",
    unit="1",
    bounds=(5, 10, 15, 20, 25, 30, 35, 40, 50, 60, 70, 80),
)
caller_offset = _histogram(
    "backend.caller.offset",
    "Direct current in callers' audio as a share of full scale, one message in fifty",
    unit="1",
    bounds=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3),
)
caller_clipped = _counter("backend.caller.clipped", "Overloaded messages of callers, of one in fifty that is looked at")
processors_passed_by = _counter(
    "backend.processors.passed_by", "Audio processors that failed, or took too long", "processor", "why"
)
failovers_total = _counter(
    "backend.failovers", "Calls that went on with another engine or connection", "role", "from", "to"
)

# Workers and lanes

slots_used = _gauge("backend.slots.used", "Sessions on this worker")
slots_total = _gauge("backend.slots.total", "Sessions this worker can take; 0 is unlimited")
loop_lag_seconds = _histogram("backend.event_loop.lag.seconds", "How late the event loop wakes")
lane_lag_seconds = _histogram("backend.lane.lag.seconds", "How old a lane's oldest frame was when it was read")
workers_replaced = _counter("backend.workers.replaced", "Worker processes that a supervisor replaced", "why")
takeovers_total = _counter("backend.lanes.takeovers", "Lanes taken over, by how they were restored", "restore")
checkpoints_failed = _counter("backend.lanes.checkpoints.failed", "Lane checkpoints not written")

# Tasks and records

queue_age_seconds = _histogram("backend.queue.age.seconds", "How long a task had waited when it began", "queue")
tasks_failed = _counter("backend.tasks.failed", "Tasks given up, and left as dead letters", "task", ERROR_CODE)
task_items_refused = _counter("backend.tasks.refused", "Items of a queue that were no tasks, and dropped")
webhook_tries = _counter("backend.webhooks.tries", "Tries to deliver a webhook, by what came of them", "outcome")
consumers_stalled = _counter("backend.consumers.stalled", "Celery workers that took no tasks and were ended")
repairs_total = _counter("backend.repairs.total", "What the reconciler repaired, by kind", "kind")
records_deleted = _counter("backend.records.deleted", "Objects that were due, deleted with a receipt")
records_late_seconds = _gauge(
    "backend.records.late.seconds", "For how long the object that is longest due has been so", unit="s"
)

# Telephone calls

sip_calls = _gauge("backend.sip.calls", "Calls by SIP that this process holds")
sip_transactions = _gauge(
    "backend.sip.transactions", "SIP requests whose answers this process keeps, to give them again"
)
targets_moved = _counter(
    "backend.telephony.targets.moved", "Targets of the routing table left out or back", "to", "why"
)
tables_loaded = _counter(
    "backend.telephony.tables.loaded", "Changed telephony files, by whether they were good", "good"
)
telephone_calls = _counter("backend.telephony.calls", "Calls that came in, by outcome and SIP code", "outcome", "code")
call_attempts = _counter("backend.calls.attempts", "Attempts at calls that we make", "trunk", "outcome")


class Switches(Protocol):
    """Whether to trace and to measure: a ``BackendConfig``."""

    @property
    def enable_tracing(self) -> bool:
        """Whether there are spans."""
        ...

    @property
    def enable_metrics(self) -> bool:
        """Whether there are metrics."""
        ...


@contextmanager
def measured(
    operation: str,
    *,
    provider: str = "",
    kind: SpanKind = SpanKind.INTERNAL,
    switches: Switches | None = None,
    **attributes: Any,
) -> Iterator[Span]:
    """Trace an operation, and count it as request, error, latency and concurrency; ``switches`` may say not to."""
    with quiet() if switches and not switches.enable_tracing else nullcontext():
        if switches and not switches.enable_metrics:
            with span(operation, kind=kind, provider=provider or None, **attributes) as current:
                yield current
            return
        labels = {PROVIDER: provider}
        started = time.monotonic()
        requests_total.add(1, labels)
        concurrent_operations.add(1)
        try:
            with span(operation, kind=kind, provider=provider or None, **attributes) as current:
                yield current
        except Exception as error:
            errors_total.add(1, {**labels, ERROR_CODE: error_code(error)})
            raise
        finally:
            concurrent_operations.add(-1)
            latency_seconds.record(time.monotonic() - started, {**labels, "operation": operation})


def start_counters() -> None:
    """Have every counter be there from the start, at 0: else its first step is none for who compares two moments."""
    for counter in _counters:
        counter.add(0)


def count_error(code: ErrorCode) -> None:
    """Count an error that a session survives, for the provider that this is about."""
    errors_total.add(1, {PROVIDER: str(known().get(PROVIDER, "")), ERROR_CODE: str(code)})


def count_audio(size: int, direction: str, session: str) -> None:
    """Count so many bytes of a session's audio, ``in`` from its caller or ``out``."""
    _audio[direction] += size
    if PER_SESSION:
        _by_session[session] = _by_session.pop(session, 0) + size  # the last is the youngest
        if len(_by_session) > MAX_SESSIONS:
            del _by_session[next(iter(_by_session))]
