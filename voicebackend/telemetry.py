"""Traces, metrics and logs: every instrument, attribute name and span of the project has its one definition here.

Only ``configure`` touches the OpenTelemetry SDK, and only ``__main__`` files and the command line call it. What
callers say, keys and tokens never become attributes, labels or log fields.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO

from opentelemetry import context, metrics, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from voicebackend.errors import ErrorCode, InvalidConfig, as_error

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics.export import MetricReader

PROVIDER = "provider"
SESSION_ID = "session_id"
USER_ID = "user_id"
PIPELINE_TYPE = "pipeline_type"
ERROR_CODE = "error_code"

_tracer = trace.get_tracer("voicebackend")
_meter = metrics.get_meter("voicebackend")
_propagator = TraceContextTextMapPropagator()

requests_total = _meter.create_counter("backend.requests.total", "1", "Voice backend requests, by provider")
errors_total = _meter.create_counter("backend.errors.total", "1", "Errors, by provider and error_code")
latency_seconds = _meter.create_histogram("backend.latency.seconds", "s", "Duration of requests")
sessions_active = _meter.create_up_down_counter("backend.sessions.active", "1", "Sessions running now")
sessions_total = _meter.create_counter("backend.sessions.total", "1", "Sessions created")
throughput_bytes = _meter.create_counter("backend.throughput.bytes", "By", "Audio in and out")
concurrent_operations = _meter.create_up_down_counter("backend.concurrent.operations", "1", "Operations under way")
session_creation_seconds = _meter.create_histogram(
    "backend.session.creation.time.seconds", "s", "From the request to a session that is ready"
)
throughput_per_session_bytes = _meter.create_counter(
    "backend.throughput.per.session.bytes", "By", "Audio by session; opt-in, because session_id is unbounded"
)
turn_seconds = {
    stage: _meter.create_histogram(f"backend.turn.{name}.seconds", "s", f"Per turn: {name}")
    for stage, name in {
        "end_of_turn": "end_of_turn_delay",
        "stt_final": "stt_final",
        "agent_ttft": "agent_ttft",
        "tts_ttfb": "tts_ttfb",
        "e2e": "e2e_latency",
        "hop": "hop",
    }.items()
}
frames_late = _meter.create_counter("backend.frames.late", "1", "Agent frames that reached the caller late")
frames_dropped = _meter.create_counter("backend.frames.dropped", "1", "Frames given up, by where")
caller_level_dbfs = _meter.create_histogram(
    "backend.caller.level.dbfs",
    "dB",
    "Level of callers' audio, one message in fifty",
    explicit_bucket_boundaries_advisory=[-80, -70, -60, -50, -40, -35, -30, -25, -20, -15, -10, -5],
)
caller_offset = _meter.create_histogram(
    "backend.caller.offset",
    "1",
    "Direct current in callers' audio as a share of full scale, one message in fifty",
    explicit_bucket_boundaries_advisory=[0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3],
)
caller_clipped = _meter.create_counter(
    "backend.caller.clipped", "1", "Messages of callers with overloaded audio, of one in fifty that is looked at"
)
processors_passed_by = _meter.create_counter(
    "backend.processors.passed_by",
    "1",
    "Audio processors that failed, or took longer than they may, by processor and why",
)
slots_used = _meter.create_gauge("backend.slots.used", "1", "Sessions on this worker")
slots_total = _meter.create_gauge("backend.slots.total", "1", "Sessions this worker can take; 0 is unlimited")
workers_replaced = _meter.create_counter(
    "backend.workers.replaced", "1", "Worker processes that a supervisor replaced, by why"
)
consumers_stalled = _meter.create_counter(
    "backend.consumers.stalled", "1", "Celery workers that took no tasks and were ended"
)
repairs_total = _meter.create_counter("backend.repairs.total", "1", "What the reconciler repaired, by kind")
takeovers_total = _meter.create_counter("backend.lanes.takeovers", "1", "Lanes taken over, by how they were restored")
checkpoints_failed = _meter.create_counter("backend.lanes.checkpoints.failed", "1", "Lane checkpoints not written")
loop_lag_seconds = _meter.create_histogram("backend.event_loop.lag.seconds", "s", "How late the event loop wakes")


def inject() -> str:
    """Return the current trace as a W3C ``traceparent``, empty outside any."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def attached(traceparent: str | None) -> Iterator[None]:
    """Continue the trace that another process sent along."""
    token = context.attach(_propagator.extract({"traceparent": traceparent or ""}))
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def span(operation: str, *, kind: SpanKind = SpanKind.INTERNAL, **attributes: Any) -> Iterator[Span]:
    """Trace one operation as ``backend.<operation>``; an error marks the span with its code, not its words."""
    present = {name: value for name, value in attributes.items() if value is not None}
    with _tracer.start_as_current_span(
        f"backend.{operation}", kind=kind, attributes=present, record_exception=False, set_status_on_exception=False
    ) as current:
        try:
            yield current
        except BaseException as error:
            code = error_code(error)
            current.set_attribute(ERROR_CODE, code)
            current.set_status(Status(StatusCode.ERROR, code))
            raise


@contextmanager
def measured(operation: str, *, provider: str = "", **attributes: Any) -> Iterator[Span]:
    """Trace an operation and count it in the request, error, latency and concurrency metrics."""
    labels = {PROVIDER: provider}
    started = time.monotonic()
    requests_total.add(1, labels)
    concurrent_operations.add(1)
    try:
        with span(operation, provider=provider or None, **attributes) as current:
            yield current
    except Exception as error:
        errors_total.add(1, {**labels, ERROR_CODE: error_code(error)})
        raise
    finally:
        concurrent_operations.add(-1)
        latency_seconds.record(time.monotonic() - started, {**labels, "operation": operation})


def error_code(error: BaseException) -> str:
    """Return the code of an error of ours, ``pipeline_error`` for any other."""
    ours = as_error(error)
    return str(ours.code if ours else ErrorCode.PIPELINE_ERROR)


class JsonFormatter(logging.Formatter):
    """One JSON object a line, with the trace it belongs to."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as JSON; an exception shows its type and place, not its words."""
        where = trace.get_current_span().get_span_context()
        line: dict[str, Any] = {
            "time": round(record.created, 3),
            "level": record.levelname.lower(),
            "service": self._service,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if where.is_valid:
            line |= {"trace_id": f"{where.trace_id:032x}", "span_id": f"{where.span_id:016x}"}
        line |= {name: value for name, value in vars(record).items() if name not in _STANDARD_FIELDS}
        if record.exc_info and record.exc_info[1] is not None:
            line |= described(record.exc_info[1])
        return json.dumps(line, default=str)


_STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def described(error: BaseException) -> dict[str, Any]:
    """Return the fields with which a log tells of an error: its type and place, its words only if they are ours."""
    places, trail = [], error.__traceback__
    while trail is not None:
        places.append(f"{trail.tb_frame.f_code.co_filename}:{trail.tb_lineno}")
        trail = trail.tb_next
    ours = as_error(error)
    detail = {"error_code": str(ours.code), "error_message": ours.message} if ours else {}
    return {"error": type(error).__name__, "at": places[-4:], **detail}


def configure(
    service: str,
    *,
    tracing: bool = True,
    metrics: bool = True,
    metric_readers: Sequence[MetricReader] = (),
    structured_logging: bool = True,
    level: str = "INFO",
    stream: TextIO = sys.stderr,
) -> None:
    """Set up traces, metrics and logs of this process; called once, by ``__main__`` files.

    With ``OTEL_EXPORTER_OTLP_ENDPOINT`` set, spans and metrics go there (extra ``[otlp]``). ``metric_readers`` get the
    metrics too. Without any of these, or with ``metrics`` off, what is measured goes nowhere.

    Raises:
        InvalidConfig: the endpoint is set, and the extra is not installed.

    """
    if tracing:
        _trace(service)
    if metrics:
        _measure(service, metric_readers)
    handler = logging.StreamHandler(stream)
    if structured_logging:
        handler.setFormatter(JsonFormatter(service))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for noisy in ("asyncio", "aiohttp.access", "kombu", "amqp"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _trace(service: str) -> None:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    provider = TracerProvider(resource=Resource.create({"service.name": service}))
    if exporter := _exporter("trace_exporter", "OTLPSpanExporter"):
        provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)


def _measure(service: str, readers: Sequence[MetricReader]) -> None:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.resources import Resource

    exporter = _exporter("metric_exporter", "OTLPMetricExporter")
    everyone = [*readers, *([PeriodicExportingMetricReader(exporter)] if exporter else [])]
    if everyone and not isinstance(metrics.get_meter_provider(), MeterProvider):
        resource = Resource.create({"service.name": service})
        metrics.set_meter_provider(MeterProvider(everyone, resource=resource))


def _exporter(module: str, name: str) -> Any:
    """Return a new OTLP exporter, None where the environment names no endpoint."""
    if not os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT"):
        return None
    try:
        return getattr(import_module(f"opentelemetry.exporter.otlp.proto.http.{module}"), name)()
    except ImportError as error:
        raise InvalidConfig("telemetry", 'OTLP export needs: pip install "voicebackend[otlp]"') from error
