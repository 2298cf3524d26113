"""Traces: every span is made here, and carried from process to process as a W3C ``traceparent``.

What callers say, who they are, their numbers, keys and tokens are never attributes, for no erasure reaches a
collector: whose a span is, a pseudonym tells. Of an error a span has the code, not the words.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from opentelemetry import context, trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY as _QUIET  # what instrumentations look for, too
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from voicebackend.errors import ErrorCode, as_error

PROVIDER = "provider"
SESSION_ID = "session_id"
USER_ID = "user_id"
"""The user's pseudonym: a keyed hash, which is the same in all of their sessions and names nobody."""
PIPELINE_TYPE = "pipeline_type"
ERROR_CODE = "error_code"


class Stage(NamedTuple):
    """A part of what is over."""

    name: str
    start_s: float
    end_s: float


_tracer = trace.get_tracer("voicebackend")
_propagator = TraceContextTextMapPropagator()
_ABOUT = context.create_key("voicebackend-about")


def inject() -> str:
    """Return the current trace as a W3C ``traceparent``, empty outside any."""
    carrier: dict[str, str] = {}
    _propagator.inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def attached(traceparent: str | None) -> Iterator[None]:
    """Continue the trace that another process sent along; without one, a new one begins at the next span."""
    found = _propagator.extract({"traceparent": traceparent or ""}, trace.set_span_in_context(INVALID_SPAN))
    if trace.get_current_span(found).get_span_context().is_valid:
        found = context.set_value(_QUIET, False, found)
    with _within(found):
        yield


@contextmanager
def about(**attributes: Any) -> Iterator[None]:
    """Give these attributes to every span within, also of tasks that begin there."""
    with _within(context.set_value(_ABOUT, {**known(), **_present(attributes)})):
        yield


@contextmanager
def quiet() -> Iterator[None]:
    """Make no spans within, unless a trace of another process is continued: for what looks for work every second."""
    nowhere = trace.set_span_in_context(INVALID_SPAN)
    with _within(context.set_value(_QUIET, True, nowhere)):
        yield


@contextmanager
def span(operation: str, *, kind: SpanKind = SpanKind.INTERNAL, **attributes: Any) -> Iterator[Span]:
    """Trace one operation as ``backend.<operation>``; an error marks the span with its code, not its words.

    What continues another process's trace is linked to it besides, as consumers are.
    """
    if context.get_value(_QUIET):
        yield INVALID_SPAN
        return
    with _tracer.start_as_current_span(
        f"backend.{operation}",
        kind=kind,
        attributes={**known(), **_present(attributes)},
        links=_links(kind),
        record_exception=False,
        set_status_on_exception=False,
    ) as current:
        try:
            yield current
        except BaseException as error:
            code = error_code(error)
            current.set_attribute(ERROR_CODE, code)
            if code != ErrorCode.CONTEXT_CANCELED:  # that somebody hung up is no failure
                current.set_status(Status(StatusCode.ERROR, code))
            raise


def note(**attributes: Any) -> None:
    """Give attributes to the span at hand, if there is one."""
    current = trace.get_current_span()
    if current.is_recording():
        current.set_attributes(_present(attributes))


def past(operation: str, stages: Sequence[Stage], *, now_s: float, **attributes: Any) -> None:
    """Trace what is over: a span, and one for each stage if there are several; ``now_s`` by the clock of the stages.

    Nothing is made where nothing is traced.
    """
    if not stages or not trace.get_current_span().is_recording():
        return
    now_ns = time.time_ns()

    def at(moment_s: float) -> int:
        return now_ns - round((now_s - moment_s) * 1e9)

    given = {**known(), **_present(attributes)}
    whole = _tracer.start_span(f"backend.{operation}", start_time=at(stages[0].start_s), attributes=given)
    within = trace.set_span_in_context(whole)
    for stage in stages if len(stages) > 1 else ():
        name = f"backend.{operation}.{stage.name}"
        _tracer.start_span(name, within, start_time=at(stage.start_s), attributes=given).end(at(stage.end_s))
    whole.end(at(stages[-1].end_s))


def error_code(error: BaseException) -> str:
    """Return the code of an error of ours; ``context_canceled`` of a cancelled task, else ``pipeline_error``."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        return str(ErrorCode.CONTEXT_CANCELED)
    ours = as_error(error)
    return str(ours.code if ours else ErrorCode.PIPELINE_ERROR)


def model(engine: str, *, gives: str) -> dict[str, Any]:
    """Return the attributes of a request to a model; it gives ``speech`` or ``text``."""
    return {PROVIDER: engine, "gen_ai.provider.name": engine, "gen_ai.output.type": gives}


def known() -> dict[str, Any]:
    """Return the attributes that spans have here, as ``about`` gave them."""
    found = context.get_value(_ABOUT)
    return found if isinstance(found, dict) else {}


@contextmanager
def _within(found: context.Context) -> Iterator[None]:
    token = context.attach(found)
    try:
        yield
    finally:
        context.detach(token)


def _present(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attributes.items() if value is not None}


def _links(kind: SpanKind) -> list[Link]:
    parent = trace.get_current_span().get_span_context()
    return [Link(parent)] if kind is SpanKind.CONSUMER and parent.is_valid else []
