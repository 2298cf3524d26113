"""A transcript as a document and as captions, from what a session's log has."""

from __future__ import annotations

import json
from typing import Any

import pytest

from control.records.data_class import DataClass
from control.records.documents import document
from control.records.transcript import LogEntry
from control.records.webvtt import webvtt
from voicebackend.config import PipelineType
from voicebackend.errors import InvalidFormat
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState, Transport

BEGAN = 1_000.0
RECORD = SessionRecord(
    id="a" * 32,
    tenant="acme",
    user_id="u",
    provider="mock",
    transport=Transport.WEBSOCKET,
    pipeline_type=PipelineType.STT_TTS,
    state=SessionState.ENDED,
    created_at=BEGAN,
    ended_at=1_060.0,
)


def said(role: str, text: str, **more: Any) -> dict[str, Any]:
    """Return an entry of the log."""
    return {"type": "transcript", "role": role, "text": text, "final": True, "turn": 1, **more}


def document_of(log: list[LogEntry]) -> dict[str, Any]:
    """Return the transcript of a log."""
    found: dict[str, Any] = json.loads(document(DataClass.TRANSCRIPT, RECORD, log))
    return found


TALK: list[LogEntry] = [
    (1_002.5, said("user", "hello <you> & me", **{"from": 1_001_000, "to": 1_002_250})),
    (
        1_009.0,
        said(
            "agent",
            "Good day. How",
            interrupted=True,
            cut=1_005_900,
            unheard="are you?",
            spoken=[
                {"text": "Good day.", "from": 1_003_000, "to": 1_004_000, "words": [["Good", 1_003_000, 1_003_400]]},
                {"text": "How", "from": 1_004_100, "to": 1_005_500},
            ],
        ),
    ),
]


def test_times_are_milliseconds_since_the_sessions_beginning() -> None:
    """Of what was said and heard, clause by clause, word by word where that is known, and of the interruption."""
    found = document_of(TALK)
    assert (found["version"], found["session"], found["began"]) == (1, RECORD.id, BEGAN)
    user, agent = found["segments"]
    assert (user["role"], user["start_ms"], user["end_ms"], user["interrupted"]) == ("user", 1_000, 2_250, False)
    assert (agent["start_ms"], agent["end_ms"], agent["cut_ms"]) == (3_000, 5_500, 5_900)
    assert (agent["interrupted"], agent["unheard"]) == (True, "are you?")
    assert agent["clauses"][0]["words"] == [{"word": "Good", "start_ms": 3_000, "end_ms": 3_400}]


def test_what_has_no_times_stands_where_it_became_known() -> None:
    """An entry of an older release, or of a model that tells its words late; nothing is before the beginning."""
    found = document_of([(1_007.5, said("agent", "Hm.")), (1_001.0, said("user", "Eh", **{"from": 0, "to": 5}))])
    assert [(one["text"], one["start_ms"], one["end_ms"]) for one in found["segments"]] == [
        ("Eh", 0, 0),
        ("Hm.", 7_500, 7_500),
    ]


def test_an_answer_of_which_nothing_was_heard_is_told_as_unheard() -> None:
    """It has no words and no caption."""
    log: list[LogEntry] = [(1_004.0, {"type": "unheard", "turn": 1, "unheard": "Good day.", "cut": 1_003_500})]
    (segment,) = document_of(log)["segments"]
    assert (segment["text"], segment["unheard"], segment["cut_ms"]) == ("", "Good day.", 3_500)
    assert webvtt(document(DataClass.TRANSCRIPT, RECORD, log)) == "WEBVTT\n"
    assert "Good day" not in document(DataClass.TRACE, RECORD, log).decode()


def test_captions_tell_who_speaks_and_hold_no_markup() -> None:
    """One cue a clause, in the order of time, each long enough to be read."""
    captions = webvtt(document(DataClass.TRANSCRIPT, RECORD, TALK))
    assert captions == (
        "WEBVTT\n\n"
        "00:00:01.000 --> 00:00:02.250\n<v Caller>hello &lt;you&gt; &amp; me\n\n"
        "00:00:03.000 --> 00:00:04.000\n<v Agent>Good day.\n\n"
        "00:00:04.100 --> 00:00:05.500\n<v Agent>How\n"
    )


@pytest.mark.parametrize("content", [b"", b"[]", b'{"keys": []}', b'{"segments": [{"text": "x"}]}'])
def test_what_is_no_transcript_has_no_captions(content: bytes) -> None:
    """A recording, or a document of another class."""
    with pytest.raises(InvalidFormat):
        webvtt(content)
