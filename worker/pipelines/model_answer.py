"""An answer that a speech-to-speech model gives by itself: played as it comes, noted down as far as it was heard."""

from __future__ import annotations

import asyncio

from voicebackend.events import Transcript
from worker.pipelines.announcement import Announcement
from worker.pipelines.answer import Answer
from worker.pipelines.answer_parts import AnswerParts
from worker.pipelines.model_turn import ModelTurn


class ModelAnswer(Answer):
    """Like any other answer, but nobody is asked, and audio and text come together."""

    def __init__(self, turn: int, said: ModelTurn, parts: AnswerParts) -> None:
        super().__init__(Announcement(turn, ""), parts)
        self._model = said
        said.on_text = self._more

    def commit(self, *, speech_end: float, decided: float) -> None:
        """Let it be heard: the model's first word is there."""
        super().commit(speech_end=speech_end, decided=decided)
        self._watch.transcribed, self._watch.first_text = decided, self._clock()

    def cut(self) -> asyncio.Task[None]:
        """Fall silent; what the model still says is not heard."""
        self._model.drop()
        return super().cut()

    async def _speak(self) -> None:
        said = self._model
        self._text.sayings.append(said.saying)
        await self._mouth.relay(self.playout, said.saying, said.audio(), self, may_play=self._committed)

    async def _tell_voice(self, played_ms: float) -> None:
        """Tell the model, if it had begun."""
        if (own_ms := self._model.own_ms(played_ms)) is not None:
            await super()._tell_voice(own_ms)

    def _more(self, text: str) -> None:
        if self._watch.first_audio is not None:
            self._link.event(Transcript(role="agent", text=text, final=False, turn=self.turn))
