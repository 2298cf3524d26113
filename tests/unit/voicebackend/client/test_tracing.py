"""What the library tells of what an application asks for: a span for every operation, unless that is switched off."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from control_double import CONFIG, KEY, VIEW, WANTED, ControlDouble, problem
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from voicebackend import VoiceBackend, VoiceSession, telemetry, tracing
from voicebackend.calls import CallRequest
from voicebackend.client.calls import CallService
from voicebackend.client.records import RecordService
from voicebackend.errors import SessionNotFound

GIVEN: dict[str, Any] = {
    "config": WANTED,
    "session_id": "s1",
    "pcm": b"\0\0",
    "callback": str.upper,
    "agent": "greeter",
    "metadata": {},
    "text": "hello",
    "to": "+4930123456",
    "number": "+4930123456",
}
"""An argument for each parameter without a default; any other is a word."""
NAMES = {
    "VoiceSession.start": "start_session",
    "VoiceSession.stop": "stop_session",
    "VoiceSession.set_agent_callback": "set_agent",
    "VoiceBackend.swap_session": "get_session",
}
"""Operations that are not called as their method is."""


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Give the spans that are made."""
    found, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    yield found
    provider.shutdown()


def operations(of: type) -> list[str]:
    """Return the names of a class's public methods that are awaited."""
    methods = inspect.getmembers(of, inspect.iscoroutinefunction)
    return [name for name, _ in methods if not name.startswith("_")]


async def ask(method: Callable[..., Any]) -> None:
    """Call it with something for each parameter; that it may fail is no matter."""
    needed = [one for one in inspect.signature(method).parameters.values() if one.default is one.empty]
    given = {one.name: GIVEN.get(one.name, "word") for one in needed if one.kind is not one.VAR_KEYWORD}
    with suppress(Exception):  # the double does not know all of them
        await method(**given)


def seen(spans: InMemorySpanExporter) -> set[str]:
    """Return the names of the spans so far."""
    return {span.name for span in spans.get_finished_spans()}


@pytest.mark.parametrize("operation", operations(VoiceBackend))
async def test_every_operation_of_a_backend_makes_a_span(
    operation: str, backend: VoiceBackend, spans: InMemorySpanExporter
) -> None:
    """``backend.<operation>``, with the provider."""
    if operation == "start":
        await backend.stop()
        spans.clear()
    if operation == "update_config":
        await backend.update_config(CONFIG)
    else:
        await ask(getattr(backend, operation))
    expected = NAMES.get(f"VoiceBackend.{operation}", operation)
    (span,) = [span for span in spans.get_finished_spans() if span.name == f"backend.{expected}"]
    assert span.attributes is not None
    assert span.attributes["provider"] == CONFIG.provider


@pytest.mark.parametrize("operation", operations(VoiceSession))
async def test_every_operation_of_a_session_makes_a_span(
    operation: str, session: VoiceSession, spans: InMemorySpanExporter
) -> None:
    """It says whose session that is, by a pseudonym: no erasure reaches what an application traces."""
    await ask(getattr(session, operation))
    expected = NAMES.get(f"VoiceSession.{operation}", operation)
    span = next(span for span in spans.get_finished_spans() if span.name == f"backend.{expected}")
    assert span.attributes is not None
    whose = {name: span.attributes[name] for name in ("session_id", "user_id", "pipeline_type")}
    assert whose == {"session_id": session.id, "user_id": VIEW["pseudonym"], "pipeline_type": "stt_tts"}


@pytest.mark.parametrize("operation", ["create_session", "get_session"])
async def test_who_gives_out_a_session_says_whose_it_is(
    operation: str, backend: VoiceBackend, spans: InMemorySpanExporter
) -> None:
    """By the pseudonym that the servers told."""
    await ask(getattr(backend, operation))
    (span,) = [span for span in spans.get_finished_spans() if span.name == f"backend.{operation}"]
    assert span.attributes is not None
    assert span.attributes["user_id"] == VIEW["pseudonym"]


@pytest.mark.parametrize(
    ("of", "operation"), [(kind, name) for kind in (CallService, RecordService) for name in operations(kind)]
)
async def test_every_operation_on_calls_and_records_makes_a_span(
    of: type, operation: str, backend: VoiceBackend, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is asked of them goes to the servers."""
    monkeypatch.setitem(GIVEN, "request", CallRequest.model_construct(to="+4930123456"))
    service = backend.calls if of is CallService else backend.records
    before = len(spans.get_finished_spans())
    await ask(getattr(service, operation))
    assert len(spans.get_finished_spans()) == before + 1


async def test_an_error_marks_the_span_with_its_code_and_none_of_its_words(
    double: ControlDouble, backend: VoiceBackend, spans: InMemorySpanExporter
) -> None:
    """Whoever reads traces learns no more than that."""
    double.problems.append(problem(404, "session_not_found", "gone with its words"))
    with pytest.raises(SessionNotFound):
        await backend.get_session("nobody")
    (span,) = [span for span in spans.get_finished_spans() if span.name == "backend.get_session"]
    assert span.attributes is not None
    assert span.attributes["error_code"] == "session_not_found"
    assert span.status.description == "session_not_found"
    assert not span.events


class Counted:
    """A counter that remembers."""

    def __init__(self) -> None:
        self.steps: list[int] = []

    def add(self, step: int, labels: object = None) -> None:
        """Count."""
        del labels
        self.steps.append(step)


@pytest.mark.parametrize("tracing_on", [True, False])
@pytest.mark.parametrize("metrics_on", [True, False])
async def test_the_configuration_switches_each_by_itself(
    double: ControlDouble,
    spans: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
    *,
    tracing_on: bool,
    metrics_on: bool,
) -> None:
    """Also for sessions, and in an application that traces on its own."""
    counted = Counted()
    monkeypatch.setattr(telemetry, "requests_total", counted)
    config = CONFIG.with_enable_tracing(tracing_on).with_enable_metrics(metrics_on)
    async with VoiceBackend(config, control_url=double.url, api_key=KEY) as backend:
        session = await backend.create_session(WANTED)
        await session.update_metadata({})
    assert ("backend.create_session" in seen(spans)) is tracing_on
    assert ("backend.update_metadata" in seen(spans)) is tracing_on
    assert bool(seen(spans)) is tracing_on
    assert bool(counted.steps) is metrics_on
