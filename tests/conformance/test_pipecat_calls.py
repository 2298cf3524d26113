"""Engine ``pipecat``: what only it has, on a double of its server."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest
from listening import voice
from pipecat_call import Manner
from pipecat_double import PipecatDouble
from pydantic import SecretStr

from providers.conformance.double import KEY, Fault
from providers.conformance.s2s import conversation, until
from providers.mock.tones import spoken
from providers.pipecat.config import PipecatConfig
from providers.pipecat.s2s import PipecatS2s
from voicebackend.audio import PIPELINE_RATE, FrameCutter
from voicebackend.errors import AuthenticationFailed, ConnectionFailed, RateLimitExceeded
from voicebackend.interfaces import S2sEvent, S2sStream


def made(double: PipecatDouble, *, key: str = KEY, starts: bool = False, rtvi_timeout: float = 5) -> PipecatS2s:
    """Return an engine that reaches the double, by ``/start`` if it ``starts`` there."""
    where = {"start_url": f"{double.url}/start"} if starts else {"pipecat_server_url": f"{double.ws_url}/ws"}
    settings = {"api_key": SecretStr(key), "max_retries": 0, "rtvi_timeout": rtvi_timeout, **where}
    return PipecatS2s(PipecatConfig.model_validate(settings))


@pytest.fixture
async def double() -> AsyncIterator[PipecatDouble]:
    """Give the double; nothing is open at the end, and nothing was sent that a server does not know."""
    async with PipecatDouble() as double:
        yield double
        assert await double.released()
        assert not double.garbled


@pytest.fixture
async def engine(double: PipecatDouble) -> AsyncIterator[PipecatS2s]:
    """Give the engine, open."""
    engine = made(double)
    await engine.open()
    yield engine
    await engine.aclose()


async def talk(stream: S2sStream, pcm: bytes) -> None:
    """Say it again and again, in real time."""
    while True:
        for frame in FrameCutter(PIPELINE_RATE).push(pcm):
            await stream.push(frame)
            await asyncio.sleep(0.02)


def audio_of(events: list[S2sEvent]) -> bytes:
    """Return what was heard."""
    return b"".join(event.pcm for event in events)


async def test_a_text_is_answered_in_the_place_of_speech(engine: PipecatS2s) -> None:
    """What is being said is cut for it."""
    async with conversation(engine) as stream:
        events = stream.events()
        await stream.tell("a story please")
        await until("audio", events)
        await stream.tell("hello")
        cut = await until("turn_done", events)
        found = await until("turn_done", events)
    assert len(audio_of(cut)) < 48_000
    assert [event.text for event in found if event.kind == "agent_text"] == ["you said hello"]
    assert spoken(audio_of(found), 24_000) == "you said hello"


async def test_keys_are_told(double: PipecatDouble, engine: PipecatS2s) -> None:
    """Those that the server knows."""
    async with conversation(engine) as stream:
        for digit in "5A#":
            await stream.dtmf(digit)
        await stream.tell("hello")
        await until("audio", stream.events())
    assert double.calls[0].digits == ["5", "#"]


async def test_a_greeting_has_its_text() -> None:
    """Though no language model wrote it."""
    async with PipecatDouble(Manner(greeting="welcome")) as double:
        engine = made(double)
        await engine.open()
        async with conversation(engine) as stream:
            found = await until("turn_done", stream.events())
        await engine.aclose()
    assert [event.text for event in found if event.kind == "agent_text"] == ["welcome"]
    assert spoken(audio_of(found), 24_000) == "welcome"


async def test_closing_ends_the_servers_pipeline(double: PipecatDouble, engine: PipecatS2s) -> None:
    """It is told, and need not find out."""
    async with conversation(engine):
        pass
    assert await double.released()
    assert double.calls[0].ended


@pytest.mark.parametrize("code", [1000, 1001])
async def test_a_server_that_hangs_up_ends_the_call(double: PipecatDouble, engine: PipecatS2s, code: int) -> None:
    """What the caller says meanwhile is no error."""
    async with conversation(engine) as stream:
        await double.hang_up(code)
        assert [event async for event in stream.events()] == []
        await stream.push(bytes(640))


@pytest.mark.parametrize(("code", "kind"), [(1011, ConnectionFailed), (1013, RateLimitExceeded)])
async def test_who_sends_learns_why_it_cannot(
    double: PipecatDouble, engine: PipecatS2s, code: int, kind: type[Exception]
) -> None:
    """As who reads does."""
    async with conversation(engine) as stream:
        await double.hang_up(code)
        async with asyncio.timeout(5):
            with pytest.raises(kind):
                await talk(stream, bytes(640))


@pytest.mark.parametrize("fatal", [True, False])
async def test_only_a_fatal_error_ends_the_conversation(
    double: PipecatDouble, engine: PipecatS2s, caplog: pytest.LogCaptureFixture, fatal: bool
) -> None:
    """Its words are in no log."""
    async with conversation(engine) as stream:
        await double.calls[0].report(fatal=fatal)
        await stream.tell("hello")
        kinds = {event.kind for event in await until("turn_done", stream.events())}
    assert ("error" in kinds) is fatal
    assert "private" not in caplog.text


@pytest.mark.parametrize("starts", [False, True], ids=["route", "runner"])
async def test_a_check_proves_the_key(double: PipecatDouble, starts: bool) -> None:
    """And leaves nothing open: what was started has ended."""
    engine = made(double, starts=starts)
    await engine.open()
    await engine.check()
    await engine.aclose()
    wrong = made(double, key="wrong", starts=starts)
    await wrong.open()
    with pytest.raises(AuthenticationFailed):
        await wrong.check()
    await wrong.aclose()
    assert len(double.calls) == 1
    assert await double.released()


async def test_a_session_that_nobody_waits_for_any_more_is_left(double: PipecatDouble) -> None:
    """Whoever asked for it has gone while it was being started; left alone, it would run on."""
    engine = made(double, starts=True)
    await engine.open()
    double.order(Fault(kind="late", late_s=0.2))
    opening = asyncio.create_task(engine.stream(metadata={}), name="open")
    async with asyncio.timeout(5):
        await double.started.wait()
    double.order(None)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    await engine.aclose()
    assert len(double.calls) == 1
    assert await double.released()


async def test_each_session_has_a_token_of_its_own(double: PipecatDouble, caplog: pytest.LogCaptureFixture) -> None:
    """It is in no log; nor does the key go to the server that the start named."""
    engine = made(double, starts=True)
    await engine.open()
    with caplog.at_level(logging.DEBUG):
        for _ in range(2):
            async with conversation(engine) as stream:
                await stream.tell("hello")
                await until("turn_done", stream.events())
    await engine.aclose()
    bearers = [seen.headers.get("Authorization", "") for seen in double.seen if seen.path == "/ws-client"]
    tokens = {bearer.removeprefix("Bearer ") for bearer in bearers}
    assert len(tokens) == 2
    assert KEY not in tokens
    assert not any(token in caplog.text for token in tokens)


async def test_a_server_that_tells_late_what_it_hears_is_listened_for_until_then() -> None:
    """The speech that was noticed here is the one that it tells of."""
    async with PipecatDouble(Manner(ready_after_s=0.4)) as double:
        engine = made(double, rtvi_timeout=0.05)
        await engine.open()
        async with conversation(engine) as stream:
            words = voice("hello there", PIPELINE_RATE)
            speaking = asyncio.create_task(talk(stream, words + bytes(4 * PIPELINE_RATE)), name="caller")
            found = await until("turn_done", stream.events())
            speaking.cancel()
            await asyncio.gather(speaking, return_exceptions=True)
        await engine.aclose()
    of_the_caller = [(event.kind, event.text) for event in found if event.kind.startswith("speech") or event.final]
    assert of_the_caller == [("speech_started", ""), ("speech_stopped", ""), ("user_text", "hello there")]
