"""What every conversation has: whose words are answered when, what interrupts whom, and what silence leads to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from voicebackend.agents import uninterruptible
from voicebackend.conversation import Conversation
from voicebackend.errors import VoiceBackendError
from voicebackend.events import Error, State, Transcript
from voicebackend.interfaces import Pipeline, TransportLink
from voicebackend.session import PIPELINE_TRANSITIONS, PipelineState, advance
from voicebackend.streams import Frame
from voicebackend.telemetry import count_error, frames_dropped
from worker.pipelines.answer_parts import AnswerParts
from worker.pipelines.clip import Clip
from worker.pipelines.hearing import Heard, Hearing, Utterance
from worker.pipelines.mouth import Mouth
from worker.pipelines.parts import Agent, Log
from worker.pipelines.presence import Presence
from worker.pipelines.resumable_floor import ResumableFloor
from worker.pipelines.waiting_queue import WaitingQueue
from worker.turns.silence import Silence

logger = logging.getLogger(__name__)

MAX_ANNOUNCEMENTS = 64
"""Pieces of the application's audio that may wait to be played."""


class Dialogue(Pipeline):
    """Listens to ``_ear``, which subclasses set; the floor is the agent's, or whoever answers in its place."""

    _ear: Hearing

    def __init__(
        self, *, mouth: Mouth, link: TransportLink, log: Log, agent: Agent | None, conversation: Conversation
    ) -> None:
        self._link, self._log, self._settings = link, log, conversation
        self.on_progress: Callable[[], None] = _nothing
        """Called when something happened that a successor must know soon."""
        self.place_of: Callable[[int], Mapping[str, int]] = lambda number: {}
        """Returns what the log is to say of where a numbered frame of caller audio lies in the lane."""
        self.moment_of: Callable[[float], int] = lambda moment: round(moment * 1000)
        """Brings a moment of the loop's clock, in seconds, to the log's, in milliseconds."""
        self._parts = AnswerParts(
            mouth=mouth,
            link=link,
            log=log,
            settings=conversation,
            on_state=self._to,
            on_progress=lambda: self.on_progress(),  # noqa: PLW0108 - who that is comes later
            moment_of=lambda moment: self.moment_of(moment),  # noqa: PLW0108 - as above
        )
        self._floor = ResumableFloor(self._parts, agent, self._freed)
        silence = Silence(conversation, asyncio.get_running_loop().time())
        self._presence = Presence(silence, prompt=self._prompt, part=self._part)
        self._state = PipelineState.IDLE
        self._turn = 0
        self._greeted = self._held = self._away = False
        self._waiting: Utterance | None = None
        self._asking: tuple[int, Utterance] | None = None
        """A turn whose words are being noted down, before they are answered."""
        self._answering = asyncio.Lock()
        self._clips: WaitingQueue[bytes] = WaitingQueue(MAX_ANNOUNCEMENTS)
        self._tasks: set[asyncio.Task[None]] = set()
        self._running: list[asyncio.Task[str]] = []

    async def open(self) -> None:
        """Begin to listen."""
        self._running = [
            asyncio.create_task(self._listen(), name="ear"),
            asyncio.create_task(self._presence.run(), name="presence"),
        ]
        if self._state is PipelineState.IDLE:
            self._to(PipelineState.LISTENING)

    async def wait(self) -> str:
        """Return why the call is to end, or raise when the ear fails."""
        done, _ = await asyncio.wait(self._running, return_when=asyncio.FIRST_COMPLETED)
        return next(iter(done)).result()

    async def aclose(self) -> None:
        """Fall silent and stop listening."""
        tasks = [*self._running, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._floor.aclose()

    def push(self, pcm: bytes, *, again: bool = False) -> None:
        """Take caller audio; ``again``: another worker had heard it."""
        self._ear.push(pcm, again=again)

    def agent_frame(self, frame: Frame) -> None:
        """Take what the agent's task says."""
        self._floor.deliver(frame)

    def played(self, turn: int, ms: float, *, final: bool = False) -> None:
        """Hear how much of a turn the caller has heard."""
        self._floor.played(turn, ms, final=final)

    def hold(self, on: bool) -> None:
        """Put the caller on hold, or take it off."""
        self._held = on
        self._ear.deaf = on
        self._floor.hold(on)
        self._minded()

    def say(self, pcm: bytes) -> None:
        """Play the application's audio once nobody speaks; it may be interrupted like the agent."""
        if self._clips.full():
            frames_dropped.add(1, {"where": "announcements"})
            return
        self._clips.put_nowait(pcm)
        self._minded()

    def greet(self) -> None:
        """Tell a caller who has just connected what the conversation is doing; the first time, greet."""
        self._away = False
        self._link.event(State(state=self._state))
        if self._greeted:
            self._floor.again()
            self._floor.hold(self._held)
            self._minded()
        else:
            self._greeted = True
            if self._settings.greeting is not None:
                self._floor.announce(0, self._settings.greeting)
            self._minded()

    def left(self) -> None:
        """Stand still until the caller is back."""
        self._away = True
        self._floor.hold(True)
        self._presence.active()

    # What the ear reports

    def hears(self, heard: Heard) -> None:
        """Give way to a caller who speaks over the agent, if that is what it is."""
        self._presence.active()
        self._floor.overlaps(heard)

    def partial(self, text: str) -> None:
        """Show what is being recognised."""
        self._floor.goes_on(text)
        self._link.event(Transcript(role="user", text=text, final=False, turn=self._turn + 1))

    def may_be_over(self, text: str) -> None:
        """Let the agent begin on it."""
        if self._waiting is None:
            self._floor.guess(self._turn + 1, text, self._ear.voice)

    def said_nothing(self) -> None:
        """Go on as if nothing had been."""
        self._floor.nothing()
        if self._waiting is not None and not self._floor.taken:
            self._own(self._answer(), "answer")
        else:
            self._idle()

    def failed(self, error: VoiceBackendError) -> None:
        """Tell the caller that it was not understood."""
        count_error(error.code)
        self._link.event(Error(code=error.code, message=error.message))
        self.said_nothing()
        if self._settings.apology is not None and not self._floor.taken:
            self._floor.announce(self._next_turn(), self._settings.apology)

    async def said(self, utterance: Utterance) -> None:
        """Answer what the caller said, unless it was only a sign of listening."""
        self._presence.answered()
        if not self._floor.counts(utterance):
            logger.info("backchannel", extra={"characters": len(utterance.text)})
            self.said_nothing()
            return
        await self._take(utterance)

    async def _take(self, utterance: Utterance) -> None:
        self._waiting = utterance if self._waiting is None else self._waiting.with_more(utterance)
        self.on_progress()
        await self._answer()

    async def _answer(self) -> None:
        """Answer what waits for it, unless the agent still speaks: then that is done when it has finished."""
        async with self._answering:
            await self._floor.settled()
            utterance = self._waiting
            if utterance is None or self._floor.taken:
                return
            self._waiting = None
            await self._ask(self._next_turn(), utterance)

    async def _ask(self, turn: int, utterance: Utterance, *, noted: bool = False) -> None:
        """Note it down, unless that was done, then have it answered."""
        self._asking = turn, utterance
        self._to(PipelineState.PROCESSING)
        said = Transcript(role="user", text=utterance.text, final=True, turn=turn)
        try:
            if noted or await self._note(said, **self.place_of(utterance.last), **utterance.when(self.moment_of)):
                await self._reply(turn, utterance)
            else:
                self._floor.nothing()
                self._freed()
        finally:
            self._asking = None
            self.on_progress()

    async def _note(self, said: Transcript, **extra: int) -> bool:
        """Tell the caller's side what the caller said, and the log; tell whether the log knows it."""
        self._link.event(said)
        try:
            await self._log.event(said, **extra)
        except VoiceBackendError as error:
            self._link.event(Error(code=error.code, message=error.message))
            return False
        return True

    async def _reply(self, turn: int, utterance: Utterance) -> None:
        """Have it answered; the floor is free."""
        await self._floor.reply(turn, utterance)

    # What happens by itself

    async def _listen(self) -> str:
        await self._ear.run()
        return "closed"

    async def _prompt(self, text: str) -> bool:
        await self._floor.settled()
        if self._floor.taken or self._answering.locked():
            return False
        self._floor.announce(self._next_turn(), text)
        self.on_progress()
        self._minded()
        return True

    async def _part(self, goodbye: str) -> None:
        """Say it whoever speaks, and to its end."""
        await self._answering.acquire()  # for good: nobody is answered any more
        self._floor.interrupt()
        await self._floor.settled()
        await asyncio.wait({self._floor.announce(self._next_turn(), uninterruptible(goodbye))})

    def _freed(self) -> None:
        """The agent has finished."""
        self._to(PipelineState.LISTENING)
        if self._waiting is not None:
            self._own(self._answer(), "answer")
        else:
            self._idle()

    def _idle(self) -> None:
        """Nobody waits for an answer."""
        self._minded()

    def _minded(self) -> None:
        """Count silence if there is any, or break it with the application's audio that waits for it."""
        silent = self._greeted and not (self._floor.taken or self._ear.hears_speech or self._ear.deaf)
        if silent and not self._clips.empty() and not self._prepares:
            self._play_clip()
        if silent and not self._floor.taken:
            self._presence.quiet()
        else:
            self._presence.active()

    @property
    def _prepares(self) -> bool:
        """Whether the agent is about to take the floor."""
        return self._answering.locked() or self._waiting is not None or self._floor.guessing

    def _play_clip(self) -> None:
        clip = Clip(self._next_turn(), self._clips, self._parts)
        self._floor.take(clip)
        clip.announce()

    def _next_turn(self) -> int:
        self._turn += 1
        return self._turn

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _to(self, state: PipelineState) -> None:
        following = advance(PIPELINE_TRANSITIONS, self._state, state, op="pipeline")
        if following is not self._state:
            self._state = following
            self._link.event(State(state=following))


def _nothing() -> None:
    """Nobody wants to know."""
