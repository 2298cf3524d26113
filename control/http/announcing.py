"""Words for a session's caller, on their way to its worker."""

from __future__ import annotations

import time

from control.services import Services
from voicebackend.record import SessionRecord
from voicebackend.streams import Frame, Kind, json_payload


def announce(services: Services, record: SessionRecord, text: str, *, end: str = "") -> None:
    """Have this said in the agent's voice; with ``end``, a reason, the session ends once it was heard."""
    payload = json_payload({"text": text, "end": end})
    frame = Frame(session=record.id, kind=Kind.SAY, payload=payload, time_ms=round(time.time() * 1000))
    services.sender.send(services.keys.lane(record.lane), frame)
