"""A conversation that another worker can take over, at any moment, from a snapshot."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from voicebackend.errors import VoiceBackendError
from voicebackend.session import PipelineState
from worker.pipelines.collecting_dialogue import CollectingDialogue
from worker.pipelines.dialogue import MAX_ANNOUNCEMENTS
from worker.pipelines.hearing import Utterance
from worker.pipelines.snapshot import MAX_CLIP_BYTES, DialogueSnapshot, EarSnapshot, Standing, UtteranceSnapshot

logger = logging.getLogger(__name__)


class ResumableDialogue(CollectingDialogue):
    """Is restored in this order: ``restore``, ``open``, ``resume``, ``push(again=True)``, ``heard_again``."""

    _hears_again = False
    """The ear hears what another worker had heard, as fast as it can."""
    arrival_of: Callable[[int], float | None] = staticmethod(lambda number: None)
    """Returns when a numbered frame of caller audio had come, in seconds of the loop's clock, if that is known."""

    @property
    def greeted(self) -> bool:
        """Whether a caller has been there."""
        return self._greeted

    @property
    def is_quiet(self) -> bool:
        """Whether nobody speaks and nothing is being answered."""
        return not (self._floor.taken or self._ear.hears_speech or self._prepares or self._tasks)

    def snapshot(self) -> DialogueSnapshot:
        """Return all of it, as another worker has to know it."""
        plain = DialogueSnapshot(
            turn=self._turn,
            greeted=self._greeted,
            on_hold=self._held,
            away=self._away,
            state=self._state,
            presence=self._presence.snapshot(),
            ear=self._unheard(),
            waiting=None if self._waiting is None else carried(self._waiting),
            asking=None if self._asking is None else carried(self._asking[1], self._asking[0]),
            clips=self._waiting_clips(),
            keypad=self._keypad.snapshot(),
        )
        return self._floor.snapshot(plain)

    def restore(self, snapshot: DialogueSnapshot) -> None:
        """Before ``open``: be where another worker was."""
        self._turn, self._greeted, self._state = snapshot.turn, snapshot.greeted, snapshot.state
        self._held, self._away = snapshot.on_hold, snapshot.away
        self._ear.deaf = snapshot.on_hold
        self._ear.restore(snapshot.ear)
        self._hears_again = True
        self._presence.restore(snapshot.presence)
        self._keypad.restore(snapshot.keypad)
        self._keypad.rest(snapshot.on_hold or snapshot.away)
        self._waiting = None if snapshot.waiting is None else _utterance(snapshot.waiting)
        for pcm in snapshot.clips[:MAX_ANNOUNCEMENTS]:
            self._clips.put_nowait(pcm)

    def resume(self, snapshot: DialogueSnapshot, standing: Standing | None) -> None:
        """Go on with what another worker had begun; it is heard further once its audio was heard again."""
        self._floor.resume(snapshot, standing)
        if standing is not None:
            self._turn = max(self._turn, standing.turn)
        self._agent_told()
        if (told := self._floor.untold) is not None:
            self._own(told, "commit")
        if snapshot.asking is not None:
            self._own(self._ask_again(snapshot.asking), "answer")

    @property
    def needs_from(self) -> int:
        """Number of the first frame of caller audio that another pipeline would have to hear again."""
        return self._unheard().first

    def _unheard(self) -> EarSnapshot:
        """Return from where another ear must hear again, and nothing that nobody was to hear."""
        ear = self._ear.snapshot()
        return replace(ear, first=max(ear.first, self._silenced + 1)) if self._silenced else ear

    @property
    def forgets(self) -> bool:
        """Whether what was said before it took over is lost to it; the agent's memory is in the log."""
        return False

    def typed(self, text: str) -> None:
        """Take what the caller typed as a turn of theirs, which interrupts like speech."""
        self._floor.give_way()
        now = asyncio.get_running_loop().time()
        self._own(self._typed(Utterance(text=text, speech_s=0.0, speech_end=now, decided=now, typed=True)), "typed")

    async def _typed(self, utterance: Utterance) -> None:
        self._presence.answered()
        await self._take(utterance)

    def announce(self, text: str, *, end: str = "") -> bool:
        """Say this in the place of what is being said; with ``end`` to its end, and then end the call so."""
        if end:
            self._presence.leave(text, end)
        else:
            self._own(self._announce(text), "announcement")
        return True

    async def _announce(self, text: str) -> None:
        async with self._answering:
            self._floor.interrupt()
            await self._floor.settled()
            self._floor.announce(self._next_turn(), text)
        self.on_progress()
        self._minded()

    def note(self, entry: Mapping[str, Any]) -> None:
        """Have the log say how the session runs; a Redis that is away for a moment costs the entry."""
        self._own(self._noted(entry), "note")

    async def _noted(self, entry: Mapping[str, Any]) -> None:
        try:
            await self._log.append(entry)
        except VoiceBackendError as error:
            logger.warning("log not written", extra={"error_code": str(error.code)})

    async def said(self, utterance: Utterance) -> None:
        """Answer what the caller said; it was said as much earlier as it is heard again later."""
        came = self.arrival_of(utterance.last) if self._hears_again else None
        if came is not None:
            late_s = max(0.0, utterance.decided - came)
            utterance = replace(utterance, speech_end=utterance.speech_end - late_s)
        await super().said(utterance)

    def heard_again(self) -> None:
        """Hear that from now on audio is new."""
        self._ear.heard_again()

    def caught_up(self) -> None:
        """The ear knows all that the one before had heard: let the conversation go on."""
        self._hears_again = False
        self._floor.go_on(speech=self._ear.hears_speech)
        if self._floor.taken or self._asking is not None:
            return
        if self._state in {PipelineState.SPEAKING, PipelineState.PROCESSING}:
            self._to(PipelineState.LISTENING)
        if self._waiting is not None:
            self._own(self._answer(), "answer")
        else:
            self._idle()

    async def connect(self) -> None:
        """Reach what is far away, as long as it takes, while another pipeline still speaks; ``open`` does it else."""

    async def release(self) -> None:
        """Let go of what is far away; after ``stop``, or where ``open`` never came."""

    async def abandon(self) -> None:
        """Stop without a word, and without a note: another worker goes on."""
        try:
            await self.stop()
        finally:
            await self.release()

    async def stop(self) -> None:
        """Do and say nothing more, at once."""
        self._keypad.close()
        tasks = [*self._running, *self._tasks, *self._floor.abandon()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _ask_again(self, asking: UtteranceSnapshot) -> None:
        """Have a turn answered whose words another worker was noting down, or had noted."""
        async with self._answering:
            await self._floor.settled()
            await self._ask(asking.turn, _utterance(asking), noted=asking.logged)

    def _waiting_clips(self) -> tuple[bytes, ...]:
        kept, left = [], MAX_CLIP_BYTES
        for pcm in self._clips.waiting():
            left -= len(pcm)
            if left < 0:
                break
            kept.append(pcm)
        return tuple(kept)


def carried(utterance: Utterance, turn: int = 0) -> UtteranceSnapshot:
    """Return what the caller said, not answered yet, as another worker has to know it."""
    return UtteranceSnapshot(
        text=utterance.text,
        speech_s=round(utterance.speech_s, 3),
        speech_end=round(utterance.speech_end, 3),
        decided=round(utterance.decided, 3),
        turn=turn,
        typed=utterance.typed,
        digits=utterance.digits,
    )


def _utterance(snapshot: UtteranceSnapshot) -> Utterance:
    return Utterance(
        text=snapshot.text,
        speech_s=snapshot.speech_s,
        speech_end=snapshot.speech_end,
        decided=snapshot.decided,
        typed=snapshot.typed,
        digits=snapshot.digits,
    )
