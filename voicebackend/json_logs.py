"""Logs as JSON, a line each, with the trace they belong to; what callers say, keys and tokens are in none."""

from __future__ import annotations

import json
import logging
from typing import Any

from opentelemetry import trace

from voicebackend.errors import as_error


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
