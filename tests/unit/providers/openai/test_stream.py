"""What waits for the reader of a conversation, and who reads it after an interruption."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from providers.openai.dialogue import Dialogue
from providers.openai.stream import RealtimeStream
from providers.remote.api import RemoteApi
from providers.remote.socket import RemoteSocket
from voicebackend.errors import ConnectionFailed
from voicebackend.interfaces import S2sEvent

AUDIO = base64.b64encode(bytes(480)).decode()


class Socket:
    """The vendor's end: what a test puts in is heard, what the stream sends is kept."""

    def __init__(self) -> None:
        self.events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        self.sent: list[str] = []
        self.closed = False

    async def objects(self) -> AsyncIterator[dict[str, Any]]:
        while (event := await self.events.get()) is not None:
            yield event
            self.events.task_done()

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message["type"])

    async def aclose(self) -> None:
        self.closed = True

    def answers(self, name: str, pieces: int) -> None:
        """Tell of an answer, to its end."""
        self.events.put_nowait({"type": "response.created", "response": {"id": name}})
        for _ in range(pieces):
            told = {"response_id": name, "item_id": f"item-{name}", "delta": AUDIO}
            self.events.put_nowait({"type": "response.output_audio.delta", **told})
        self.events.put_nowait({"type": "response.done", "response": {"id": name, "status": "completed"}})


@pytest.fixture
def socket() -> Socket:
    """Give the vendor's end."""
    return Socket()


@pytest.fixture
async def stream(socket: Socket) -> AsyncIterator[RealtimeStream]:
    """Give ours."""
    dialogue = Dialogue(answers=True, silence_s=0.5)
    found = RealtimeStream(cast("RemoteApi", None), cast("RemoteSocket", socket), dialogue, voice={"model": None})
    yield found
    await found.aclose()
    assert socket.closed


async def turn(events: AsyncIterator[S2sEvent]) -> list[str]:
    """Return the kinds of events up to the end of an answer."""
    found: list[str] = []
    async for event in events:
        found.append(event.kind)
        if event.kind == "turn_done":
            break
    return found


async def test_what_waits_of_an_interrupted_answer_is_dropped(stream: RealtimeStream, socket: Socket) -> None:
    """Its end is told, and the next answer whole."""
    socket.answers("a", 20)
    await socket.events.join()
    events = stream.events()
    assert (await anext(events)).kind == "audio"
    await stream.interrupt(0.0)
    socket.answers("b", 3)
    assert await turn(events) == ["turn_done"]
    assert await turn(events) == ["audio"] * 3 + ["turn_done"]
    assert socket.sent == ["conversation.item.truncate"]


async def test_an_answer_is_dropped_where_it_waits_for_room(stream: RealtimeStream, socket: Socket) -> None:
    """The reader is slow: what was heard but not handed on yet is dropped as well."""
    socket.answers("a", 2000)
    events = stream.events()
    await anext(events)
    for _ in range(1500):
        await asyncio.sleep(0)
    await stream.interrupt(0.0)
    assert await turn(events) == ["turn_done"]
    await socket.events.join()
    socket.answers("b", 1)
    assert await turn(events) == ["audio", "turn_done"]


async def test_a_slow_reader_keeps_the_vendor_waiting(stream: RealtimeStream, socket: Socket) -> None:
    """What waits is bounded."""
    socket.answers("a", 2000)
    for _ in range(1500):
        await asyncio.sleep(0)
    assert socket.events.qsize() > 1000
    assert len(await turn(stream.events())) == 2001


async def test_the_end_of_the_vendor_is_told_after_what_it_said(stream: RealtimeStream, socket: Socket) -> None:
    """By an error: a session is never ended in good order by its other side."""
    socket.answers("a", 1)
    socket.events.put_nowait(None)
    events = stream.events()
    assert await turn(events) == ["audio", "turn_done"]
    with pytest.raises(ConnectionFailed):
        await anext(events)
