"""Holds one scenario's conversation: the real pipeline between scripted or real engines and a simulated caller."""

from __future__ import annotations

import asyncio
from typing import Any, Protocol

from voicebackend.errors import VoiceBackendError
from voicebackend.events import Ended, Error
from voicebackend.interfaces import Engines, Pipeline
from worker.pipelines.s2s import S2sPipeline
from worker.pipelines.stt_tts import SttTtsPipeline
from worker.processors import Processors
from worker.scenarios.agent import ScriptedAgent
from worker.scenarios.caller import Caller, Speaker
from worker.scenarios.format import Scenario
from worker.scenarios.log import ScriptedLog
from worker.scenarios.loudspeaker import Loudspeaker, Turn
from worker.scenarios.microphone import Microphone
from worker.scenarios.network import Gateway
from worker.scenarios.processor import ScriptedProcessor
from worker.scenarios.seen import Seen
from worker.scenarios.sightings import Kind
from worker.scenarios.tape import Tape
from worker.scenarios.timeline import Finder, Timeline

LONGEST_S = 3600.0
"""Virtual seconds that a conversation may take."""
CLOSE_S = 10.0


class Ear(Protocol):
    """Says what was audible."""

    def tape(self, sample_rate: int) -> Tape:
        """Return what keeps the audio of one turn."""
        ...

    async def run(self) -> None:
        """Listen while the conversation goes on."""
        ...

    async def text(self, turn: Turn) -> tuple[str, str]:
        """Return the words that were heard of a turn, and what was heard of one that was cut short."""
        ...


class Cast(Protocol):
    """The engines of a scenario, and the caller's voice."""

    @property
    def speaker(self) -> Speaker:
        """Makes the callers' sounds."""
        ...

    @property
    def ear(self) -> Ear:
        """Hears what comes out of their phones."""
        ...

    @property
    def finder(self) -> Finder:
        """Tells whether what was noticed is what was waited for."""
        ...

    async def open(self) -> None:
        """Make ready; raises InvalidConfig if an engine is not installed."""
        ...

    def engines(self, scenario: Scenario) -> Engines:
        """Return the engines of one session, open."""
        ...


async def hold(scenario: Scenario, cast: Cast) -> list[Seen]:
    """Hold the conversation of every caller of a scenario at the same time; returns what was seen of each."""
    loop, failures = asyncio.get_running_loop(), list[str]()
    loop.set_exception_handler(lambda _, context: failures.append(_told(context)))
    await cast.open()
    listening = asyncio.create_task(cast.ear.run(), name="ear-of-the-caller")
    async with asyncio.timeout(LONGEST_S):
        seen = await asyncio.gather(*(_Conversation(scenario, cast, n + 1).hold() for n in range(scenario.sessions)))
    listening.cancel()
    for outcome in await asyncio.gather(listening, return_exceptions=True):
        if isinstance(outcome, Exception):
            failures.append(f"nobody could listen: {outcome!r}")
    left = sorted(task.get_name() for task in asyncio.all_tasks() if task is not asyncio.current_task())
    if left:
        failures.append(f"tasks are left: {', '.join(left)}")
    seen[0].problems.extend(failures)
    return list(seen)


def _told(context: dict[str, Any]) -> str:
    error = context.get("exception")
    return f"{context.get('message')}: {error!r}" if error else str(context.get("message"))


class _Conversation:
    def __init__(self, scenario: Scenario, cast: Cast, number: int) -> None:
        self._scenario, self._number = scenario, number
        self.timeline = Timeline()
        phone = scenario.phone
        self._ear = cast.ear
        self._loudspeaker = Loudspeaker(
            phone.rate, self.timeline, tape=self._ear.tape, report=self._report if phone.reports else None
        )
        self._gateway = Gateway(phone, self._loudspeaker)
        self._microphone = Microphone(phone.rate, self._gateway.hear)
        self._caller = Caller(
            number=number,
            microphone=self._microphone,
            loudspeaker=self._loudspeaker,
            gateway=self._gateway,
            timeline=self.timeline,
            speaker=cast.speaker,
            finder=cast.finder,
        )
        self._log, self._agent = ScriptedLog(self.timeline), ScriptedAgent(scenario.agent, self.timeline, number)
        self._engines = cast.engines(scenario)

    def _report(self, turn: int, ms: float) -> None:
        self._gateway.played(turn, ms)

    async def hold(self) -> Seen:
        pipeline = self._pipeline()
        await pipeline.open()
        self._gateway.pipeline = pipeline
        tasks = [
            asyncio.create_task(self._gateway.run(), name="gateway"),
            asyncio.create_task(self._microphone.run(), name="microphone"),
        ]
        ending = asyncio.create_task(self._end(pipeline), name="pipeline")
        self.timeline.note(Kind.CONNECTED)
        pipeline.greet()
        performing = asyncio.create_task(self._caller.perform(self._scenario.caller), name="caller")
        try:
            await asyncio.wait([performing, *tasks], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await self._close(pipeline, [performing, *tasks, ending])
        return await self._seen()

    async def _end(self, pipeline: Pipeline) -> None:
        """Do as a session does when its pipeline ends or fails."""
        try:
            reason = await pipeline.wait()
        except VoiceBackendError as error:
            self._gateway.event(Error(code=error.code, message=error.message))
            reason = str(error.code)
        self._gateway.event(Ended(reason=reason))

    async def _close(self, pipeline: Pipeline, tasks: list[asyncio.Task[None]]) -> None:
        self._gateway.close()
        try:
            async with asyncio.timeout(CLOSE_S):
                await pipeline.aclose()
        except TimeoutError:
            self.timeline.problems.append("the pipeline did not close")
        self._loudspeaker.advance()
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                self.timeline.problems.append(f"failed: {outcome!r}")

    def _pipeline(self) -> Pipeline:
        scenario = self._scenario
        processors = Processors(
            [ScriptedProcessor(script, at) for at, script in enumerate(scenario.processors)], "scenario"
        )
        common: dict[str, Any] = {
            "engines": self._engines,
            "link": self._gateway,
            "log": self._log,
            "processors": processors,
            "conversation": scenario.conversation,
        }
        if scenario.pipeline == "s2s":
            agent = self._agent if scenario.agent.in_loop else None
            return S2sPipeline(**common, agent=agent, metadata={})
        return SttTtsPipeline(**common, agent=self._agent)

    async def _seen(self) -> Seen:
        audible = {number: await self._ear.text(turn) for number, turn in self._loudspeaker.turns.items()}
        for number in audible:
            self._loudspeaker.read(number)
        return Seen(
            number=self._number,
            events=self.timeline.in_order(),
            problems=self.timeline.problems,
            history=self._log.history(),
            heard={turn: text for turn, (text, _) in audible.items()},
            begun={turn: rest for turn, (_, rest) in audible.items()},
            agent=self._agent,
            seconds=asyncio.get_running_loop().time(),
            late=self._gateway.late,
            stt_streams=getattr(self._engines.stt, "streams", 0),
            tts_failures=getattr(self._engines.tts, "failures", 0),
            tts_retries=getattr(self._engines.tts, "retries", 0),
            failed=self._log.failed(),
            interruptions_told=getattr(self._engines.s2s, "interruptions", 0),
        )
