"""What the worker is told of what its caller has heard, by the real ``Caller`` in virtual time."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import WSMessage

from control.gateway.caller import Caller
from voicebackend.codecs import Encoding, open_codec
from voicebackend.events import Pause
from voicebackend.streams import Frame, Kind, json_payload

SESSION, EPOCH = "0f" * 16, 7
FRAME_S = 0.02
PCM = bytes(640)


class Socket:
    """A caller that says nothing and reads everything."""

    closed = False

    def __init__(self) -> None:
        self.sent: list[bytes | str] = []

    async def receive(self) -> WSMessage:
        return await asyncio.get_running_loop().create_future()

    async def send_str(self, data: str) -> None:
        self.sent.append(data)

    async def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)

    async def close(self, *, code: int = 1000) -> Any:
        del code


class Lane:
    """Takes what goes to the worker, with the second at which it came."""

    def __init__(self) -> None:
        self.told: list[tuple[float, Frame]] = []

    def send(self, stream: str, frame: Frame) -> None:
        del stream
        self.told.append((asyncio.get_running_loop().time(), frame))

    def played(self, turn: int) -> list[tuple[float, float]]:
        """Return when it was told how many milliseconds of a turn."""
        return [(at, frame.json()["ms"]) for at, frame in self.told if (frame.kind, frame.turn) == (Kind.PLAYED, turn)]


class NoSeal:
    """No key is pressed here."""

    def seal(self, text: str) -> str:
        return text


class Worker:
    """Speaks to a caller."""

    def __init__(self, caller: Caller) -> None:
        self._caller, self._numbers = caller, itertools.count(1)

    def say(self, kind: Kind, payload: bytes, turn: int = 0) -> None:
        frame = Frame(session=SESSION, kind=kind, payload=payload, turn=turn, seq=next(self._numbers), epoch=EPOCH)
        self._caller.take(frame)

    def event(self, message: Any) -> None:
        self.say(Kind.EVENT, message.to_json().encode())

    async def speak(self, turn: int, seconds: float) -> None:
        """Send audio as it is spoken."""
        for _ in range(round(seconds / FRAME_S)):
            self.say(Kind.AUDIO_OUT, PCM, turn)
            await asyncio.sleep(FRAME_S)


@asynccontextmanager
async def conversation(lane: Lane) -> AsyncIterator[Worker]:
    """Hold a conversation; yields the worker that speaks in it. No fixture: virtual time begins with the test."""
    caller = Caller(
        Socket(),
        session=SESSION,
        lane="lane",
        inbox="inbox",
        codec=open_codec(Encoding.PCM16, 16000),
        sender=lane,  # type: ignore[arg-type]  # all that is asked of it here
        seal=NoSeal(),  # type: ignore[arg-type]  # as above
    )
    conversing = asyncio.create_task(caller.converse("token"))
    await asyncio.sleep(0)
    yield Worker(caller)
    conversing.cancel()
    await asyncio.gather(conversing, return_exceptions=True)


@pytest.mark.looptime
async def test_while_audio_comes_reports_come() -> None:
    lane = Lane()
    async with conversation(lane) as worker:
        await worker.speak(1, 2.0)
        await asyncio.sleep(0.5)
    told = lane.played(1)
    moments = [at for at, _ in told]
    assert max(after - before for before, after in itertools.pairwise(moments)) <= 0.4 + FRAME_S
    assert told[-1][1] == pytest.approx(2000, abs=1)


@pytest.mark.looptime
async def test_a_turn_that_plays_beside_one_whose_pause_nobody_minds_is_reported() -> None:
    """A new speaker has 3 s to say what becomes of the pause; what it plays meanwhile is heard, and told."""
    lane = Lane()
    async with conversation(lane) as worker:
        await worker.speak(5, FRAME_S)
        await asyncio.sleep(0.1)  # heard: nothing of it is left
        worker.event(Pause(turn=5))
        worker.say(Kind.ADOPT, json_payload({}))
        await asyncio.sleep(0)
        await worker.speak(6, 1.2)
        assert len(lane.played(6)) >= 2
        await asyncio.sleep(0.5)
    assert lane.played(6)[-1][1] == pytest.approx(1200, abs=1)
