"""Sessions: what may be asked for, and the table of states."""

from __future__ import annotations

from typing import Any

import pytest

from voicebackend.config import PipelineType, parse
from voicebackend.errors import InvalidConfig, InvalidFormat, SessionNotActive
from voicebackend.record import SessionRecord, decode_log, encode_log
from voicebackend.session import (
    PIPELINE_TRANSITIONS,
    SESSION_TRANSITIONS,
    PersistenceStatus,
    PipelineState,
    SessionConfig,
    SessionRequest,
    SessionState,
    Transport,
    advance,
    is_over,
)


@pytest.mark.parametrize("current", list(SessionState))
@pytest.mark.parametrize("following", list(SessionState))
def test_only_moves_of_the_table_are_made(current: SessionState, following: SessionState) -> None:
    """Any other raises and changes nothing; staying is allowed."""
    if following == current or following in SESSION_TRANSITIONS[current]:
        assert advance(SESSION_TRANSITIONS, current, following, op="test") is following
    else:
        with pytest.raises(SessionNotActive, match=f"from {current} to {following}"):
            advance(SESSION_TRANSITIONS, current, following, op="test")


def test_every_state_can_come_to_an_end() -> None:
    """And an end is an end."""
    assert {state for state in SessionState if is_over(state)} == {SessionState.ENDED, SessionState.FAILED}
    reachable = {state: _reachable(state) for state in SessionState if not is_over(state)}
    assert all(SessionState.ENDED in found for found in reachable.values())
    assert set(PIPELINE_TRANSITIONS) == set(PipelineState)


def _reachable(state: SessionState) -> set[SessionState]:
    found: set[SessionState] = set()
    todo = [state]
    while todo:
        for following in SESSION_TRANSITIONS[todo.pop()] - found:
            found.add(following)
            todo.append(following)
    return found


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"transport": "websocket"}, "user_id"),
        ({"user_id": "u"}, "transport"),
        ({"user_id": "u", "transport": "pigeon"}, "transport"),
        ({"user_id": "", "transport": "websocket"}, "user_id"),
        ({"user_id": "a b", "transport": "websocket"}, "user_id"),
        ({"user_id": "u", "transport": "websocket", "colour": "red"}, "colour"),
        ({"user_id": "u", "transport": "websocket", "metadata": [1]}, "metadata"),
    ],
)
def test_a_bad_session_names_its_field(data: dict[str, Any], field: str) -> None:
    """Missing, unknown, or wrong."""
    with pytest.raises(InvalidConfig) as caught:
        SessionConfig(**data)
    assert caught.value.details == {"field": field}


@pytest.mark.parametrize("kind", [SessionConfig, SessionRequest])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("connection_url", "wss://x"),
    ],
)
def test_what_would_be_ignored_is_refused(kind: type[Any], field: str, value: Any) -> None:
    """In the library and in the API alike, by name; empty it does no harm."""
    asked = {"user_id": "u", "transport": "websocket"}
    with pytest.raises(InvalidConfig, match=f"{field}: not supported yet"):
        parse(kind, {**asked, field: value}, op="create_session")
    assert parse(kind, {**asked, field: None}, op="create_session")


@pytest.mark.parametrize("kind", [SessionConfig, SessionRequest])
@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("memory_config", {"scope": "world"}, "scope: "),
        ("memory_config", {"max_messages": -1}, "max_messages: "),
        ("orchestration_config", {"events": ["lunch"]}, "events.0: "),
        ("rag_config", {"k": 0}, "k: "),
        ("rag_config", {"depth": 1}, "depth: "),
    ],
)
def test_parts_are_checked_where_a_session_is_asked_for(kind: type[Any], field: str, value: Any, why: str) -> None:
    """Each by its own fields, which the error names; what is right is taken."""
    asked = {"user_id": "u", "transport": "websocket"}
    with pytest.raises(InvalidConfig, match=f"{field}: {why}"):
        parse(kind, {**asked, field: value}, op="create_session")
    right = {
        "memory_config": {"scope": "session"},
        "orchestration_config": {"events": ["turn"]},
        "rag_config": {"k": 9},
    }
    assert parse(kind, {**asked, **right}, op="create_session").rag_config == {"k": 9}


def test_a_copy_shares_nothing() -> None:
    """What one session does to its metadata, no other sees."""
    config = SessionConfig(user_id="u", transport="websocket", metadata={"a": {"b": 1}}, agent_callback=str)
    copy = config.copied()
    copy.metadata["a"] = 2
    assert config.metadata == {"a": {"b": 1}}
    assert copy.agent_callback is str


def record(**changes: Any) -> SessionRecord:
    """Return a record with every kind of field set."""
    fields: dict[str, Any] = {
        "id": "a" * 32, "tenant": "t", "user_id": "u", "provider": "mock", "transport": Transport.TELEPHONY,
        "pipeline_type": PipelineType.S2S, "state": SessionState.ACTIVE, "metadata": {"k": [1, {"ü": None}]},
        "created_at": 12.5, "lane": 3, "epoch": 2**50,
    }  # fmt: skip
    return SessionRecord(**{**fields, **changes})


def test_a_record_survives_redis() -> None:
    """Every field, as Redis gives it back: bytes."""
    raw = {name.encode(): value.encode() for name, value in record().to_fields().items()}
    assert SessionRecord.from_fields(raw) == record()


def test_a_record_of_an_older_version_is_nobodys_in_traces() -> None:
    """It has no pseudonym; all else is as it was, and spans about it have no user's id rather than an empty one."""
    raw = {name.encode(): value.encode() for name, value in record().to_fields().items() if name != "pseudonym"}
    found = SessionRecord.from_fields(raw)
    assert found == record()
    assert found.whose["user_id"] is None
    assert found.view().pseudonym is None


def test_what_spans_say_of_a_session_names_nobody() -> None:
    """Whose it is, they say by a pseudonym."""
    whose = {"session_id": "a" * 32, "user_id": "5ca1ab1e0ddba115", "pipeline_type": "s2s", "provider": "mock"}
    assert record(user_id="ada", pseudonym="5ca1ab1e0ddba115").whose == whose


@pytest.mark.parametrize("raw", [{}, {b"id": b"x"}, {b"id": b"x", b"state": b"asleep"}])
def test_what_is_no_record_is_refused(raw: dict[bytes, bytes]) -> None:
    """A hash that lacks fields, or has others' values."""
    with pytest.raises(InvalidFormat):
        SessionRecord.from_fields(raw)


def test_the_view_hides_what_is_internal() -> None:
    """No tenant, no epoch, nor what only the caller's events tell; an ended session is completed."""
    view = record(state=SessionState.ENDED, ended_at=13.0, reason="closed").view()
    assert view.persistence_status is PersistenceStatus.COMPLETED
    assert not {"tenant", "epoch", "traceparent", "pipeline_state"} & set(type(view).model_fields)
    assert record().view().ended_at is None


def test_log_entries_survive_and_others_are_unknown() -> None:
    """A log is read by newer and older processes."""
    entry = {"type": "transcript", "text": "ü"}
    assert decode_log(encode_log(entry)) == entry
    assert decode_log({b"x": b"y"}) == decode_log({b"e": b"[]"}) == decode_log({b"e": b"{"}) == {"type": "unknown"}
