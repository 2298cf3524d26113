"""Speech to speech."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from voicebackend.agents import HistoryEntry
from voicebackend.interfaces.engine import Engine
from voicebackend.interfaces.tts import WordTime


@dataclass(frozen=True, slots=True, kw_only=True)
class S2sEvent:
    """Something a speech-to-speech model said or noticed; ``kind`` is one of the following.

    - ``speech_started``: the caller begins to speak. ``speech_stopped``: has fallen silent, ``silence_s`` ago.
    - ``user_text``: all that is understood of what the caller says; ``final`` once for each time they speak, empty if
      it was nothing. It may come after the model's answer has begun.
    - ``agent_text``: more of what the model says, before the audio that it belongs to; ``final`` gives the whole text.
    - ``agent_heard``: more of what was heard of the answer that was interrupted, where the model tells its words only
      once it has spoken them. It may come after that answer's ``turn_done``, and is no part of another.
    - ``audio``: the model's speech. Audio and text belong to one answer until ``turn_done``.
    - ``hold_tone``: audio that is not the model's, while a caller waits for it: the beginning of its answer.
    - ``usage``: what the vendor bills for, by unit, since it told the last time.
    - ``error``: the model cannot go on.
    """

    kind: str
    pcm: bytes = b""
    text: str = ""
    final: bool = False
    words: tuple[WordTime, ...] = ()
    """Of ``agent_text``: when its words sound, in seconds from the start of the answer's audio, if the model tells."""
    usage: Mapping[str, float] = field(default_factory=dict)
    """Of ``usage``: amounts by unit, such as ``input_tokens``."""
    silence_s: float = 0.0
    """Of ``speech_stopped`` and final ``user_text``: seconds since the caller's last sound, if the model tells."""


class S2sStream:
    """One session's conversation with a speech-to-speech model."""

    async def push(self, pcm: bytes) -> None:
        """Send caller audio, 16 kHz."""
        raise NotImplementedError

    def events(self) -> AsyncIterator[S2sEvent]:
        """Yield what comes back until the stream closes."""
        raise NotImplementedError

    async def interrupt(self, played_ms: float) -> None:
        """Cut short what the model was saying when the caller last began to speak, or has said last.

        The model is to remember only the first ``played_ms`` milliseconds of it, and no text that waits to be said.
        Nothing more of it comes, but its ``turn_done`` if that had not come. What the model has begun to answer to the
        caller since then goes on.
        """
        raise NotImplementedError

    async def say(self, text: str) -> None:
        """Have the model speak this text, once it has spoken what it was given before: an answer of its own.

        Where an agent of ours answers, a clause of that; otherwise a greeting or a prompt.
        """
        raise NotImplementedError

    async def tell(self, text: str) -> None:
        """Have the model answer a text as if the caller had said it; only where the engine ``takes_text``."""
        raise NotImplementedError

    async def dtmf(self, digit: str) -> None:
        """Tell of a key that the caller pressed, where the model can hear of it."""

    async def aclose(self) -> None:
        """Hang up: nothing is billed after it."""


class SpeechToSpeech(Engine):
    """A model that listens and speaks."""

    sample_rate: int = 24_000
    """Hz of its audio events."""
    can_say: bool = True
    """Whether it speaks texts that it is given; without that, no agent of ours can answer through it."""

    takes_text: bool = False
    """Whether it answers texts in the place of speech (``tell``)."""
    remembers: bool = False
    """Whether a new conversation can go on from the history of another."""

    async def stream(
        self, *, metadata: Mapping[str, Any], answers: bool = True, history: Sequence[HistoryEntry] = ()
    ) -> S2sStream:
        """Open a conversation; with ``answers`` False the model only listens, and speaks what ``say`` gives it.

        ``history`` is what was said before in this session, oldest first; an engine that ``remembers`` goes on from it,
        and does not greet again.
        """
        raise NotImplementedError
