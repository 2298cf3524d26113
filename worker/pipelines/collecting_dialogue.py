"""A conversation in which the agent may ask for keys instead of words."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import replace

from voicebackend.conversation import Conversation
from voicebackend.digits import Collected
from voicebackend.errors import VoiceBackendError
from voicebackend.events import Masked
from voicebackend.interfaces import TransportLink
from voicebackend.session import PipelineState
from worker.pipelines.dialogue import Dialogue
from worker.pipelines.hearing import Utterance
from worker.pipelines.keypad import Keypad, KeypadEvents
from worker.pipelines.mouth import Mouth
from worker.pipelines.parts import Agent, Log

logger = logging.getLogger(__name__)


class CollectingDialogue(Dialogue):
    """Keys go to the collection that is open; what was collected is the caller's next turn."""

    def __init__(
        self, *, mouth: Mouth, link: TransportLink, log: Log, agent: Agent | None, conversation: Conversation
    ) -> None:
        super().__init__(mouth=mouth, link=link, log=log, agent=agent, conversation=conversation)
        self._agent = agent
        events = KeypadEvents(on_collected=self._collected, on_again=self._say_again, on_masked=self._masked)
        self._keypad = Keypad(None if agent is None else agent.seal, events)
        self._pushed = self._silenced = 0
        """Frames of caller audio that came, and the number of the last that nobody was given to hear."""
        self._noting_mask = asyncio.Lock()
        if agent is not None:
            agent.listen(self._agent_told)

    @property
    def masked(self) -> bool:
        """Whether it is in sensitive mode: no key may leave a trace."""
        return self._keypad.masked

    def mask(self, seconds: float) -> None:
        """Be in sensitive mode for so long: nothing else is known of what another worker had opened."""
        if not self._keypad.masked:
            self._keypad.mask(seconds)

    def push(self, pcm: bytes, *, again: bool = False) -> None:
        """Take caller audio; where the caller is not to be heard, silence is."""
        self._pushed += 1
        if self._keypad.deafens:
            self._silenced, pcm = self._pushed, bytes(len(pcm))
        super().push(pcm, again=again)

    def dtmf(self, digit: str) -> None:
        """Take a key."""
        if not (self._keypad.collects or self._keypad.masked):
            self._unasked(digit)
            return
        self._presence.active()
        if self._keypad.collects:
            self._floor.give_way()
        self._keypad.press(digit)
        self.on_progress()

    def _unasked(self, digit: str) -> None:
        """Take a key that nobody asked for."""

    def hold(self, on: bool) -> None:
        """Put the caller on hold, or take it off."""
        super().hold(on)
        self._keypad.rest(on or self._away)

    def left(self) -> None:
        """Stand still until the caller is back."""
        super().left()
        self._keypad.rest(True)

    def greet(self) -> None:
        """Go on with a caller who is there."""
        super().greet()
        self._keypad.rest(self._held)

    async def aclose(self) -> None:
        """Fall silent and stop listening."""
        self._keypad.close()
        await super().aclose()

    async def said(self, utterance: Utterance) -> None:
        """Answer what the caller said, unless nothing of it was to be heard."""
        if self._keypad.deafens:
            self.said_nothing()
        else:
            await super().said(utterance)

    def may_be_over(self, text: str) -> None:
        """Let the agent begin on it, unless there are keys that it would not know of."""
        if not (self._keypad.collects or self._keypad.deafens):
            super().may_be_over(text)

    async def _take(self, utterance: Utterance) -> None:
        """Answer what was said instead of pressing keys, or before what was pressed is answered."""
        waits = None if self._waiting is None else self._waiting.digits
        await super()._take(replace(utterance, digits=self._keypad.interrupted() or utterance.digits or waits))

    async def _ask(self, turn: int, utterance: Utterance, *, noted: bool = False) -> None:
        """Have keys ready for the agent before the log tells of them: who takes over from the log finds them."""
        if utterance.digits is not None and not noted and self._agent is not None:
            self._asking = turn, utterance
            try:
                await self._agent.keep(turn, utterance.digits)
            except VoiceBackendError as error:
                self._asking = None
                self.failed(error)
                self._answered()
                return
        await super()._ask(turn, utterance, noted=noted)

    async def _reply(self, turn: int, utterance: Utterance) -> None:
        await super()._reply(turn, utterance)
        self._agent_told()

    def _to(self, state: PipelineState) -> None:
        """Change the state; what is asked for is collected before the caller hears a word of it."""
        if state is PipelineState.SPEAKING:
            self._agent_told()
        super()._to(state)

    def _agent_told(self) -> None:
        """Do as the agent asks in the answer that is heard; what it does not ask for again is over."""
        asked = self._floor.asked
        if asked is None or asked.turn == self._keypad.turn:
            return
        if asked.collect is not None:
            self._keypad.open(asked.collect, asked.turn)
            self.on_progress()
        elif asked.over:
            self._answered()

    def _answered(self) -> None:
        """The agent has what was collected, and asks for nothing more; what another worker opened ends by time."""
        known = self._keypad.turn > 0
        if known and not self._keypad.collects and self._waiting is None and self._asking is None:
            self._keypad.unmask()

    def _freed(self) -> None:
        self._answered()
        super()._freed()

    def _minded(self) -> None:
        super()._minded()
        if self._keypad.collects:
            self._presence.active()
            if not (self._floor.taken or self._ear.hears_speech or super()._prepares):
                self._keypad.prompted()

    @property
    def _prepares(self) -> bool:
        return self._keypad.collects or super()._prepares

    def _collected(self, collected: Collected) -> None:
        """Have it answered: it is what the caller says now."""
        now = asyncio.get_running_loop().time()
        before = "" if self._waiting is None else f"{self._waiting.text} "
        text = before + collected.text
        said = Utterance(text=text, speech_s=0.0, speech_end=now, decided=now, typed=True, digits=collected)
        self._waiting = said
        self._presence.answered()
        self.on_progress()
        self._own(self._answer(), "answer")

    def _say_again(self, text: str) -> None:
        self._own(self._prompt_again(text), "keys-prompt")

    async def _prompt_again(self, text: str) -> None:
        if not await self._prompt(text):
            self._keypad.prompted()

    def _masked(self, seconds: float) -> None:
        """Tell caller, log, and who might take over, that sensitive mode begins or ends."""
        self._link.event(Masked(seconds=seconds))
        place = self.place_of(self._pushed)
        self._own(self._note_mask(seconds, place), "masked")

    async def _note_mask(self, seconds: float, place: Mapping[str, int]) -> None:
        async with self._noting_mask:
            try:
                await self._log.masked(seconds, self._keypad.turn, place)
            except VoiceBackendError as error:
                logger.warning("log not written", extra={"error_code": str(error.code)})
