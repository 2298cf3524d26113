"""The caller's messages: what is accepted, and that the rest is refused with a reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voicebackend import events
from voicebackend.errors import ErrorCode, InvalidFormat
from voicebackend.events import CLOSE_CODES, MAX_TEXT_BYTES, CloseCode, parse_client, parse_server

SERVER = [
    events.Ready(session="a" * 32, sample_rate=16_000, resume_token="t"),
    events.Transcript(role="user", text="hi", final=True, turn=1),
    events.State(state=events.PipelineState.LISTENING),
    events.Turn(
        turn=1, latency_ms=events.Latency(end_of_turn=1, stt_final=2, agent_ttft=3, tts_ttfb=4, e2e=10)
    ),
    events.AudioStart(turn=1),
    events.AudioEnd(turn=1),
    events.Clear(turn=1),
    events.Pause(turn=1),
    events.Resume(turn=1),
    events.Masked(seconds=30.0),
    events.Swapped(swapped=True, provider="mock", lost=("history",)),
    events.Swapped(swapped=False, provider="mock", error=ErrorCode.INVALID_CONFIG, message="m"),
    events.Error(code=ErrorCode.AGENT_ERROR, message="m"),
    events.Ended(reason="closed"),
]  # fmt: skip
CLIENT = [
    events.Auth(token="t"),
    events.Auth(resume="t"),
    events.Start(sample_rate=16_000),
    events.Played(turn=1, ms=20.0),
    events.Dtmf(digit="#"),
    events.Hold(on=True),
    events.Stop(),
]


@pytest.mark.parametrize("message", SERVER, ids=lambda message: message.type)
def test_a_server_message_survives_the_wire(message: events.Message) -> None:
    """What is sent is what is read."""
    assert parse_server(message.to_json()) == message


@pytest.mark.parametrize("message", CLIENT, ids=lambda message: message.type)
def test_a_client_message_survives_the_wire(message: events.Message) -> None:
    """What is sent is what is read."""
    assert parse_client(message.to_json()) == message


def test_every_message_is_tested_above() -> None:
    """A new message without a round trip fails here."""
    assert {type(message) for message in [*SERVER, *CLIENT]} == set(events.Message.__subclasses__())


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ('{"type":"start","sample_rate":0}', "start.sample_rate"),
        ('{"type":"start","sample_rate":"16000"}', "start.sample_rate"),
        ('{"type":"start"}', "start.sample_rate"),
        ('{"type":"start","sample_rate":16000,"x":1}', "start.x"),
        ('{"type":"dtmf","digit":"12"}', "dtmf.digit"),
        ('{"type":"played","turn":-1,"ms":0}', "played.turn"),
        ('{"type":"dance"}', "type"),
        ("[]", "type"),
        ('"start"', "type"),
    ],
)
def test_a_bad_message_names_its_field(text: str, field: str) -> None:
    """Unknown types, unknown fields, wrong values."""
    with pytest.raises(InvalidFormat) as caught:
        parse_client(text)
    assert caught.value.details == {"field": field}


TWICE = '{"type":"start","sample_rate":8000,"sample_rate":16000}'
"""Either of them would do."""


@pytest.mark.parametrize(
    "text", ["", "{", "nul", "[" * 5000, '{"type": NaN', TWICE, "x" * (MAX_TEXT_BYTES + 1), "\ud800"]
)
def test_what_is_not_json_or_too_long_is_refused(text: str) -> None:
    """No recursion, no surprise."""
    with pytest.raises(InvalidFormat):
        parse_client(text)


@given(st.text(max_size=200))
def test_no_text_breaks_the_parser(text: str) -> None:
    """Anything but a message is an InvalidFormat."""
    try:
        parse_client(text)
    except InvalidFormat:
        return
    pytest.fail("arbitrary text was taken for a message")


def test_close_codes_are_in_the_private_range_or_standard() -> None:
    """RFC 6455: 4000 to 4999 are ours."""
    assert all(code in {1000, 1001, 1011} or 4000 <= code < 5000 for code in CloseCode)
    assert set(CLOSE_CODES.values()) <= set(CloseCode)
