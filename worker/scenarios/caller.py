"""The caller: performs the scenario's steps, one after the other, listening where they say so."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from worker.scenarios.loudspeaker import Loudspeaker
from worker.scenarios.microphone import FRAME_S, Microphone, Sound
from worker.scenarios.network import Gateway
from worker.scenarios.sightings import Kind, Sighting
from worker.scenarios.steps import (
    CallerStep,
    HangUp,
    Hear,
    HearFor,
    Hold,
    Listen,
    Network,
    Noise,
    Pause,
    Press,
    Say,
    Until,
)
from worker.scenarios.timeline import Finder, Timeline

PATIENCE_S = 60.0
"""Seconds that a caller waits for what the scenario says will come."""
SETTLE_S = 2.0
"""Seconds of silence at the end after which the caller is gone, if the scenario does not say when."""


class Speaker(Protocol):
    """Makes the caller's sounds: 16 kHz audio."""

    async def say(self, step: Say, text: str) -> bytes:
        """Return the audio of a text."""
        ...

    def noise(self, step: Noise) -> bytes:
        """Return the audio of a noise."""
        ...


@dataclass(slots=True, kw_only=True)
class Caller:
    """One caller with a phone."""

    number: int
    microphone: Microphone
    loudspeaker: Loudspeaker
    gateway: Gateway
    timeline: Timeline
    speaker: Speaker
    finder: Finder
    _cursor: int = 0
    _spoke_at: float = 0.0

    async def perform(self, steps: tuple[CallerStep, ...]) -> None:
        """Do all of it; ends early if the other side hangs up."""
        for step in steps:
            if self.loudspeaker.hung_up is not None:
                return
            before = len(self.timeline.events)
            await self._do(step)
            if not isinstance(step, Hear | Until):
                self._cursor = before
        await self._settle()

    async def _do(self, step: CallerStep) -> None:
        match step:
            case Say():
                await self._sound(step, await self.speaker.say(step, self._text(step.say)), Kind.SAYS, step.say)
            case Noise():
                await self._sound(step, self.speaker.noise(step), Kind.NOISE, step.noise)
            case Pause():
                await asyncio.sleep(step.pause)
            case Press():
                await self._press(step)
            case Hold():
                await self._hold(step.hold)
            case Network():
                self._network(step)
            case HangUp():
                self.loudspeaker.hung_up = "hangup"
            case _:
                await self._listen(step)

    async def _listen(self, step: CallerStep) -> None:
        match step:
            case Hear():
                await self._seen(Sighting(kind=Kind.HEARS, text=self._text(step.hear)))
            case Until():
                await self._seen(step.until)
            case HearFor():
                heard_s = self.loudspeaker.heard_s + step.hear_for
                await self._until(lambda: self.loudspeaker.heard_s >= heard_s, f"{step.hear_for:g} s of the agent")
            case Listen():
                await self._until(self._is_answered, "the end of the answer")

    def _text(self, text: str) -> str:
        return text.replace("{n}", str(self.number))

    async def _sound(self, step: Say | Noise, pcm: bytes, kind: Kind, text: str) -> None:
        told = self._text(text)
        sound = self.microphone.sound(pcm, lambda: self.timeline.note(kind, told))
        if step.meanwhile:
            return
        await self._heard_out(sound)
        if kind is Kind.SAYS:
            self._spoke_at = asyncio.get_running_loop().time()
            self.timeline.note(Kind.SAID, told)

    async def _heard_out(self, sound: Sound) -> None:
        await sound.done.wait()

    async def _press(self, step: Press) -> None:
        for at, key in enumerate(step.press):
            await asyncio.sleep(step.every if at else 0.0)
            self.timeline.note(Kind.PRESSES, key)
            self.gateway.to_pipeline(lambda pipeline, key=key: pipeline.dtmf(key))  # type: ignore[misc]

    async def _hold(self, seconds: float) -> None:
        for on in (True, False):
            self.timeline.note(Kind.HOLD, "on" if on else "off")
            self.gateway.to_pipeline(lambda pipeline, on=on: pipeline.hold(on))  # type: ignore[misc]
            if on:
                await asyncio.sleep(seconds)

    def _network(self, step: Network) -> None:
        if step.network == "slower":
            self.gateway.up.delay_s = self.gateway.down.delay_s = step.delay
        else:
            self.microphone.lost_until = asyncio.get_running_loop().time() + step.lasts

    def _is_answered(self) -> bool:
        return self.loudspeaker.is_silent and self.loudspeaker.finished_at > self._spoke_at

    async def _seen(self, wanted: Sighting) -> None:
        def seen() -> bool:
            at = self.finder.find(self.timeline.events, wanted, self._cursor)
            if at is not None:
                self._cursor = at + 1
            return at is not None

        await self._until(seen, str(wanted))

    async def _until(self, is_so: Callable[[], bool], what: str) -> None:
        clock = asyncio.get_running_loop().time
        end = clock() + PATIENCE_S
        while not is_so():
            if clock() > end or (self.loudspeaker.hung_up is not None and self.loudspeaker.is_silent):
                self.timeline.problems.append(f"the caller waited in vain for {what}")
                return
            await asyncio.sleep(FRAME_S)
            self.loudspeaker.advance()

    async def _settle(self) -> None:
        """Stay until nothing has happened for a while."""
        clock = asyncio.get_running_loop().time
        quiet_since, known = clock(), -1
        while self.loudspeaker.hung_up is None and clock() - quiet_since < SETTLE_S:
            await asyncio.sleep(FRAME_S)
            self.loudspeaker.advance()
            if len(self.timeline.events) != known or not self.loudspeaker.is_silent:
                quiet_since, known = clock(), len(self.timeline.events)
