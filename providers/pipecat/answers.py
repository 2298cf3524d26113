"""A Pipecat server's answers, one after the other: their audio, their text, and where each begins and ends. Pure.

An answer begins with its sound and ends when the server says that it is silent. Its audio comes as it is to be played,
its text before it (what the language model writes) or with it (what is spoken).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from typing import Any, TypeAlias

from voicebackend.audio import Resampler
from voicebackend.interfaces import S2sEvent

Numbered: TypeAlias = tuple[int, S2sEvent]
"""An event with its answer's number, 0 for what belongs to none."""
EARLY_FRAMES = 10
"""Pieces of audio that may come before the news that the server speaks: 0.4 s, which takes the longer way."""
MAX_SEGMENTS = 100
"""Of an answer that are known to have been told."""
MAX_TEXT = 8_000
"""Characters that wait for their sound."""


class Answers:
    """One session's; its audio comes out at ``sample_rate``."""

    def __init__(self, sample_rate: int) -> None:
        self._sample_rate = sample_rate
        self._resampler: Resampler | None = None
        self._source_rate = 0
        self._number = 0
        self._over: int | None = None
        """The last answer when the caller last began to speak."""
        self._open = False
        self._cut = False
        """What still comes belongs to an answer that was cut."""
        self._doubtful = False
        """Nothing was announced since an interruption: what begins may be a last piece that it did not reach."""
        self._tells = self._told = False
        """Whether the server tells when it speaks; and has told that it speaks now."""
        self._early: deque[tuple[bytes, int]] = deque(maxlen=EARLY_FRAMES)
        self._text = ""
        """The language model's, waiting for its sound."""
        self._written = self._ahead = False
        """The answer under way has text of the model's; the model has begun to write the next one."""
        self._segments: deque[Any] = deque(maxlen=MAX_SEGMENTS)

    def __repr__(self) -> str:
        return f"<Answers [{self._number}, {'open' if self._open else 'closed'}]>"

    @property
    def untold(self) -> bool:
        """Whether one is under way of which only silence will tell the end."""
        return (self._open and not self._told) or (self._cut and not self._tells)

    # ------------------------------------------------------------ what the server sends

    def audio(self, pcm: bytes, sample_rate: int) -> list[Numbered]:
        """Take audio; silence between answers is none, and what else sounds there waits for the news that it speaks."""
        if self._cut or not pcm:
            return []
        if self._open:
            return self._sound(pcm, sample_rate)
        if not any(pcm):
            return []
        if not self._tells:
            return [*self._begin(), *self._sound(pcm, sample_rate)]
        self._early.append((pcm, sample_rate))
        lasts = self._told and len(self._early) == EARLY_FRAMES
        return self._begin() if lasts else []

    def announced(self) -> list[Numbered]:
        """Take the news that it is about to speak."""
        self._cut = self._doubtful = False
        return []

    def started(self) -> list[Numbered]:
        """Take the news that it speaks; just after an interruption that must show."""
        self._tells = self._told = True
        return [] if self._open or self._cut or self._doubtful else self._begin()

    def stopped(self) -> list[Numbered]:
        """Take the news that it is silent, or the silence itself."""
        self._cut = self._told = False
        self._early.clear()
        return self._end()

    def interrupted(self) -> list[Numbered]:
        """Take the news that it says nothing of what it was going to."""
        self._text, self._doubtful = "", True
        return self.stopped()

    def writes(self) -> list[Numbered]:
        """The language model begins to write."""
        self._ahead = self._open
        return self.announced()

    def wrote(self, text: str) -> list[Numbered]:
        """Take more of what it writes."""
        if self._cut:
            return []
        if self._open and not self._ahead:
            self._written = True
            return [(self._number, S2sEvent(kind="agent_text", text=text))]
        self._text = (self._text + text)[:MAX_TEXT]
        return []

    def spoken(self, output: Mapping[str, Any]) -> list[Numbered]:
        """Take a segment that is spoken, or was, where no language model wrote it; each is told several times."""
        text, segment = output.get("text"), output.get("segment_id")
        if not self._open or self._written or not isinstance(text, str) or not text:
            return []
        if output.get("will_be_spoken", output.get("spoken")) is False or segment in self._segments:
            return []
        gap = " " if self._segments else ""
        self._segments.append(segment)
        return [(self._number, S2sEvent(kind="agent_text", text=gap + text))]

    # ------------------------------------------------------------ what the caller does

    def spoken_over(self) -> None:
        """The caller begins to speak: an interruption will be of what was said until now."""
        self._over = self._number or None

    def interrupt(self) -> tuple[int, list[Numbered]]:
        """Cut what is meant; return its number, and its end if the server still had it to say."""
        number, self._over = self._number if self._over is None else self._over, None
        if number != self._number or not self._open:
            return number, []
        events = self._end()[-1:]
        self._cut, self._doubtful, self._text = True, True, ""
        self._early.clear()
        return number, events

    # ------------------------------------------------------------ one answer

    def _begin(self) -> list[Numbered]:
        self._number += 1
        self._open = True
        self._ahead = False
        self._segments.clear()
        text, self._text = self._text, ""
        self._written = bool(text)
        events = [(self._number, S2sEvent(kind="agent_text", text=text))] if text else []
        while self._early:
            events += self._sound(*self._early.popleft())
        return events

    def _sound(self, pcm: bytes, sample_rate: int) -> list[Numbered]:
        if sample_rate != self._sample_rate:
            if self._resampler is None or self._source_rate != sample_rate:
                self._resampler, self._source_rate = Resampler(sample_rate, self._sample_rate), sample_rate
            pcm = self._resampler.process(pcm)
        return [(self._number, S2sEvent(kind="audio", pcm=pcm))] if pcm else []

    def _end(self) -> list[Numbered]:
        if not self._open:
            return []
        self._open = False
        resampler, self._resampler = self._resampler, None
        rest = resampler.flush() if resampler is not None else b""
        events = [(self._number, S2sEvent(kind="audio", pcm=rest))] if rest else []
        return [*events, (self._number, S2sEvent(kind="turn_done"))]
