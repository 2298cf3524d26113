"""Spans: whose they are, how they go on in another process, and when there are none."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode

from voicebackend import tracing
from voicebackend.errors import SessionNotFound
from voicebackend.tracing import Stage, about, attached, inject, note, past, quiet, span

TRACE, PARENT = "a" * 32, "b" * 16
REMOTE = f"00-{TRACE}-{PARENT}-01"


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[InMemorySpanExporter]:
    """Give the spans that are made."""
    found, provider = InMemorySpanExporter(), TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(found))
    monkeypatch.setattr(tracing, "_tracer", provider.get_tracer("test"))
    yield found
    provider.shutdown()


def named(spans: InMemorySpanExporter, name: str) -> ReadableSpan:
    """Return the one span of this name."""
    (found,) = [one for one in spans.get_finished_spans() if one.name == f"backend.{name}"]
    return found


def test_a_trace_goes_on_from_another_process(spans: InMemorySpanExporter) -> None:
    """A consumer is linked to it, too."""
    with attached(REMOTE), span("serve", kind=SpanKind.CONSUMER):
        assert inject().startswith(f"00-{TRACE}-")
    found = named(spans, "serve")
    assert found.parent is not None
    assert f"{found.parent.span_id:016x}" == PARENT
    assert [f"{link.context.span_id:016x}" for link in found.links] == [PARENT]


@pytest.mark.parametrize("traceparent", ["", None, "nonsense", f"00-{'0' * 32}-{PARENT}-01", REMOTE[:-6], "é"])
def test_what_is_no_trace_begins_a_new_one(spans: InMemorySpanExporter, traceparent: str | None) -> None:
    """Also within another: what was sent along counts, not where it happens to be read."""
    with span("before"), attached(traceparent), span("after"):
        pass
    assert named(spans, "after").parent is None


def test_spans_say_whose_they_are_also_of_tasks_that_begin_there(spans: InMemorySpanExporter) -> None:
    """What the span itself says counts more; what is not known is left out."""

    async def later() -> None:
        with span("later"):
            note(turn=2, agent=None)

    async def main() -> None:
        with about(session_id="s1", provider="local", error_code=None):
            task = asyncio.create_task(later())
            with about(provider="openai"), span("asked", turn=1):
                pass
        await task

    asyncio.run(main())
    assert named(spans, "asked").attributes == {"session_id": "s1", "provider": "openai", "turn": 1}
    assert named(spans, "later").attributes == {"session_id": "s1", "provider": "local", "turn": 2}


def test_what_polls_makes_no_spans_until_it_finds_somebodys_work(spans: InMemorySpanExporter) -> None:
    """Then they belong to that one's trace."""
    with span("outside"), quiet(), span("look"):
        assert inject() == ""
        note(ignored=True)
        with attached(""), span("look again"):
            pass
        with attached(REMOTE), span("found"):
            pass
    assert {one.name for one in spans.get_finished_spans()} == {"backend.outside", "backend.found"}
    found = named(spans, "found").context
    assert found is not None
    assert f"{found.trace_id:032x}" == TRACE


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (SessionNotFound("x", "words"), "session_not_found", StatusCode.ERROR),
        (ValueError("words"), "pipeline_error", StatusCode.ERROR),
        (asyncio.CancelledError("words"), "context_canceled", StatusCode.UNSET),
    ],
)
def test_an_error_is_told_by_its_code(
    spans: InMemorySpanExporter, error: BaseException, code: str, status: StatusCode
) -> None:
    """Its words are nowhere; that somebody hung up is no failure."""
    with pytest.raises(type(error)), span("failing"):
        raise error
    found = named(spans, "failing")
    assert found.attributes == {"error_code": code}
    assert found.status.status_code is status
    assert "words" not in found.to_json()


def test_what_is_over_has_a_span_for_each_stage(spans: InMemorySpanExporter) -> None:
    """At the times that they had, within where it was told."""
    with about(session_id="s1"), span("turn"):
        past("answer", [Stage("ear", 10.0, 10.5), Stage("mouth", 10.5, 10.8)], now_s=11.0, turn=2)
        past("hop", [Stage("hop", 10.0, 10.1)], now_s=11.0)
        past("nothing", [], now_s=11.0)
    whole, ear, mouth = named(spans, "answer"), named(spans, "answer.ear"), named(spans, "answer.mouth")
    assert whole.parent == named(spans, "turn").context
    assert ear.parent == mouth.parent == whole.context
    assert whole.attributes == {"session_id": "s1", "turn": 2}
    took = {one.name: ((one.end_time or 0) - (one.start_time or 0)) / 1e9 for one in spans.get_finished_spans()}
    assert took["backend.answer"] == pytest.approx(0.8)
    assert took["backend.answer.ear"] == pytest.approx(0.5)
    assert took["backend.answer.mouth"] == pytest.approx(0.3)
    assert took["backend.hop"] == pytest.approx(0.1)
    assert len(took) == 5


def test_without_a_trace_nothing_is_made_of_what_is_over(spans: InMemorySpanExporter) -> None:
    """Nor where spans are not wanted."""
    past("answer", [Stage("ear", 10.0, 10.5)], now_s=11.0)
    with quiet():
        past("answer", [Stage("ear", 10.0, 10.5)], now_s=11.0)
    assert spans.get_finished_spans() == ()
