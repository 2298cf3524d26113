"""A recogniser made of several, in virtual time: dies, hangs and refuses at every moment of an utterance."""

from __future__ import annotations

import asyncio

import pytest
from flaky import FlakyStt, Kind, moments

from providers.failover.candidates import COOL_DOWN_S, Candidates
from providers.failover.stt import FailoverStt
from providers.failover.switch import Switch
from providers.mock.tones import speak
from voicebackend.audio import PIPELINE_RATE, FrameCutter
from voicebackend.errors import ConnectionFailed, RateLimitExceeded
from voicebackend.interfaces import Recognition, SttStream
from voicebackend.virtual_time import run

WORDS = "the number is four two "
AUDIO = FrameCutter(PIPELINE_RATE).push(speak(WORDS, PIPELINE_RATE, 0.04))


class Call:
    """Two recognisers behind one, and what became of it."""

    def __init__(self, engines: int = 2) -> None:
        self.engines = [FlakyStt(f"stt{at}") for at in range(engines)]
        self.switches: list[Switch] = []
        self.partials: list[Recognition] = []
        self.engine = FailoverStt(Candidates(self.engines), timeout_s=1.0 if engines > 1 else None)

    async def open(self) -> SttStream:
        """Open a stream of the session's."""
        return await self.engine.noting(self.switches.append).stream(self.partials.append)

    async def say(self, stream: SttStream, *, trouble_at: int = -1, kind: Kind | None = None) -> tuple[str, float]:
        """Say it; return what was recognised, and the seconds from its end to that."""
        for number, frame in enumerate(AUDIO):
            if number == trouble_at:
                self.trouble(kind)
            await stream.push(frame)
        clock = asyncio.get_running_loop().time
        await stream.pause()
        ended = clock()
        if trouble_at >= len(AUDIO):
            self.trouble(kind)
        return (await stream.finish()).text, clock() - ended

    def trouble(self, kind: Kind | None) -> None:
        """Let the first one fail; None only breaks its connections."""
        if kind is None:
            self.engines[0].trouble.kill()
        else:
            self.engines[0].trouble.order(kind)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["dead", "limit", "hang", None])
def test_no_word_is_lost_whenever_it_fails(kind: Kind | None, seed: int) -> None:
    """The next one hears the utterance from its beginning, within the time that a caller waits."""

    async def main() -> None:
        call = Call()
        stream = await call.open()
        at = moments(seed).randrange(len(AUDIO) + 1)
        text, took_s = await asyncio.wait_for(call.say(stream, trouble_at=at, kind=kind), 100_000)
        assert text == WORDS
        if kind != "hang":
            assert took_s <= 1.5
        assert [(switch.role, switch.source) for switch in call.switches] == [("stt", "stt0")]
        assert (await call.say(stream))[0] == WORDS
        await stream.aclose()
        assert [engine.trouble.open for engine in call.engines] == [0, 0]

    run(main())


def test_one_that_hangs_at_the_end_costs_its_deadline() -> None:
    """And no more."""

    async def main() -> None:
        call = Call()
        stream = await call.open()
        text, took_s = await call.say(stream, trouble_at=len(AUDIO), kind="hang")
        assert text == WORDS
        assert 1.0 <= took_s <= 1.5
        await stream.aclose()

    run(main())


def test_a_lone_one_is_reached_again() -> None:
    """Its connection broke; the utterance goes on over a new one."""

    async def main() -> None:
        call = Call(engines=1)
        stream = await call.open()
        assert (await call.say(stream, trouble_at=10))[0] == WORDS
        assert [(switch.source, switch.to) for switch in call.switches] == [("stt0", "stt0")]
        await stream.aclose()

    run(main())


def test_a_lone_one_that_refuses_is_not_asked_again() -> None:
    """It would refuse again; the pipeline hears of it at once."""

    async def main() -> None:
        call = Call(engines=1)
        stream = await call.open()
        call.engines[0].trouble.kind = "limit"
        before = call.engines[0].trouble.calls
        with pytest.raises(RateLimitExceeded):
            await stream.finish()
        assert call.engines[0].trouble.calls == before + 1
        await stream.aclose()

    run(main())


def test_when_all_are_dead_it_says_so_and_is_well_again_later() -> None:
    """The pipeline counts that as a failure of the recogniser, and goes on."""

    async def main() -> None:
        call = Call()
        stream = await call.open()
        for engine in call.engines:
            engine.trouble.order("dead")
        with pytest.raises(ConnectionFailed):
            await call.say(stream)
        for engine in call.engines:
            engine.trouble.order(None)
        await stream.discard()
        assert (await call.say(stream))[0] == WORDS
        await stream.aclose()

    run(main())


def test_the_first_one_is_gone_back_to_once_it_has_cooled_down() -> None:
    """At the start of an utterance; before that it is left alone."""

    async def main() -> None:
        call = Call()
        stream = await call.open()
        await call.say(stream, trouble_at=5, kind="limit")
        call.engines[0].trouble.order(None)
        before = call.engines[0].trouble.calls
        await call.say(stream)
        assert call.engines[0].trouble.calls == before
        await asyncio.sleep(COOL_DOWN_S)
        assert (await call.say(stream))[0] == WORDS
        assert call.engines[0].trouble.calls > before
        assert call.engines[0].trouble.open == 1
        await stream.aclose()

    run(main())


def test_one_that_cannot_be_gone_back_to_costs_the_one_that_hears_nothing() -> None:
    """What that reports still counts, and no second stream is opened at it."""

    async def main() -> None:
        call = Call()
        stream = await call.open()
        await call.say(stream, trouble_at=5, kind="limit")
        await asyncio.sleep(60)
        call.partials.clear()
        before, opened = call.engines[1].trouble.open, call.engines[1].streams
        for frame in AUDIO:
            await stream.push(frame)
        await stream.pause()
        await asyncio.sleep(1)
        assert [heard.text for heard in call.partials if heard.flushed] == [WORDS]
        assert (call.engines[1].trouble.open, call.engines[1].streams) == (before, opened)
        await stream.aclose()

    run(main())


def test_when_none_can_be_opened_the_ear_that_is_there_is_still_heard() -> None:
    """At the start of an utterance a better one is tried, and nothing new opens anywhere."""

    async def main() -> None:
        call = Call()
        stream = await call.open()
        await call.say(stream, trouble_at=5, kind="limit")
        await asyncio.sleep(COOL_DOWN_S)
        call.partials.clear()
        call.engines[1].full = True
        for frame in AUDIO:
            await stream.push(frame)
        await stream.pause()
        await asyncio.sleep(1)
        assert [heard.text for heard in call.partials if heard.flushed] == [WORDS]
        await stream.aclose()

    run(main())


def test_what_the_one_that_failed_still_reports_is_not_heard() -> None:
    """Only the live one's partial results count."""

    async def main() -> None:
        call = Call()
        stream = await call.open()
        await stream.push(AUDIO[0])
        stale = call.engine.engines[0]
        assert stale is call.engines[0]
        call.trouble("limit")
        for frame in AUDIO[1:]:
            await stream.push(frame)
        await stream.pause()
        await asyncio.sleep(1)
        flushed = [heard for heard in call.partials if heard.flushed]
        assert [heard.text for heard in flushed] == [WORDS]
        await stream.aclose()

    run(main())
