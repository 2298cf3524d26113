"""A carrier's websocket in the place of a caller's, without a network."""

from __future__ import annotations

import asyncio
import json
from base64 import b64decode
from typing import Any, cast

import pytest
from aiohttp import WSMessage, WSMsgType

from control.gateway.caller_socket import gathers_s, stands_still
from control.telephony.streams.carrier_socket import CarrierSocket
from control.telephony.streams.dialect import Dialect
from control.telephony.streams.exotel import Exotel
from control.telephony.streams.telnyx import Telnyx
from control.telephony.streams.twilio import Twilio
from control.telephony.streams.vonage import Vonage
from voicebackend.errors import InvalidFormat
from voicebackend.events import AudioEnd, AudioStart, Clear, Pause
from voicebackend.playout import AHEAD_S, Playout

STARTS: dict[type[Dialect], dict[str, Any]] = {
    Twilio: {
        "event": "start",
        "streamSid": "MZ1",
        "start": {
            "callSid": "CA1",
            "customParameters": {"token": "t1"},
            "mediaFormat": {"encoding": "audio/x-mulaw"},
        },
    },
    Telnyx: {
        "event": "start",
        "stream_id": "s1",
        "start": {
            "call_control_id": "v3:1",
            "custom_parameters": {"token": "t1"},
            "media_format": {"encoding": "PCMA", "sample_rate": 8000},
        },
    },
    Exotel: {"event": "start", "stream_sid": "s1", "start": {"call_sid": "c1", "custom_parameters": {"token": "t1"}}},
    Vonage: {"event": "websocket:connected", "content-type": "audio/l16;rate=16000", "token": "t1"},
}


class Carrier:
    """The carrier's end: what it says is put in, what it is sent is kept."""

    closed = False

    def __init__(self) -> None:
        self._said: asyncio.Queue[WSMessage] = asyncio.Queue()
        self.sent: list[str | bytes] = []

    def say(self, message: dict[str, Any]) -> None:
        """Say something."""
        self._said.put_nowait(WSMessage(WSMsgType.TEXT, json.dumps(message), None))

    async def receive(self) -> WSMessage:
        """Give what the carrier says next."""
        return await self._said.get()

    async def send_str(self, text: str) -> None:
        """Take text."""
        self.sent.append(text)

    async def send_bytes(self, data: bytes) -> None:
        """Take audio."""
        self.sent.append(data)

    def audio(self) -> list[bytes]:
        """Return the audio of each message."""
        found = [item if isinstance(item, bytes) else json.loads(item) for item in self.sent]
        return [
            item if isinstance(item, bytes) else b64decode(item["media"]["payload"])
            for item in found
            if isinstance(item, bytes) or "media" in item
        ]


def socket_of(kind: type[Dialect]) -> tuple[CarrierSocket, Carrier]:
    """Return a socket, and the carrier that it is with."""
    carrier = Carrier()
    return CarrierSocket(cast("Any", carrier), kind()), carrier


async def opened(kind: type[Dialect]) -> tuple[CarrierSocket, Carrier]:
    """Return a socket whose stream has begun, and whose agent has begun its first turn."""
    socket, carrier = socket_of(kind)
    carrier.say(STARTS[kind])
    assert await said(socket) == {"type": "auth", "token": "t1"}
    assert (await said(socket))["type"] == "start"
    await socket.send_str(AudioStart(turn=1).to_json())
    return socket, carrier


async def said(socket: CarrierSocket) -> dict[str, Any]:
    """Return what the carrier said, in our words."""
    async with asyncio.timeout(2):
        message = await socket.receive()
    found: dict[str, Any] = json.loads(message.data)
    return found


async def answered(socket: CarrierSocket, carrier: Carrier) -> None:
    """Let the carrier send the first mark back."""
    await socket.send_bytes(bytes([255]) * 1600)
    name = json.loads(carrier.sent[-1])["mark"]["name"]
    carrier.say({"event": "mark", "mark": {"name": name}})
    assert await said(socket) == {"type": "played", "turn": 1, "ms": 200.0, "stopped": False}


@pytest.mark.parametrize(
    ("kind", "unit", "least", "silence"), [(Vonage, 640, 640, 0), (Exotel, 320, 3200, 0), (Telnyx, 1, 160, 0xD5)]
)
async def test_messages_have_the_size_that_the_carrier_takes(
    kind: type[Dialect], unit: int, least: int, silence: int
) -> None:
    """Whatever comes from the agent; the turn's end is filled with silence."""
    socket, carrier = await opened(kind)
    given = [6400, 1920, 2, 1054, 30]
    for size in given:
        await socket.send_bytes(b"\x01" * size)
    await socket.send_str(AudioEnd(turn=1).to_json())
    sizes = [len(audio) for audio in carrier.audio()]
    assert all(size >= least and size % unit == 0 for size in sizes)
    assert kind is not Vonage or set(sizes) == {640}
    whole = b"".join(carrier.audio())
    assert whole[: sum(given)] == b"\x01" * sum(given)
    assert set(whole[sum(given) :]) <= {silence}


async def test_a_phone_does_not_run_dry_while_a_message_is_filled() -> None:
    """It is sent as much earlier as is kept back."""
    socket, carrier = await opened(Exotel)
    assert gathers_s(socket) == pytest.approx(0.2, abs=0.001)
    playout = Playout(8000, stands_still=stands_still(socket), ahead_s=AHEAD_S + gathers_s(socket))
    playout.push_audio(1, b"\x01" * 16_000 * 5)
    played_s = 0.0
    while not playout.is_empty:
        while (item := playout.due(played_s)) is not None:
            assert isinstance(item, bytes)
            await socket.send_bytes(item)
        assert sum(map(len, carrier.audio())) / 16_000 >= played_s + 0.1
        played_s += 0.01


async def test_the_rest_of_a_turn_that_is_cleared_is_dropped() -> None:
    """The next turn does not begin with it."""
    socket, carrier = await opened(Vonage)
    await socket.send_bytes(b"\x01" * 700)
    await socket.send_str(Clear(turn=1).to_json())
    await socket.send_str(AudioStart(turn=2).to_json())
    await socket.send_bytes(b"\x02" * 640)
    assert carrier.audio() == [b"\x01" * 640, b"\x02" * 640]


async def test_what_was_played_is_said_at_once() -> None:
    """The carrier need not speak for it."""
    socket, carrier = await opened(Twilio)
    await answered(socket, carrier)
    reading = asyncio.create_task(said(socket), name="reading")
    await asyncio.sleep(0)
    await socket.send_str(Pause(turn=1).to_json())
    assert await reading == {"type": "played", "turn": 1, "ms": 200.0, "stopped": True}
    carrier.say({"event": "dtmf", "dtmf": {"digit": "5"}})
    assert await said(socket) == {"type": "dtmf", "digit": "5"}


async def test_a_carrier_does_not_stand_still() -> None:
    """Any other socket does."""
    socket, carrier = await opened(Twilio)
    assert not stands_still(socket)
    assert stands_still(cast("Any", carrier))


async def test_a_carrier_that_sends_no_marks_back_says_nothing_of_what_was_played() -> None:
    """Else it would count as one that reports for itself, and what is reckoned would not be believed any more."""
    socket, carrier = await opened(Twilio)
    await socket.send_bytes(bytes([255]) * 1600)
    await socket.send_str(Pause(turn=1).to_json())
    await socket.send_str(Clear(turn=1).to_json())
    carrier.say({"event": "dtmf", "dtmf": {"digit": "5"}})
    assert await said(socket) == {"type": "dtmf", "digit": "5"}


async def test_a_clear_of_a_turn_that_is_over_leaves_the_next_alone() -> None:
    """A carrier would drop all it has."""
    socket, carrier = await opened(Twilio)
    await answered(socket, carrier)
    await socket.send_str(AudioStart(turn=2).to_json())
    await socket.send_bytes(bytes([255]) * 800)
    await socket.send_str(Clear(turn=1).to_json())
    assert await said(socket) == {"type": "played", "turn": 1, "ms": 200.0, "stopped": True}
    assert '"clear"' not in str(carrier.sent)
    await socket.send_str(Clear(turn=2).to_json())
    assert (await said(socket))["turn"] == 2
    assert '"clear"' in str(carrier.sent[-1])


async def test_what_comes_before_the_start_is_not_listened_to() -> None:
    """The first word is who it is."""
    socket, carrier = socket_of(Twilio)
    carrier.say({"event": "media", "media": {"payload": "/////w=="}})
    carrier.say({"event": "dtmf", "dtmf": {"digit": "5"}})
    carrier.say(STARTS[Twilio])
    assert await said(socket) == {"type": "auth", "token": "t1"}


@pytest.mark.parametrize(
    ("kind", "start"),
    [
        (Exotel, {"call_sid": "c", "media_format": {"sample_rate": 0}}),
        (Exotel, {"call_sid": "c", "media_format": {"sample_rate": "1000"}}),
        (Exotel, {"call_sid": "c", "custom_parameters": {"token": "t" * 5000}}),
        (Exotel, {"call_sid": "c", "media_format": {"encoding": "audio/x-mulaw", "sample_rate": "8000"}}),
    ],
)
async def test_a_start_that_cannot_be_ours_is_refused(kind: type[Dialect], start: dict[str, Any]) -> None:
    """As an error of ours, that shows no token."""
    socket, carrier = socket_of(kind)
    carrier.say({**STARTS[kind], "start": start})
    with pytest.raises(InvalidFormat) as refused:
        await said(socket)
    assert "tttt" not in repr(refused.value) + repr(refused.value.__cause__)
