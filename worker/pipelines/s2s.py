"""The conversation with one speech-to-speech model, which answers by itself or speaks for an agent of ours."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from voicebackend.agents import HistoryEntry
from voicebackend.conversation import Conversation
from voicebackend.errors import ErrorCode, InvalidConfig, VoiceBackendError
from voicebackend.events import Error, Transcript
from voicebackend.hooks import Stage
from voicebackend.interfaces import Engines, S2sStream, SpeechToSpeech, TransportLink
from voicebackend.telemetry import frames_dropped
from voicebackend.tracing import model, span
from worker.pipelines.hearing import Utterance
from worker.pipelines.meter import Meter
from worker.pipelines.model_answer import ModelAnswer
from worker.pipelines.model_ear import ModelEar
from worker.pipelines.model_turn import ModelTurn
from worker.pipelines.model_voice import ModelVoice
from worker.pipelines.mouth import Mouth
from worker.pipelines.parts import Agent, Log
from worker.pipelines.resumable_dialogue import ResumableDialogue, carried
from worker.pipelines.resumption import as_received, resumption
from worker.pipelines.snapshot import DialogueSnapshot, Standing
from worker.processors import Processors

logger = logging.getLogger(__name__)

MAX_WAITING = 4
"""Answers of the model that may wait until the one before has been heard."""
LAST_WORDS_S = 30.0
"""Seconds that the model's last words have to be heard after it has hung up."""


class S2sPipeline(ResumableDialogue):
    """The model hears the caller and tells when; with an agent, that is asked and the model only lends its voice."""

    def __init__(
        self,
        *,
        engines: Engines,
        link: TransportLink,
        log: Log,
        processors: Processors,
        agent: Agent | None,
        conversation: Conversation,
        metadata: Mapping[str, Any],
        history: Sequence[HistoryEntry] = (),
        meter: Meter | None = None,
    ) -> None:
        """``history`` is what was said before, by other pipelines of this session."""
        engine = engines.s2s
        if engine is None:
            raise InvalidConfig("pipeline", "s2s needs an engine: s2s_provider", details={"field": "s2s_provider"})
        if agent is not None and not engine.can_say:
            message = (
                f"agent: {engine.name} speaks no text of others; leave the agent out, or take another s2s_provider"
            )
            raise InvalidConfig("pipeline", message, details={"field": "agent"})
        self._engine, self._metadata, self._answers = engine, metadata, agent is None
        self._history = history
        meter = meter or Meter()
        self._voice = ModelVoice(engine, self._model_answers if self._answers else None, meter)
        super().__init__(
            mouth=Mouth(self._voice, link, processors, stage=Stage.POST_S2S, on_cut=self._cut_off, meter=meter),
            link=link,
            log=log,
            agent=agent,
            conversation=conversation if engine.can_say else _wordless(conversation, engine),
        )
        self._ear = self._model_ear = ModelEar(self._voice, processors, self, meter)
        self._stream: S2sStream | None = None
        self._waiting_answers: deque[ModelTurn] = deque()
        self._asked: _Asked | None = None
        self._late_turn = self._played_turn = 0

    async def connect(self) -> None:
        """Connect to the model."""
        with span("s2s.open", **model(self._engine.name, gives="speech")):
            self._stream = await self._engine.stream(
                metadata=self._metadata, answers=self._answers, history=self._history
            )
            logger.info("s2s stream opened", extra={"engine": self._engine.name})
        self._voice.stream = self._stream

    async def open(self) -> None:
        """Connect to the model, and begin to listen."""
        if self._stream is None:
            await self.connect()
        await super().open()

    async def aclose(self) -> None:
        """Fall silent and hang up."""
        try:
            await super().aclose()
        finally:
            await self.release()

    async def release(self) -> None:
        """Hang up."""
        if self._stream is not None:
            await self._stream.aclose()

    async def settled(self) -> None:
        """Return when what was cut off has been noted down, and the model told."""
        await self._floor.settled()

    async def _listen(self) -> str:
        reason = await super()._listen()
        self._voice.ended()
        self._floor.nothing()
        await self._floor.finished(LAST_WORDS_S)
        return reason

    async def _cut_off(self, played_ms: float) -> None:
        """The caller speaks over the model: it is to remember what was heard, and forget what waits to be."""
        self._drop_waiting()
        await self._voice.interrupt(played_ms)

    def _drop_waiting(self) -> None:
        while self._waiting_answers:
            self._waiting_answers.pop().drop()

    def _unasked(self, digit: str) -> None:
        """Tell the model of a key, where it can hear of one."""
        self._own(self._pressed(digit), "dtmf")

    async def _pressed(self, digit: str) -> None:
        try:
            if self._stream is not None:
                await self._stream.dtmf(digit)
        except VoiceBackendError as error:
            logger.warning("the model was not told of a key", extra={"error_code": str(error.code)})

    def resume(self, snapshot: DialogueSnapshot, standing: Standing | None) -> None:
        """Go on with another model: it says what text was left, if it says texts of others."""
        if snapshot.answer is not None and not self._engine.can_say:
            heard_so_far = as_received(resumption(snapshot.answer, standing))
            snapshot = replace(snapshot, answer=heard_so_far)
        super().resume(snapshot, standing)

    @property
    def forgets(self) -> bool:
        """Whether the model knows nothing of what was said before."""
        return self._greeted and not self._engine.remembers

    # The model answers by itself

    async def _reply(self, turn: int, utterance: Utterance) -> None:
        if self._answers:
            self._asked = _Asked(turn, utterance)
            if utterance.typed and self._engine.takes_text:
                await self._tell(utterance.text)
            self._advance()
        else:
            await super()._reply(turn, utterance)

    async def _tell(self, text: str) -> None:
        """Give the model a text to answer."""
        try:
            await self._voice.stream.tell(text)
        except VoiceBackendError as error:
            self.failed(error)

    def typed(self, text: str) -> None:
        """Take what the caller typed, if whoever answers can be given it."""
        if not self._answers or self._engine.takes_text:
            super().typed(text)
            return
        message = f"{self._engine.name} takes no typed text: it only hears"
        self._link.event(Error(code=ErrorCode.INVALID_CONFIG, message=message))
        self.note({"type": "error", "code": str(ErrorCode.INVALID_CONFIG), "turn": self._turn})

    def snapshot(self) -> DialogueSnapshot:
        """Return all of it; what the model has not begun to answer is given to its successor as text."""
        taken = super().snapshot()
        if taken.asking is not None or self._asked is None:
            return taken
        asking = carried(self._asked.utterance, self._asked.turn)
        return replace(taken, asking=replace(asking, logged=True, typed=True))

    def _model_answers(self, said: ModelTurn) -> None:
        """The model begins an answer; to what it has not told the words of yet, if the caller's turn was not over."""
        if len(self._waiting_answers) >= MAX_WAITING:
            frames_dropped.add(1, {"where": "s2s answers"})
            said.drop()
            return
        if self._ear.hears_speech:
            self._late_turn = self._next_turn()
            self._asked = _Asked(self._late_turn, self._model_ear.answered())
            self._drop_waiting()
            self._floor.give_way()
        self._waiting_answers.append(said)
        self._idle()

    def _idle(self) -> None:
        if not self._answering.locked():  # else what the caller said comes first
            self._advance()

    def _advance(self) -> None:
        """Play what waits for it, if the floor is free."""
        if self._waiting_answers and not self._floor.taken:
            self._play(self._waiting_answers.popleft())
        self._minded()

    def _play(self, said: ModelTurn) -> None:
        asked, self._asked = self._asked, None
        answer = ModelAnswer(self._next_turn() if asked is None else asked.turn, said, self._parts)
        self._played_turn = answer.turn
        self._floor.take(answer)
        if asked is None:
            answer.announce()
        else:
            answer.commit(speech_end=asked.utterance.speech_end, decided=asked.utterance.decided)

    async def understood(self, text: str) -> None:
        """Note what the caller had said; the answer is under way."""
        self._presence.answered()
        if text:
            await self._note(Transcript(role="user", text=text, final=True, turn=self._late_turn))

    async def heard(self, text: str) -> None:
        """Note what was heard of the answer that was cut off, from a model that tells its words after its speech."""
        if text:
            said = Transcript(role="agent", text=text, final=True, turn=self._played_turn)
            await self._note(said, interrupted=True)


@dataclass(frozen=True, slots=True)
class _Asked:
    """What the model's next answer is to."""

    turn: int
    utterance: Utterance


def _wordless(conversation: Conversation, engine: SpeechToSpeech) -> Conversation:
    """Return it without anything that a model would have to say for us; the caller may be silent for as long."""
    away = conversation.away
    if conversation.greeting is not None or away.after is not None:
        logger.warning("the model speaks no text of ours: no greeting, no prompts", extra={"engine": engine.name})
    after = None if away.after is None else away.after * (len(away.prompts) + 1)
    silent = away.model_copy(update={"after": after, "prompts": (), "goodbye": None})
    return conversation.model_copy(update={"greeting": None, "away": silent})
