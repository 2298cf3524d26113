"""Engine ``pipecat`` on a double of its server, with the suites of all; test_pipecat_server.py has the real one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from listening import voice
from pipecat_call import Manner
from pipecat_double import PipecatDouble
from pydantic import SecretStr

from providers.conformance.double import KEY, Double
from providers.conformance.remote import AnswerSuite, SocketSuite
from providers.conformance.s2s import S2sSuite, conversation, until
from providers.mock.tones import spoken
from providers.pipecat.config import PipecatConfig
from providers.pipecat.s2s import PipecatS2s
from voicebackend.audio import PIPELINE_RATE, FrameCutter
from voicebackend.errors import PipelineError
from voicebackend.interfaces import Engine, S2sStream, SpeechToSpeech


def made(double: Double, *, key: str = KEY, starts: bool = False, **settings: Any) -> PipecatS2s:
    """Return an engine that reaches the double, by ``/start`` if it ``starts`` there."""
    where = {"start_url": f"{double.url}/start"} if starts else {"pipecat_server_url": f"{double.ws_url}/ws"}
    return PipecatS2s(PipecatConfig(api_key=SecretStr(key), **where, **settings))


async def speak(stream: S2sStream, text: str = "hello") -> None:
    """Say something in tones, and fall silent for half a second."""
    for frame in FrameCutter(PIPELINE_RATE).push(voice(text, PIPELINE_RATE) + bytes(PIPELINE_RATE)):
        await stream.push(frame)


class _Suite(S2sSuite):
    starts = False

    def double(self) -> PipecatDouble:
        """Return the server."""
        return PipecatDouble()

    @pytest.fixture
    async def engine(self) -> AsyncIterator[SpeechToSpeech]:
        """Give the engine, with its double behind it."""
        async with self.double() as double:
            engine = made(double, starts=self.starts, rtvi_timeout=0.2)
            await engine.open()
            yield engine
            await engine.aclose()
            assert await double.released()
            assert not double.garbled

    async def speak(self, stream: S2sStream) -> None:
        """Say something in tones."""
        await speak(stream)


class TestRoute(_Suite):
    """A websocket of the application's own."""


class TestRunner(_Suite):
    """The development runner, at another rate."""

    starts = True

    def double(self) -> PipecatDouble:
        """Return one that is resampled."""
        return PipecatDouble(Manner(sample_rate=16_000))


class TestStrays(_Suite):
    """A server whose interruptions do not reach all that is on its way."""

    def double(self) -> PipecatDouble:
        """Return one."""
        return PipecatDouble(Manner(strays=True))

    async def test_a_stray_is_no_answer(self, engine: SpeechToSpeech) -> None:
        """Between what was cut and what is said next, nothing sounds."""
        async with conversation(engine) as stream:
            events = stream.events()
            await speak(stream, "a story")
            await until("audio", events)
            await speak(stream)
            found = await until("user_text", events)
            while not found[-1].final:
                found += await until("user_text", events)
            kinds = [event.kind for event in found]
            assert "audio" not in kinds[kinds.index("turn_done") :]
            last = await until("turn_done", events)
        assert spoken(b"".join(event.pcm for event in last), engine.sample_rate) == "you said hello"


class TestBare(_Suite):
    """A server without RTVI, which tells nothing of what it hears, nor any text."""

    def double(self) -> PipecatDouble:
        """Return one."""
        return PipecatDouble(Manner(rtvi=False))

    async def test_who_speaks_is_answered(self, engine: SpeechToSpeech) -> None:
        """Speech is noticed here; audio comes back, and its end is noticed, too."""
        async with conversation(engine) as stream:
            await speak(stream)
            found = await until("turn_done", stream.events())
        kinds = [event.kind for event in found]
        assert [kind for kind in kinds if kind != "audio"] == [
            "speech_started",
            "speech_stopped",
            "user_text",
            "turn_done",
        ]
        assert spoken(b"".join(event.pcm for event in found), engine.sample_rate) == "you said hello"

    async def test_the_pieces_of_its_text_make_the_whole(self, engine: SpeechToSpeech) -> None:
        """There are none; nor can it be given a text."""
        async with conversation(engine) as stream:
            with pytest.raises(PipelineError):
                await stream.tell("hello")


class TestRouteInTrouble(SocketSuite):
    """Faults of a websocket."""

    def make_double(self) -> Double:
        return PipecatDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return made(double, key=key, **settings)

    async def use(self, engine: Engine) -> object:
        return await _use(engine)


class TestRunnerInTrouble(AnswerSuite):
    """Faults of ``/start``."""

    makes = True

    def make_double(self) -> Double:
        return PipecatDouble()

    def make_engine(self, double: Double, *, key: str = KEY, **settings: Any) -> Engine:
        return made(double, key=key, starts=True, **settings)

    async def use(self, engine: Engine) -> object:
        return await _use(engine)


async def _use(engine: Engine) -> object:
    assert isinstance(engine, SpeechToSpeech)
    async with conversation(engine) as stream:
        await speak(stream)
        return await until("turn_done", stream.events())
