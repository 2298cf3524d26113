"""A call's RTP in the place of a caller's websocket, without a network, in time that jumps."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any, cast

import pytest
from aiohttp import WSMsgType

from control.gateway.caller_socket import CallerSocket, gathers_s, stands_still
from control.telephony.rtp.latch import Latch
from control.telephony.rtp.media_format import MediaFormat
from control.telephony.rtp.media_ports import MediaPort
from control.telephony.rtp.pacer import MAX_BEHIND, Pacer
from control.telephony.rtp.packet import Place, RtpPacket, parse
from control.telephony.rtp.rtp_caller import MAX_MESSAGES, MAX_PASSING, RtpCaller
from control.telephony.rtp.rtp_stream import RtpStream
from voicebackend.codecs import Encoding
from voicebackend.events import AudioStart, Clear, Pause, Resume

CALLER: Place = ("192.0.2.7", 4000)
MEDIA = MediaFormat(encoding=Encoding.MULAW, payload_type=0, key_type=101)
FRAME = 160
LOST_S = 20.0
pytestmark = pytest.mark.looptime


class Port:
    """The network's end: what is sent is kept."""

    def __init__(self) -> None:
        self.sent: list[tuple[float, RtpPacket]] = []
        self.is_open = True
        self._hear: Callable[[bytes, Place], None] | None = None
        self._number = 0

    def listen(self, on_datagram: Callable[[bytes, Place], None]) -> None:
        """Call this with what is said."""
        self._hear = on_datagram

    def send(self, data: bytes, place: Place) -> None:
        """Take a packet."""
        assert self.is_open
        assert place == CALLER
        packet = parse(data)
        assert packet is not None
        self.sent.append((asyncio.get_running_loop().time(), packet))

    def close(self) -> None:
        """Close."""
        self.is_open = False

    def say(self, payload: bytes = b"\1" * FRAME, kind: int = 0, place: Place = CALLER, ssrc: int = 7) -> None:
        """Have the caller say 20 ms."""
        assert self._hear is not None
        self._number += 1
        self._hear(RtpPacket(kind, self._number, self._number * FRAME, ssrc, payload).to_bytes(), place)

    @property
    def audio(self) -> bytes:
        """What was sent, without silence."""
        return b"".join(packet.payload for _, packet in self.sent).replace(b"\xff", b"")


def call() -> tuple[RtpCaller, Port, Pacer]:
    """Return a call that has begun."""
    port, pacer = Port(), Pacer()
    latch = Latch(CALLER, lambda host: host == CALLER[0])
    stream = RtpStream(MEDIA, latch, ssrc=9, sequence=0xFFFF, timestamp=0xFFFFFFFF)
    return RtpCaller(stream, cast("MediaPort", port), pacer, token="t1", lost_s=LOST_S), port, pacer


async def said(caller: RtpCaller) -> dict[str, Any]:
    """Return the next text."""
    while True:
        message = await caller.receive()
        if message.type is WSMsgType.TEXT:
            return cast("dict[str, Any]", json.loads(message.data))


async def turn(caller: CallerSocket, number: int, audio: bytes) -> None:
    """Have a turn spoken."""
    await caller.send_str(AudioStart(turn=number).to_json())
    await caller.send_bytes(audio)


async def test_a_call_says_who_it_is_first_and_how_its_audio_comes() -> None:
    """Then what the caller says, as it comes; the gateway knows how it behaves."""
    caller, port, _ = call()
    assert await said(caller) == {"type": "auth", "token": "t1"}
    assert await said(caller) == {"type": "start", "sample_rate": 8000, "encoding": "mulaw"}
    port.say()
    assert (await caller.receive()).data == b"\1" * FRAME
    assert stands_still(caller)
    assert gathers_s(caller) == 0


async def test_a_packet_goes_every_20_ms_whether_there_is_audio_or_not() -> None:
    """Numbered and timed without a gap, over the wrap of both; the first is marked."""
    caller, port, _ = call()
    await turn(caller, 1, b"\1" * FRAME * 3)
    await asyncio.sleep(1.009)
    assert len(port.sent) == 50
    times = [time for time, _ in port.sent]
    assert all(later - time == pytest.approx(0.02, abs=0.0011) for time, later in pairwise(times))
    packets = [packet for _, packet in port.sent]
    assert [packet.sequence for packet in packets[:3]] == [0xFFFF, 0, 1]
    assert [packet.timestamp for packet in packets[:3]] == [0xFFFFFFFF, 159, 319]
    assert [packet.marker for packet in packets] == [True] + [False] * 49
    assert port.audio == b"\1" * FRAME * 3


async def test_a_loop_that_was_held_up_makes_up_for_some_ticks_and_leaves_the_others_out() -> None:
    """A burst of seconds would help nobody."""
    loop = asyncio.get_running_loop()
    pacer, ticks = Pacer(), list[float]()
    pacer.add(ticks.append)
    pacer._due = loop.time() - 1.0
    await asyncio.sleep(0.03)
    assert len(ticks) <= MAX_BEHIND + 2
    assert pacer.left_out >= 44


async def test_a_clock_goes_on_for_others_when_one_call_fails_and_stops_with_the_last(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """One call's trouble is not another's."""
    pacer, ticks = Pacer(), list[float]()

    def fails(now: float) -> None:
        raise RuntimeError(now)

    pacer.add(fails)
    pacer.add(ticks.append)
    await asyncio.sleep(0.1)
    assert len(ticks) >= 4
    assert "a call's clock stopped" in caplog.text
    pacer.remove(ticks.append)
    assert len(pacer) == 0


async def test_what_was_played_is_known_exactly() -> None:
    """While it is, when it is paused, and when it is cleared."""
    caller, port, _ = call()
    for _ in range(2):
        await said(caller)
    await turn(caller, 3, b"\3" * FRAME * 50)
    assert await said(caller) == {"type": "played", "turn": 3, "ms": 200.0, "stopped": False}
    await caller.send_str(Pause(turn=3).to_json())
    paused = await said(caller)
    assert paused["stopped"]
    await asyncio.sleep(1)
    await caller.send_str(Resume(turn=3).to_json())
    await asyncio.sleep(0.1)
    await caller.send_str(Clear(turn=3).to_json())
    cleared = await said(caller)
    assert cleared["stopped"]
    assert cleared["ms"] == len(port.audio) / 8
    assert paused["ms"] < cleared["ms"] <= paused["ms"] + 120


async def test_on_hold_nothing_is_sent_and_all_that_waits_is_there_after() -> None:
    """The worker is told; silence does not end the call."""
    caller, port, _ = call()
    for _ in range(2):
        await said(caller)
    await turn(caller, 1, b"\1" * FRAME * 20)
    caller.renegotiated(MEDIA, None, sends=False, hears=True, on_hold=True)
    assert await said(caller) == {"type": "hold", "on": True}
    await asyncio.sleep(LOST_S + 10)
    assert port.audio == b""
    caller.renegotiated(MEDIA, CALLER, sends=True, hears=True, on_hold=False)
    assert await said(caller) == {"type": "hold", "on": False}
    await asyncio.sleep(0.5)
    assert port.audio == b"\1" * FRAME * 20
    assert port.sent[0][1].marker


async def test_keys_are_heard_from_the_sound_and_from_signalling() -> None:
    """Once each."""
    caller, port, _ = call()
    for _ in range(2):
        await said(caller)
    port.say(b"\x05\x0a\x00\xa0", kind=101)
    caller.press("#")
    assert [(await said(caller))["digit"] for _ in range(2)] == ["5", "#"]


async def test_who_is_silent_for_too_long_is_gone() -> None:
    """Without a packet the call ends; with silence in packets it does not."""
    caller, port, _ = call()
    for _ in range(2):
        await said(caller)
    for _ in range(30):
        await asyncio.sleep(1)
        port.say()
    begun = asyncio.get_running_loop().time()
    assert await said(caller) == {"type": "stop"}
    assert LOST_S <= asyncio.get_running_loop().time() - begun < LOST_S + 1


async def test_who_only_listens_is_not_gone() -> None:
    """A caller that sends nothing, as agreed; once it is to be heard again its silence counts anew."""
    caller, port, _ = call()
    for _ in range(2):
        await said(caller)
    port.say()
    caller.renegotiated(MEDIA, CALLER, sends=True, hears=False, on_hold=False)
    await asyncio.sleep(LOST_S * 3)
    caller.renegotiated(MEDIA, CALLER, sends=True, hears=True, on_hold=False)
    begun = asyncio.get_running_loop().time()
    assert await said(caller) == {"type": "stop"}
    assert LOST_S <= asyncio.get_running_loop().time() - begun < LOST_S + 1


async def test_a_caller_that_was_transferred_is_heard_soon() -> None:
    """Its sound has another SSRC from one packet to the next: no more than a tenth of a second is missing."""
    caller, port, _ = call()
    for ssrc, packets in ((7, 50), (8, 100)):
        for _ in range(packets):
            port.say(bytes([ssrc]) * FRAME, ssrc=ssrc)
            await asyncio.sleep(0.02)
    heard = b"".join(message.data for message in caller._waiting if message.type is WSMsgType.BINARY)
    assert heard.count(7) == 50 * FRAME
    assert heard.count(8) >= (100 - 6) * FRAME


async def test_the_last_words_are_sent_before_the_end() -> None:
    """Then the port is given back, and who reads is told."""
    caller, port, pacer = call()
    await turn(caller, 1, b"\1" * FRAME * 10)
    await caller.close()
    assert port.audio == b"\1" * FRAME * 10
    assert not port.is_open
    assert len(pacer) == 0
    assert caller.closed
    while (message := await caller.receive()).type is not WSMsgType.CLOSED:
        assert message.type in (WSMsgType.TEXT, WSMsgType.BINARY)


async def test_who_hung_up_hears_nothing_more() -> None:
    """And the end waits for nobody."""
    caller, port, _ = call()
    await turn(caller, 1, b"\1" * FRAME * 10)
    caller.hang_up()
    begun = asyncio.get_running_loop().time()
    await caller.close()
    assert asyncio.get_running_loop().time() - begun < 5
    assert port.audio == b""


async def test_audio_that_nobody_reads_does_not_pile_up() -> None:
    """It is dropped beyond some seconds; a long packet comes in messages of 100 ms."""
    caller, port, _ = call()
    port.say(b"\1" * 1000)
    for _ in range(MAX_MESSAGES * 2):
        port.say()
    assert len(caller._waiting) == MAX_MESSAGES
    for _ in range(2):
        await said(caller)
    assert len((await caller.receive()).data) == 800


async def test_keys_that_nobody_reads_do_not_pile_up() -> None:
    """The first are kept, in their order; what must be said is said all the same."""
    caller, port, _ = call()
    for number in range(MAX_PASSING * 2):
        port.say(bytes((number % 10, 0x0A, 0, 0xA0)), kind=101)
    caller.hang_up()
    texts = [json.loads(message.data) for message in caller._waiting]
    assert len(texts) == MAX_PASSING + 1
    assert [text["digit"] for text in texts[2:-1]] == [str(number % 10) for number in range(MAX_PASSING - 2)]
    assert texts[-1] == {"type": "stop"}


async def test_others_packets_are_not_heard() -> None:
    """Another address, another payload type, no RTP at all."""
    caller, port, _ = call()
    port.say(place=("203.0.113.1", 4000))
    port.say(kind=8)
    assert port._hear is not None
    port._hear(b"noise", CALLER)
    assert len(caller._waiting) == 2
