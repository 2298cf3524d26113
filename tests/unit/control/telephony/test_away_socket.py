"""A stream that ends because its call is handed over, and the one with which it comes back."""

from __future__ import annotations

import asyncio
from collections import deque

import pytest
from aiohttp import WSMessage, WSMsgType

from control.telephony.streams import away_socket
from control.telephony.streams.away_socket import AwaySocket, Handover
from voicebackend.errors import ConnectionFailed
from voicebackend.events import Hold, Start, Stop, parse_client

START = WSMessage(WSMsgType.TEXT, Start(sample_rate=8000).to_json(), None)
STOP = WSMessage(WSMsgType.TEXT, Stop().to_json(), None)
CLOSED = WSMessage(WSMsgType.CLOSE, 1000, "")
AUDIO = WSMessage(WSMsgType.BINARY, b"\xff", None)


class Stream:
    """Says what it is given; keeps what it is sent."""

    closed = False
    stands_still = False
    gathers_s = 0.5

    def __init__(self, *said: WSMessage) -> None:
        self._said = deque(said)
        self.sent: list[str | bytes] = []

    async def receive(self) -> WSMessage:
        """Give the next."""
        return self._said.popleft()

    async def send_str(self, data: str) -> None:
        """Take text."""
        self.sent.append(data)

    async def send_bytes(self, data: bytes) -> None:
        """Take audio."""
        self.sent.append(data)

    async def close(self, *, code: int = 1000) -> None:
        """Close."""
        self.closed = code > 0


class Desk:
    """Knows how far the call is, or does not (None)."""

    def __init__(self, *standings: Handover | None) -> None:
        self._standings = deque(standings)

    async def __call__(self) -> Handover:
        """Say it, the last again and again."""
        standing = self._standings.popleft() if len(self._standings) > 1 else self._standings[0]
        if standing is None:
            raise ConnectionFailed("transfer")
        return standing


@pytest.fixture(autouse=True)
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look often."""
    monkeypatch.setattr(away_socket, "LOOK_S", 0.001)


async def test_a_call_that_nobody_hands_over_reads_as_ever() -> None:
    """Also what is sent arrives."""
    stream = Stream(START, AUDIO, STOP)
    socket = AwaySocket(stream, Desk(Handover.NONE))
    assert [await socket.receive() for _ in range(3)] == [START, AUDIO, STOP]
    await socket.send_str("a")
    await socket.send_bytes(b"b")
    assert stream.sent == ["a", b"b"]
    assert (socket.stands_still, socket.gathers_s, socket.closed) == (False, 0.5, False)


@pytest.mark.parametrize("end", [STOP, CLOSED])
async def test_a_call_that_is_handed_over_is_on_hold_until_it_is_not_expected_back(end: WSMessage) -> None:
    """Then it has hung up; meanwhile nothing is sent to a stream that is gone."""
    stream = Stream(START, end)
    socket = AwaySocket(stream, Desk(Handover.NONE, Handover.AWAY, Handover.AWAY, Handover.NONE))
    await socket.receive()
    assert parse_client((await socket.receive()).data) == Hold(on=True)
    stream.closed = True
    await socket.send_bytes(b"agent")
    await socket.send_str("{}")
    assert stream.sent == []
    assert not socket.closed
    assert await socket.receive() == end


async def test_one_that_came_back_waits_for_the_other_stream_to_take_over() -> None:
    """It does not hang up: that would end the session which the other has."""
    socket = AwaySocket(Stream(START, STOP), Desk(Handover.NONE, Handover.AWAY, Handover.BACK))
    await socket.receive()
    await socket.receive()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await socket.receive()


async def test_the_stream_that_comes_back_takes_the_call_off_hold() -> None:
    """And its end is a hang-up."""
    socket = AwaySocket(Stream(START, AUDIO, STOP), Desk(Handover.BACK))
    assert await socket.receive() == START
    assert parse_client((await socket.receive()).data) == Hold(on=False)
    assert [await socket.receive() for _ in range(2)] == [AUDIO, STOP]


async def test_where_nobody_can_tell_all_stays_as_it_is() -> None:
    """Redis is away for a moment: who is here is here, who is away is awaited."""
    here = AwaySocket(Stream(START, STOP), Desk(None))
    assert [await here.receive() for _ in range(2)] == [START, STOP]
    away = AwaySocket(Stream(START, STOP), Desk(Handover.NONE, Handover.AWAY, None, None, Handover.NONE))
    assert await away.receive() == START
    assert parse_client((await away.receive()).data) == Hold(on=True)
    assert await away.receive() == STOP


async def test_who_never_began_has_nothing_to_come_back_to() -> None:
    """A stream that closes before its start is gone."""
    assert await AwaySocket(Stream(CLOSED), Desk(Handover.AWAY)).receive() == CLOSED
