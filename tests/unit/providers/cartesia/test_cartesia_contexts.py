"""Many texts on few connections: what belongs to whom, what a break costs, and what waits for a slow listener."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from providers.cartesia.config import CartesiaTtsConfig
from providers.cartesia.connections import Connections
from providers.cartesia.contexts import MAX_CONTEXTS, Context
from providers.cartesia.tts_codec import Told, speech_request
from providers.remote.socket import RemoteSocket
from voicebackend.errors import ConnectionFailed, InvalidFormat, PipelineError, RateLimitExceeded, VoiceBackendError

CONFIG = CartesiaTtsConfig(model_id="m", voice_id="v")
PLENTY = 10_000.0


class Wire:
    """Stands for a websocket; the test is the vendor."""

    def __init__(self) -> None:
        self.sent: list[dict[str, Any]] = []
        self.closed = False
        self._coming: asyncio.Queue[dict[str, Any] | VoiceBackendError | None] = asyncio.Queue()

    def tell(self, message: dict[str, Any] | VoiceBackendError | None) -> None:
        """Send a message, break, or hang up."""
        self._coming.put_nowait(message)

    def speak(self, context: str, pcm: bytes) -> None:
        """Send audio."""
        self.tell({"type": "chunk", "context_id": context, "data": base64.b64encode(pcm).decode()})

    async def send(self, message: dict[str, Any]) -> None:
        self.sent.append(json.loads(json.dumps(message)))

    async def objects(self) -> AsyncIterator[dict[str, Any]]:
        while (message := await self._coming.get()) is not None:
            if isinstance(message, VoiceBackendError):
                raise message
            yield message

    async def aclose(self) -> None:
        self.closed = True


class Line:
    """The connections, and the wires behind them."""

    def __init__(self, keep_s: float = 60.0) -> None:
        self.wires: list[Wire] = []
        self.connections = Connections(self._connect, keep_s=keep_s)

    async def _connect(self) -> RemoteSocket:
        await asyncio.sleep(0)
        self.wires.append(Wire())
        return cast("RemoteSocket", self.wires[-1])

    def context(self, name: str, max_bytes: float = PLENTY) -> Any:
        """Have a text spoken in a context of this name."""
        return self.connections.context(Context(name, max_bytes), speech_request(CONFIG, name, "text"))


@pytest.fixture
async def line() -> AsyncIterator[Line]:
    """Give connections that are kept open; all are closed at the end."""
    line = Line()
    yield line
    await line.connections.aclose()
    assert all(wire.closed for wire in line.wires)


async def settled() -> None:
    """Let tasks do what they have to do."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_each_context_hears_its_own(line: Line) -> None:
    """On one connection, in any order; what belongs to nobody is dropped."""
    async with line.context("a") as a, line.context("b") as b:
        [wire] = line.wires
        for name in ("b", "stranger", "a"):
            wire.speak(name, name[0].encode() * 2)
        assert await a.next() == Told("a", pcm=b"aa")
        assert await b.next() == Told("b", pcm=b"bb")
        assert [message["context_id"] for message in wire.sent] == ["a", "b"]


async def test_who_leaves_early_has_it_cancelled(line: Line) -> None:
    """And what comes late of it is dropped; who heard the end has nothing to cancel."""
    async with line.context("a"):
        pass
    async with line.context("b") as b:
        line.wires[0].speak("a", b"late")
        line.wires[0].tell({"type": "done", "context_id": "b", "done": True})
        assert (await b.next()).done
    await settled()
    assert [message for message in line.wires[0].sent if "cancel" in message] == [{"context_id": "a", "cancel": True}]


async def test_a_refused_text_costs_nobody_else(line: Line) -> None:
    """The connection stays."""
    async with line.context("a") as a, line.context("b") as b:
        line.wires[0].tell({"type": "error", "context_id": "a", "status_code": 429, "done": True})
        with pytest.raises(RateLimitExceeded):
            await a.next()
        line.wires[0].speak("b", b"bb")
        assert (await b.next()).pcm == b"bb"


@pytest.mark.parametrize(
    ("end", "kind"),
    [
        (None, ConnectionFailed),
        (ConnectionFailed("broken"), ConnectionFailed),
        ({"type": "chunk", "context_id": "a", "data": "!"}, InvalidFormat),
        ({"type": "error", "status_code": 429}, RateLimitExceeded),
    ],
    ids=["hung up", "broken", "nonsense", "an error of no context"],
)
async def test_a_connection_that_ends_tells_all_and_is_not_used_again(line: Line, end: Any, kind: type) -> None:
    """Each by an error of its own, which others do not add to."""
    errors = []
    async with line.context("a") as a, line.context("b") as b:
        line.wires[0].tell(end)
        for context in (a, b):
            with pytest.raises(kind) as caught:
                await context.next()
            errors.append(caught.value)
    assert errors[0] is not errors[1]
    async with line.context("c") as c:
        line.wires[1].speak("c", b"cc")
        assert (await c.next()).pcm == b"cc"
    await settled()
    assert line.wires[0].closed


async def test_a_listener_who_does_not_listen_is_given_up(line: Line) -> None:
    """Others hear theirs; the vendor is told to stop."""
    async with line.context("slow", max_bytes=204) as slow, line.context("b") as b:
        for _ in range(4):
            line.wires[0].speak("slow", b"ss")
        line.wires[0].speak("b", b"bb")
        assert (await b.next()).pcm == b"bb"
        assert [(await slow.next()).pcm for _ in range(2)] == [b"ss", b"ss"]
        with pytest.raises(PipelineError):
            await slow.next()
    await settled()
    assert {"context_id": "slow", "cancel": True} in line.wires[0].sent


async def test_who_listens_hears_as_much_as_there_is(line: Line) -> None:
    """Only what waits counts."""
    async with line.context("a", max_bytes=104) as a:
        for _ in range(10):
            line.wires[0].speak("a", b"aaaa")
            assert (await a.next()).pcm == b"aaaa"


async def test_a_connection_is_shared_until_it_is_full(line: Line) -> None:
    """However many come at once."""
    entered, leave = asyncio.Semaphore(0), asyncio.Event()

    async def speak(name: str) -> None:
        async with line.context(name):
            entered.release()
            await leave.wait()

    async with asyncio.TaskGroup() as group:
        for at in range(MAX_CONTEXTS + 1):
            group.create_task(speak(str(at)), name=f"speaker {at}")
        for _ in range(MAX_CONTEXTS + 1):
            await entered.acquire()
        assert len(line.wires) == 2
        assert repr(line.connections) == f"<Connections [2 open, {MAX_CONTEXTS + 1} contexts]>"
        leave.set()


async def test_a_connection_that_nobody_needs_is_closed_after_a_while() -> None:
    """At once if none is to be kept; who comes in time uses it."""
    for keep_s, connected in ((0.0, 2), (60.0, 1)):
        line = Line(keep_s)
        for name in ("a", "b"):
            async with line.context(name):
                pass
        await settled()
        assert len(line.wires) == connected
        assert line.wires[0].closed is (keep_s == 0.0)
        await line.connections.aclose()
        assert all(wire.closed for wire in line.wires)


async def test_closing_while_someone_speaks_ends_that() -> None:
    """Whoever listens is told."""
    line = Line()
    async with line.context("a") as a:
        await line.connections.aclose()
        with pytest.raises(ConnectionFailed):
            await a.next()
    assert line.wires[0].closed
