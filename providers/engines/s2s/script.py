"""What the scripted speech-to-speech model answers: text and audio as they come, and what was heard of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import cycle

from providers.mock.sounds import pieces
from providers.mock.tones import speak
from voicebackend.audio import SAMPLE_BYTES
from voicebackend.interfaces import S2sEvent

_CHUNK_CHARACTERS = 8


@dataclass(slots=True, eq=False)
class Reply:
    """One answer of the model."""

    text: str
    events: list[S2sEvent]
    ms: float = 0.0
    """Length of its audio."""
    done: bool = False
    """All of its events were taken."""
    heard: str = field(init=False)
    """What the model remembers of it."""

    def __post_init__(self) -> None:
        self.heard = self.text

    def cut(self, played_ms: float) -> None:
        """Remember only what was played."""
        share = min(1.0, played_ms / self.ms) if self.ms else 0.0
        self.heard = self.text.encode()[: round(len(self.text.encode()) * share)].decode(errors="ignore")


class Voice:
    """Speaks replies in tones, each chunk of text before its audio, or plays what it is given for them."""

    def __init__(self, *, sample_rate: int, pace_s: float, audio: tuple[bytes, ...], piece_s: float | None) -> None:
        self._rate, self._pace_s, self._piece_s = sample_rate, pace_s, piece_s
        self._audio = cycle(audio)
        self._speaks = not audio

    def reply(self, text: str) -> Reply:
        """Return a reply with its events, the end of the turn included."""
        events = list(self._spoken(text) if self._speaks else self._played(text))
        size = sum(len(event.pcm) for event in events)
        return Reply(text, [*events, S2sEvent(kind="turn_done")], size / SAMPLE_BYTES / self._rate * 1000)

    def _spoken(self, text: str) -> Iterator[S2sEvent]:
        for start in range(0, len(text), _CHUNK_CHARACTERS):
            chunk = text[start : start + _CHUNK_CHARACTERS]
            yield S2sEvent(kind="agent_text", text=chunk)
            yield S2sEvent(kind="audio", pcm=speak(chunk, self._rate, self._pace_s))
        yield S2sEvent(kind="agent_text", text=text, final=True)

    def _played(self, text: str) -> Iterator[S2sEvent]:
        yield S2sEvent(kind="agent_text", text=text, final=True)
        for pcm in pieces(next(self._audio), self._piece_s, self._rate):
            yield S2sEvent(kind="audio", pcm=pcm)
