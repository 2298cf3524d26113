"""What a session leaves as documents, class by class, from its record and its log. Pure."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from control.records.data_class import DataClass
from control.records.tools import tools
from control.records.trace import trace
from control.records.transcript import LogEntry, transcript
from voicebackend.record import SessionRecord

NAMES: Mapping[DataClass, str] = {
    DataClass.TRANSCRIPT: "transcript.json",
    DataClass.METADATA: "metadata.json",
    DataClass.DTMF: "dtmf.json",
    DataClass.TOOL_IO: "tools.json",
    DataClass.TRACE: "trace.json",
}
"""The name of each document; classes that are not here leave none."""


def document(kind: DataClass, record: SessionRecord, log: Sequence[LogEntry]) -> bytes:
    """Return a session's document of this class, as JSON."""
    body = {**_head(record), **_PARTS[kind](record, log)}
    return json.dumps(body, ensure_ascii=False, indent=1).encode()


def _head(record: SessionRecord) -> dict[str, Any]:
    return {"session": record.id, "began": record.created_at, "ended": record.ended_at}


def _metadata(record: SessionRecord, log: Sequence[LogEntry]) -> dict[str, Any]:
    """Return the session as the API shows it, with its usage and cost."""
    del log
    return record.view().model_dump(mode="json", exclude_none=True, exclude={"pseudonym"})  # it leads to traces


def _dtmf(record: SessionRecord, log: Sequence[LogEntry]) -> dict[str, Any]:
    began = record.created_at
    pressed = ((at, entry) for at, entry in log if entry["type"] == "dtmf" and "digit" in entry)
    return {"keys": [{"at_s": round(max(0.0, at - began), 3), "digit": entry["digit"]} for at, entry in pressed]}


_PARTS: Mapping[DataClass, Callable[[SessionRecord, Sequence[LogEntry]], dict[str, Any]]] = {
    DataClass.TRANSCRIPT: transcript,
    DataClass.METADATA: _metadata,
    DataClass.DTMF: _dtmf,
    DataClass.TOOL_IO: tools,
    DataClass.TRACE: trace,
}
