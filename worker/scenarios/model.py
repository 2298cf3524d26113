"""The scripted speech-to-speech model: hears tones, answers in tones, and is told what of its answer was heard."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from providers.mock.tones import speak
from voicebackend.agents import HistoryEntry
from voicebackend.audio import PIPELINE_RATE, SAMPLE_BYTES
from voicebackend.interfaces import S2sEvent, S2sStream, SpeechToSpeech
from worker.scenarios.format import S2sScript
from worker.scenarios.sounds import likeness
from worker.scenarios.tape import Tape
from worker.scenarios.voice import CHARACTER_S

_SPEECH = 0.5
"""From this likeness on, it hears speech."""
_PREROLL_BYTES = round(0.1 * PIPELINE_RATE) * SAMPLE_BYTES


class ScriptedS2s(SpeechToSpeech):
    """Answers what ``reply`` says to what it understood."""

    name = "scripted"

    def __init__(self, script: S2sScript, reply: Callable[[str], str]) -> None:
        super().__init__()
        self.script, self.reply = script, reply
        self.sample_rate = script.sample_rate
        self.interruptions = 0
        """How often it was told to stop."""

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        """Open a conversation."""
        del metadata, history
        return _Stream(self, answers=answers)


@dataclass(slots=True)
class _Said:
    """An answer of the model."""

    text: str
    done: bool = False
    task: asyncio.Task[None] | None = None


class _Stream(S2sStream):
    def __init__(self, model: ScriptedS2s, *, answers: bool) -> None:
        self._model, self._script, self._answers = model, model.script, answers
        self._events: asyncio.Queue[S2sEvent | None] = asyncio.Queue()
        self._tape: Tape | None = None
        self._recent, self._silence_s, self._told = b"", 0.0, ""
        self._answering: asyncio.Task[None] | None = None
        self._last: _Said | None = None
        self._over: _Said | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._voice, self._waits = asyncio.Lock(), False

    async def push(self, pcm: bytes) -> None:
        """Hear the caller."""
        speech = likeness(pcm) >= _SPEECH
        if self._tape is None and speech:
            self._begin()
        if self._tape is None:
            self._recent = (self._recent + pcm)[-_PREROLL_BYTES:]
            return
        self._tape.push(pcm)
        self._silence_s = 0.0 if speech else self._silence_s + len(pcm) / SAMPLE_BYTES / PIPELINE_RATE
        if self._silence_s >= self._script.notices:
            self._end(self._tape)
        else:
            self._partial(self._tape.text.rpartition(" ")[0])

    def _begin(self) -> None:
        self._tape, self._silence_s, self._told = Tape(PIPELINE_RATE), 0.0, ""
        self._tape.push(self._recent)
        self._over, self._recent = self._last, b""
        if self._answering is not None and self._waits:
            self._answering.cancel()  # it has not begun, and there is more to answer
        self._tell(S2sEvent(kind="speech_started"))

    def _partial(self, text: str) -> None:
        if text and text != self._told:
            self._told = text
            self._tell(S2sEvent(kind="user_text", text=text))

    def _end(self, tape: Tape) -> None:
        tape.flush()
        text, self._tape = tape.text.strip(), None
        self._tell(S2sEvent(kind="speech_stopped", silence_s=self._silence_s))
        self._tell(S2sEvent(kind="user_text", text=text, final=True, silence_s=self._silence_s))
        if text and self._answers:
            self._answering = self._own(self._answer(text), "model-answers")

    async def _answer(self, text: str) -> None:
        reply = self._model.reply(text)
        if reply:
            await self._say(_Said(reply))

    async def say(self, text: str) -> None:
        """Speak a text, after those before it."""
        self._own(self._say(_Said(text)), "model-says")

    async def _say(self, said: _Said) -> None:
        async with self._voice:
            self._waits = True
            await asyncio.sleep(self._script.delay)
            self._waits = False
            said.task, self._last = asyncio.current_task(), said
            await self._speak(said)

    async def _speak(self, said: _Said) -> None:
        for word in re.findall(r"\S+\s*", said.text):
            pcm = speak(word, self._model.sample_rate, CHARACTER_S)
            self._tell(S2sEvent(kind="agent_text", text=word))
            self._tell(S2sEvent(kind="audio", pcm=pcm))
            await asyncio.sleep(len(word) * CHARACTER_S / self._script.speed)
        self._tell(S2sEvent(kind="agent_text", text=said.text, final=True))
        self._done(said)

    def _done(self, said: _Said) -> None:
        if not said.done:
            said.done = True
            self._tell(S2sEvent(kind="turn_done"))

    async def interrupt(self, played_ms: float) -> None:
        """Stop what the caller spoke over."""
        del played_ms
        self._model.interruptions += 1
        said, self._over = self._over or self._last, None
        if said is not None and not said.done:
            if said.task is not None:
                said.task.cancel()
            self._done(said)

    def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the stream closes."""
        return self._yielded()

    async def _yielded(self) -> AsyncIterator[S2sEvent]:
        while (event := await self._events.get()) is not None:
            yield event

    async def aclose(self) -> None:
        """Hang up."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._events.put_nowait(None)

    def _tell(self, event: S2sEvent) -> None:
        self._events.put_nowait(event)

    def _own(self, work: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task
