"""Logs as JSON: whatever is told in them, a record is one line, and reads back as it was."""

from __future__ import annotations

import json
import logging

import pytest

from voicebackend.json_logs import JsonFormatter

FORGED = ["\r\nERROR forged", "\x1b[2Jgone", "%s{}%(name)s", '"}\n{"level":"error"', "\u2028\u2029", "\ud800", "a\0b"]


@pytest.mark.parametrize("said", FORGED)
def test_what_callers_say_forges_no_line(said: str) -> None:
    """Neither as the message, nor in a field, nor by what an error says."""
    record = logging.makeLogRecord({"msg": said, "caller": said, "name": "x"})
    line = JsonFormatter("control").format(record)
    assert len(line.splitlines()) == 1
    assert line.isprintable()
    assert (json.loads(line)["message"], json.loads(line)["caller"]) == (said, said)


def test_what_a_foreign_error_says_is_in_no_line() -> None:
    """Its type and place are: its words may be a caller's."""
    try:
        raise ValueError("the caller said 4111 1111 1111 1111")
    except ValueError as error:
        record = logging.makeLogRecord({"msg": "failed", "exc_info": (ValueError, error, error.__traceback__)})
    told = json.loads(JsonFormatter("control").format(record))
    assert told["error"] == "ValueError"
    assert "4111" not in json.dumps(told)
