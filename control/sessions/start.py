"""What tells the holder of a lane to start a session that has its slot there: a hint, for the record alone counts."""

from __future__ import annotations

import time

from voicebackend.record import SessionRecord
from voicebackend.streams import Frame, Kind, json_payload
from voicebackend.tracing import inject


def start_of(record: SessionRecord) -> Frame:
    """Return the frame ``START`` for a session's lane, in the trace at hand or else that of the session's request."""
    payload = json_payload({"traceparent": inject() or record.traceparent})
    return Frame(session=record.id, kind=Kind.START, payload=payload, time_ms=round(time.time() * 1000))
