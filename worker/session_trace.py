"""A session in figures and traces: how many run, how soon each was ready, and whose each span is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from voicebackend.record import SessionRecord
from voicebackend.telemetry import session_creation_seconds, sessions_active, sessions_total
from voicebackend.tracing import PROVIDER, about, attached


@contextmanager
def traced(record: SessionRecord) -> Iterator[None]:
    """Count a session as running, within the trace of the request that made it; every span says whose it is."""
    labels = {PROVIDER: record.provider}
    sessions_total.add(1, labels)
    sessions_active.add(1, labels)
    try:
        with attached(record.traceparent), about(**record.whose):
            yield
    finally:
        sessions_active.add(-1, labels)


def is_ready(record: SessionRecord) -> None:
    """Note how long it took from the request to a session that is ready; waiting for a slot is not counted."""
    since = record.placed_at if record.queue_until else record.created_at
    if since:
        session_creation_seconds.record(max(0.0, time.time() - since), {PROVIDER: record.provider})
