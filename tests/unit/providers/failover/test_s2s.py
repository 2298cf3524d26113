"""A conversation with several models, one after the other, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest
from flaky import FlakyS2s, Kind, moments

from providers.failover.candidates import Candidates
from providers.failover.s2s import FailoverS2s
from providers.failover.switch import Switch
from providers.mock.tones import spoken
from voicebackend.agents import HistoryEntry
from voicebackend.errors import ConnectionFailed, VoiceBackendError
from voicebackend.interfaces import S2sEvent, S2sStream
from voicebackend.virtual_time import run

LOUD, SILENT = b"\x10\x20" * 320, bytes(640)
REPLY = "this is the answer."


class Call:
    """Models behind one, a caller, and what was told."""

    def __init__(
        self, engines: int = 2, *, timeout_s: float | None = 4.0, hold_tone: bool = False, **settings: object
    ) -> None:
        script: dict[str, object] = {"transcripts": ["hello there"], "replies": [REPLY], "delay": 0.2, **settings}
        self.engines = [FlakyS2s(f"s2s{at}", **script) for at in range(engines)]
        self.switches: list[Switch] = []
        engine = FailoverS2s(Candidates(self.engines), timeout_s=timeout_s, hold_tone=hold_tone)
        self.engine = engine.noting(self.switches.append)
        self.events: list[S2sEvent] = []
        self.times: list[float] = []
        self.failure: VoiceBackendError | None = None
        self._answered = asyncio.Event()

    async def __aenter__(self) -> S2sStream:
        self.stream = await self.engine.stream(metadata={})
        self._tasks = [
            asyncio.create_task(self._read(), name="read"),
        ]
        return self.stream

    async def __aexit__(self, *_: object) -> None:
        await self.stream.aclose()
        for task in self._tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        assert [engine.trouble.open for engine in self.engines] == [0] * len(self.engines)

    async def _read(self) -> None:
        try:
            async for event in self.stream.events():
                self.events.append(event)
                self.times.append(asyncio.get_running_loop().time())
        except VoiceBackendError as error:
            self.failure = error

    async def speak(self, seconds: float = 1.0, silence: float = 6.0) -> None:
        """Say something in real time, and wait for the answer."""
        for pcm, length in ((LOUD, seconds), (SILENT, silence)):
            for _ in range(round(length / 0.02)):
                await self.stream.push(pcm)
                await asyncio.sleep(0.02)

    def heard(self) -> str:
        """Return all that was said to the caller."""
        pcm = b"".join(event.pcm for event in self.events)
        return spoken(pcm, self.engine.sample_rate)

    def longest_silence_s(self, since: float) -> float:
        """Return for how long nothing was heard until the answer was whole."""
        longest, heard_until = 0.0, since
        for event, at in zip(self.events, self.times, strict=True):
            if event.pcm and at >= since:
                longest = max(longest, at - heard_until)
                heard_until = max(heard_until, at) + len(event.pcm) / 2 / self.engine.sample_rate
        return longest

    def kinds(self) -> list[str]:
        """Return the events' kinds, repeated ones once."""
        kinds = [event.kind for event in self.events]
        return [kind for at, kind in enumerate(kinds) if kinds[at - 1 : at] != [kind]]

    def finals(self) -> list[str]:
        """Return what the caller was understood to say."""
        return [event.text for event in self.events if event.kind == "user_text" and event.final]


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["dead", "limit", "hang", None])
def test_a_turn_is_answered_once_whenever_the_model_fails(kind: Kind | None, seed: int) -> None:
    """What the caller said is told once; an answer that was begun ends."""

    async def main() -> None:
        call = Call()
        async with call:
            loop = asyncio.get_running_loop()
            trouble = call.engines[0].trouble
            at = moments(seed).uniform(0.0, 1.6)
            loop.call_later(at, trouble.kill if kind is None else lambda: trouble.order(kind))
            await call.speak()
            spoke = next(at for event, at in zip(call.events, call.times, strict=True) if event.kind == "audio")
            assert spoke - 1.0 <= (7.0 if kind == "hang" else 1.5)  # a second of speech; to hang costs the deadline
            assert call.failure is None
            assert call.finals() == ["hello there"]
            assert call.heard() == REPLY
            assert call.kinds().count("turn_done") == 1
            await call.speak()
            assert call.heard() == REPLY * 2

    run(main())


def test_the_next_model_knows_what_was_said() -> None:
    """By history: the caller's words, and the model's as far as they were heard."""

    async def main() -> None:
        call = Call()
        async with call as stream:
            await call.speak()
            await call.speak(silence=0.05)
            await stream.interrupt(played_ms=10_000.0)
            await call.speak()
            call.engines[0].trouble.order("limit")
            await call.speak()
            [history] = call.engines[1].histories
            assert history[:2] == [
                HistoryEntry(role="user", text="hello there", turn=1),
                HistoryEntry(role="agent", text=REPLY, turn=1, interrupted=False),
            ]
            assert {switch.lost for switch in call.switches} == {("history",)}

    run(main())


def test_what_was_cut_off_is_remembered_as_far_as_it_was_heard() -> None:
    """Half of it was played."""

    async def main() -> None:
        call = Call()
        async with call as stream:
            await call.speak()
            await stream.interrupt(played_ms=0.06 * 1000 * len("this is the"))
            call.engines[0].trouble.order("dead")
            await asyncio.sleep(1)
            [history] = call.engines[1].histories
            assert history[-1] == HistoryEntry(role="agent", text="this is the", turn=1, interrupted=True)

    run(main())


def test_texts_that_were_given_are_said_by_the_next_one() -> None:
    """Those that were not begun."""

    async def main() -> None:
        call = Call()
        async with call as stream:
            call.engines[0].trouble.kind = "dead"
            await stream.say("good day")
            await asyncio.sleep(0.1)
            call.engines[0].trouble.order("dead")
            await asyncio.sleep(3)
            assert call.heard() == "good day"

    run(main())


def test_a_model_that_notices_nothing_is_found_out_by_the_callers_loudness() -> None:
    """It takes audio, and tells nothing."""

    async def main() -> None:
        call = Call(threshold=32_767)  # deaf
        call.engines[1] = FlakyS2s("s2s1", transcripts=["hello there"], replies=[REPLY])
        call.engine = FailoverS2s(Candidates(call.engines), timeout_s=4.0).noting(call.switches.append)
        async with call:
            await call.speak(silence=8.0)
            assert call.heard() == REPLY
            assert [str(switch.code) for switch in call.switches] == ["connection_timeout"]

    run(main())


def test_a_lone_one_is_reached_again() -> None:
    """Its connection broke."""

    async def main() -> None:
        call = Call(engines=1, timeout_s=None)
        async with call:
            call.engines[0].trouble.kill()
            await call.speak()
            assert call.heard() == REPLY
            assert [(switch.source, switch.to) for switch in call.switches] == [("s2s0", "s2s0")]

    run(main())


def test_when_none_is_left_the_call_hears_of_it() -> None:
    """After each had its tries."""

    async def main() -> None:
        call = Call()
        async with call:
            for engine in call.engines:
                engine.trouble.order("dead")
            await call.speak()
            assert isinstance(call.failure, ConnectionFailed)

    run(main())


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("kind", ["dead", "limit", "hang", None])
def test_a_caller_never_hears_nothing_for_longer_than_a_second_and_a_half(kind: Kind | None, seed: int) -> None:
    """Whatever the model does, the next one answers by then, or the hold tone sounds; it is part of no answer."""

    async def main() -> None:
        call = Call(hold_tone=True)
        async with call:
            loop = asyncio.get_running_loop()
            trouble, begun = call.engines[0].trouble, loop.time()
            at = moments(seed).uniform(0.0, 1.6)
            loop.call_later(at, trouble.kill if kind is None else lambda: trouble.order(kind))
            await call.speak()
            assert call.longest_silence_s(begun + 1.0) <= 1.5
            assert call.finals() == ["hello there"]
            assert call.heard().endswith(REPLY)
            assert call.failure is None
            [history] = [found for engine in call.engines[1:] for found in engine.histories[-1:]] or [[]]
            assert all(entry.text in {"hello there", REPLY} for entry in history)

    run(main())
