"""What carriers say over a call's websocket, and what we say to them."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from control.telephony.streams.dialect import MAX_MESSAGE_BYTES, Dialect
from control.telephony.streams.exotel import Exotel
from control.telephony.streams.plivo import Plivo
from control.telephony.streams.stream_events import Audio, Closed, Marked, Opened, Pressed
from control.telephony.streams.telnyx import Telnyx
from control.telephony.streams.twilio import Twilio
from control.telephony.streams.vonage import Vonage
from voicebackend.codecs import Encoding
from voicebackend.errors import InvalidFormat

QUIET = b"\xff" * 160
B64 = b64encode(QUIET).decode()
TOLD = {"token": "t1"}
STARTS: dict[type[Dialect], dict[str, Any]] = {
    Twilio: {
        "event": "start",
        "sequenceNumber": "1",
        "streamSid": "MZ1",
        "start": {
            "streamSid": "MZ1",
            "accountSid": "AC1",
            "callSid": "CA1",
            "tracks": ["inbound"],
            "customParameters": TOLD,
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
        },
    },
    Telnyx: {
        "event": "start",
        "sequence_number": "1",
        "stream_id": "s1",
        "start": {
            "call_control_id": "v3:1",
            "custom_parameters": TOLD,
            "media_format": {"encoding": "PCMU", "sample_rate": 8000, "channels": 1},
        },
    },
    Plivo: {
        "event": "start",
        "sequenceNumber": 1,
        "start": {
            "callId": "c1",
            "streamId": "s1",
            "accountId": "1",
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000},
        },
        "extra_headers": "token=t1;x=1",
    },
    Exotel: {
        "event": "start",
        "stream_sid": "s1",
        "start": {
            "stream_sid": "s1",
            "call_sid": "c1",
            "custom_parameters": TOLD,
            "media_format": {"encoding": "base64", "sample_rate": "8000", "bit_rate": "128kbps"},
        },
    },
    Vonage: {"event": "websocket:connected", "content-type": "audio/l16;rate=16000", "token": "t1", "uuid": "u1"},
}
DIALECTS = tuple(STARTS)


def opened(kind: type[Dialect]) -> Dialect:
    """Return a stream that has begun."""
    dialect = kind()
    dialect.read(json.dumps(STARTS[kind]))
    return dialect


@pytest.mark.parametrize("kind", DIALECTS)
def test_a_stream_tells_what_we_gave_it(kind: type[Dialect]) -> None:
    """Its token comes back, and its audio is of a kind that we have a codec for."""
    event = kind().read(json.dumps(STARTS[kind]))
    assert isinstance(event, Opened)
    assert event.parameters["token"] == "t1"
    assert event.call
    assert (event.encoding, event.sample_rate) in {
        (Encoding.MULAW, 8000),
        (Encoding.PCM16, 8000),
        (Encoding.PCM16, 16000),
    }


@pytest.mark.parametrize(
    ("kind", "message", "event"),
    [
        (Twilio, {"event": "media", "media": {"track": "inbound", "payload": B64}}, Audio(QUIET)),
        (Twilio, {"event": "media", "media": {"track": "outbound", "payload": B64}}, None),
        (Twilio, {"event": "dtmf", "dtmf": {"track": "inbound_track", "digit": "5"}}, Pressed("5")),
        (Twilio, {"event": "dtmf", "dtmf": {"digit": "?"}}, None),
        (Twilio, {"event": "mark", "mark": {"name": "m1"}}, Marked("m1")),
        (Twilio, {"event": "stop", "stop": {"callSid": "CA1"}}, Closed()),
        (Twilio, {"event": "connected", "protocol": "Call"}, None),
        (Twilio, {"event": "news"}, None),
        (Telnyx, {"event": "media", "media": {"track": "inbound", "chunk": "7", "payload": B64}}, Audio(QUIET, 7)),
        (Telnyx, {"event": "dtmf", "dtmf": {"digit": "#"}}, Pressed("#")),
        (Telnyx, {"event": "stop", "stop": {}}, Closed()),
        (Plivo, {"event": "media", "media": {"track": "inbound", "payload": B64}}, Audio(QUIET)),
        (Plivo, {"event": "dtmf", "dtmf": {"digit": "1"}}, Pressed("1")),
        (Plivo, {"event": "playedStream", "name": "m1"}, Marked("m1")),
        (Exotel, {"event": "media", "media": {"payload": B64}}, Audio(QUIET)),
        (Exotel, {"event": "stop", "stop": {"reason": "callended"}}, Closed()),
        (Vonage, {"event": "websocket:dtmf", "digit": "9", "duration": 260}, Pressed("9")),
        (Vonage, {"event": "websocket:notify", "payload": {"mark": "m1"}}, Marked("m1")),
        (Vonage, {"event": "websocket:cleared"}, None),
    ],
)
def test_what_a_carrier_says_is_understood(kind: type[Dialect], message: dict[str, Any], event: object) -> None:
    """What is of no concern is passed over."""
    assert opened(kind).read(json.dumps(message)) == event


@pytest.mark.parametrize("text", ["token=t1,x=1", "x=1;token=t1", "{token=t1}", " x=1 , token = t1 "])
def test_plivos_headers_are_joined_either_way(text: str) -> None:
    """By commas, as they are given to it, or by semicolons."""
    event = Plivo().read(json.dumps({**STARTS[Plivo], "extra_headers": text}))
    assert isinstance(event, Opened)
    assert event.parameters["token"] == "t1"


def test_binary_audio_is_vonages() -> None:
    """Nobody else sends bytes."""
    assert opened(Vonage).read(QUIET) == Audio(QUIET)
    with pytest.raises(InvalidFormat):
        opened(Twilio).read(QUIET)


@pytest.mark.parametrize("kind", DIALECTS)
def test_a_name_that_stands_twice_is_refused(kind: type[Dialect]) -> None:
    """Though the message would be good with either; the stream is not opened."""
    dialect = kind()
    start = json.dumps(STARTS[kind])
    with pytest.raises(InvalidFormat, match="twice"):
        dialect.read(start.replace("{", '{"event":"start",', 1))
    assert not dialect.stream


@pytest.mark.parametrize("kind", DIALECTS)
@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "{",
        '"start"',
        "{}",
        '{"event":"start"}',
        '{"event":"start","start":[]}',
        '{"event":"media","media":{"payload":"!!!!"}}',
        '{"event":"websocket:connected","content-type":"audio/mp3"}',
        "[" * 9000,
        "x" * (MAX_MESSAGE_BYTES + 1),
    ],
)
def test_nonsense_is_an_error_of_ours_or_passed_over(kind: type[Dialect], message: str) -> None:
    """Nothing else leaves a dialect."""
    try:
        event = kind().read(message)
    except InvalidFormat:
        return
    assert event is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
EVENTS = st.sampled_from(("start", "media", "dtmf", "mark", "stop", "playedStream", "websocket:connected"))


@given(st.sampled_from(DIALECTS), EVENTS, st.dictionaries(st.sampled_from(("start", "media", "dtmf", "mark")), JSON))
def test_whatever_comes_is_an_event_or_an_error_of_ours(
    kind: type[Dialect], event: str, fields: dict[str, Any]
) -> None:
    """Of any shape."""
    try:
        opened(kind).read(json.dumps({"event": event, **fields}))
    except InvalidFormat:
        return


@pytest.mark.parametrize(
    ("kind", "audio", "mark", "clear"),
    [
        (
            Twilio,
            {"event": "media", "streamSid": "MZ1", "media": {"payload": B64}},
            {"event": "mark", "streamSid": "MZ1", "mark": {"name": "m"}},
            {"event": "clear", "streamSid": "MZ1"},
        ),
        (
            Telnyx,
            {"event": "media", "media": {"payload": B64}},
            {"event": "mark", "mark": {"name": "m"}},
            {"event": "clear"},
        ),
        (
            Plivo,
            {
                "event": "playAudio",
                "media": {"contentType": "audio/x-mulaw", "sampleRate": 8000, "payload": B64},
            },
            {"event": "checkpoint", "streamId": "s1", "name": "m"},
            {"event": "clearAudio", "streamId": "s1"},
        ),
        (
            Exotel,
            {"event": "media", "stream_sid": "s1", "media": {"payload": B64}},
            {"event": "mark", "stream_sid": "s1", "mark": {"name": "m"}},
            {"event": "clear", "stream_sid": "s1"},
        ),
    ],
)
def test_what_we_say_has_the_carriers_form(
    kind: type[Dialect], audio: dict[str, Any], mark: dict[str, Any], clear: dict[str, Any]
) -> None:
    """A carrier ends a stream at the first message that it does not know."""
    dialect = opened(kind)
    sent = dialect.audio(QUIET)
    assert isinstance(sent, str)
    assert json.loads(sent) == audio
    assert json.loads(dialect.mark("m")) == mark
    assert json.loads(dialect.clear()) == clear
