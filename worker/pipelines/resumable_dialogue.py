"""A conversation that another worker can take over, at any moment, from a snapshot."""

from __future__ import annotations

import asyncio

from voicebackend.session import PipelineState
from worker.pipelines.dialogue import MAX_ANNOUNCEMENTS, Dialogue
from worker.pipelines.hearing import Utterance
from worker.pipelines.snapshot import MAX_CLIP_BYTES, DialogueSnapshot, Standing, UtteranceSnapshot


class ResumableDialogue(Dialogue):
    """Is restored in this order: ``restore``, ``open``, ``resume``, ``push(again=True)``, ``heard_again``."""

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
            ear=self._ear.snapshot(),
            waiting=None if self._waiting is None else _carried(self._waiting),
            asking=None if self._asking is None else _carried(self._asking[1], self._asking[0]),
            clips=self._waiting_clips(),
        )
        return self._floor.snapshot(plain)

    def restore(self, snapshot: DialogueSnapshot) -> None:
        """Before ``open``: be where another worker was."""
        self._turn, self._greeted, self._state = snapshot.turn, snapshot.greeted, snapshot.state
        self._held, self._away = snapshot.on_hold, snapshot.away
        self._ear.deaf = snapshot.on_hold
        self._ear.restore(snapshot.ear)
        self._presence.restore(snapshot.presence)
        self._waiting = None if snapshot.waiting is None else _utterance(snapshot.waiting)
        for pcm in snapshot.clips[:MAX_ANNOUNCEMENTS]:
            self._clips.put_nowait(pcm)

    def resume(self, snapshot: DialogueSnapshot, standing: Standing | None) -> None:
        """Go on with what another worker had begun; it is heard further once its audio was heard again."""
        self._floor.resume(snapshot, standing)
        if standing is not None:
            self._turn = max(self._turn, standing.turn)
        if (told := self._floor.untold) is not None:
            self._own(told, "commit")
        if snapshot.asking is not None:
            self._own(self._ask_again(snapshot.asking), "answer")

    def heard_again(self) -> None:
        """Hear that from now on audio is new."""
        self._ear.heard_again()

    def caught_up(self) -> None:
        """The ear knows all that the one before had heard: let the conversation go on."""
        self._floor.go_on(speech=self._ear.hears_speech)
        if self._floor.taken or self._asking is not None:
            return
        if self._state in {PipelineState.SPEAKING, PipelineState.PROCESSING}:
            self._to(PipelineState.LISTENING)
        if self._waiting is not None:
            self._own(self._answer(), "answer")
        else:
            self._idle()

    async def abandon(self) -> None:
        """Stop without a word, and without a note: another worker goes on."""
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


def _carried(utterance: Utterance, turn: int = 0) -> UtteranceSnapshot:
    return UtteranceSnapshot(
        text=utterance.text,
        speech_s=round(utterance.speech_s, 3),
        speech_end=round(utterance.speech_end, 3),
        decided=round(utterance.decided, 3),
        turn=turn,
    )


def _utterance(snapshot: UtteranceSnapshot) -> Utterance:
    return Utterance(
        text=snapshot.text, speech_s=snapshot.speech_s, speech_end=snapshot.speech_end, decided=snapshot.decided
    )
