"""The conversation of a session, and the engines that one of ours is made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from voicebackend.interfaces.engine import Engine
from voicebackend.interfaces.noise import NoiseCanceller
from voicebackend.interfaces.s2s import SpeechToSpeech
from voicebackend.interfaces.stt import SpeechToText
from voicebackend.interfaces.tts import TextToSpeech
from voicebackend.interfaces.turn import TurnDetector
from voicebackend.interfaces.vad import VoiceActivityDetector
from voicebackend.streams import Frame


@dataclass(frozen=True, slots=True, kw_only=True)
class Engines:
    """The engines a local pipeline is made of."""

    stt: SpeechToText | None = None
    tts: TextToSpeech | None = None
    s2s: SpeechToSpeech | None = None
    vad: VoiceActivityDetector | None = None
    turn: TurnDetector | None = None
    noise: NoiseCanceller | None = None

    def all(self) -> Sequence[Engine]:
        """Return those that are there."""
        found = (self.stt, self.tts, self.s2s, self.vad, self.turn, self.noise)
        return [engine for engine in found if engine is not None]


class Pipeline:
    """The conversation of one session: caller audio in, agent audio and events out through its transport link."""

    async def open(self) -> None:
        """Make ready to listen; raises if an engine or a remote side cannot be had."""
        raise NotImplementedError

    async def wait(self) -> str:
        """Return when the conversation ends by itself, with the reason (``away``, ``max_duration``, ``closed``).

        Raises:
            VoiceBackendError: it failed.

        """
        raise NotImplementedError

    def greet(self) -> None:
        """Tell a caller who has just connected what the conversation is doing."""
        raise NotImplementedError

    def left(self) -> None:
        """Hear that the caller's socket is gone; ``greet`` follows if the caller comes back."""

    def push(self, pcm: bytes) -> None:
        """Take caller audio, 16 kHz, in order; never waits, bounded inside."""
        raise NotImplementedError

    def agent_frame(self, frame: Frame) -> None:
        """Take what an agent's task wrote into the lane; nothing where no agent of ours answers."""

    def played(self, turn: int, ms: float, *, final: bool = False) -> None:
        """Hear how much of a turn the caller has heard; ``final`` after a pause or clear: no more than this."""

    def hold(self, on: bool) -> None:
        """Put the caller on hold, or take it off: nobody is heard meanwhile, and silence is not counted."""

    def dtmf(self, digit: str) -> None:
        """Hear a key."""

    def typed(self, text: str) -> None:
        """Take what the caller typed as a turn of theirs, which interrupts like speech."""

    def say(self, pcm: bytes) -> None:
        """Play the application's own audio to the caller, 16 kHz; nothing where the provider speaks alone.

        It waits until nobody speaks, bounded inside, and may be interrupted; the history does not know of it.
        """

    def announce(self, text: str, *, end: str = "") -> bool:
        """Say this to the caller in the agent's voice, in the place of what is being said; the history knows it.

        With ``end``, a reason, it cannot be interrupted, and ``wait`` returns the reason once it was heard. False where
        the provider speaks alone: nothing is said then.
        """
        del text, end
        return False

    async def aclose(self) -> None:
        """End the conversation and everything it started."""
        raise NotImplementedError
