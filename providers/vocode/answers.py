"""Where one answer ends and the next begins: the server does not say, so it is told from what comes, and when. Pure.

An answer is sentence after sentence: a sentence's audio, a tenth of a second at a time, and then its words, as far as
they were spoken. What comes within an answer leads from state to state:

| state | audio | the bot's words | the caller's words | nothing for a while |
|---|---|---|---|---|
| none | speaking; a pause stays none | none | none | |
| speaking | speaking | pausing | ending | none, after ``STALLED_S`` |
| pausing | speaking | pausing | none | none, after the gap |
| ending | ending: it cannot be interrupted | none | ending | none, after ``ENDING_S`` |

In ``ending`` the server has heard the caller, and falls silent; the words of what it was saying are on their way, and
the caller's wait for them. Every way to ``none`` ends the answer. One that was cut off goes the same ways, unheard.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from providers.vocode.codec import SILENCE
from voicebackend.interfaces import S2sEvent, WordTime

ENDING_S = 0.3
"""Seconds from the caller's words to those of what they cut off: the server looks every tenth of a second."""
STALLED_S = 2.0
"""Seconds that audio may fail to come within a sentence."""
TOLERANCE_S = 0.02
"""A word counts as heard so much before its end: what was played is told by frames."""


@dataclass(slots=True, eq=False)
class Answer:
    """What the bot says until it is done; seconds are those of its audio."""

    made_s: float = 0.0
    """Has come."""
    told_s: float = 0.0
    """Its words have come, too."""
    speaking: bool = False
    """Within a sentence, whose words have not come."""
    ending: bool = False
    """The server has heard the caller since."""
    text: bool = False
    """Some words were told."""
    cut_s: float | None = None
    """Was heard before it was cut off; None if it was not."""


@dataclass(frozen=True, slots=True)
class Item:
    """An event, and the answer that it belongs to."""

    event: S2sEvent
    answer: Answer | None = None


class Answers:
    """One session's. Times are seconds of any one clock."""

    def __init__(self, gap_s: float) -> None:
        self._gap_s = gap_s
        self._answer: Answer | None = None
        self._last: Answer | None = None
        self._spoken_over: Answer | None = None
        self._understood: S2sEvent | None = None
        self.due: float | None = None
        """When ``passed`` is to be asked if nothing has come before."""

    def __repr__(self) -> str:
        return f"<Answers [{self._answer!r}]>"

    @property
    def interrupted(self) -> bool:
        """Whether the caller has cut off what the bot is saying."""
        return self._answer is not None and (self._answer.ending or self._answer.cut_s is not None)

    def audio(self, pcm: bytes, seconds: float, now: float) -> list[Item]:
        """Hear a piece; a pause before an answer is none of it."""
        answer = self._answer
        if answer is None:
            if not pcm.strip(b"\0"):
                return []
            self._answer = self._last = answer = Answer()
        answer.speaking = True
        answer.made_s += seconds
        self.due = now + (ENDING_S if answer.ending else seconds + STALLED_S)
        heard = [] if answer.cut_s is not None else [Item(S2sEvent(kind="audio", pcm=pcm), answer)]
        return [*self._release(), *heard]

    def bot_said(self, text: str, now: float) -> list[Item]:
        """Hear the words of a sentence that has been spoken, or of what was spoken of it."""
        answer = self._answer
        if answer is None or not answer.speaking:
            return []
        found = [] if text == SILENCE else _told(answer, text)
        answer.speaking, answer.told_s = False, answer.made_s
        if answer.ending:
            return [*found, *self._end()]
        self.due = now + self._gap_s
        return found

    def human_said(self, text: str, now: float) -> list[Item]:
        """Hear the caller's words, which end whatever the bot was saying."""
        released = self._release()
        self._understood = S2sEvent(kind="user_text", text=text, final=True)
        answer = self._answer
        if answer is None or not answer.speaking:
            return [*released, *self._end()]
        answer.ending, self.due = True, now + ENDING_S
        return released

    def passed(self, now: float) -> list[Item]:
        """Hear what the time is: that ends answers, too."""
        return self._end() if self.due is not None and now >= self.due else []

    def spoken_over(self) -> None:
        """Hear that the caller begins to speak: what was said last may be cut off."""
        self._spoken_over = self._last

    def cut(self, played_s: float) -> Answer | None:
        """Let no more be heard of what was spoken over, or said last; return it if it was not done."""
        answer, self._spoken_over = self._spoken_over or self._last, None
        if answer is None or answer is not self._answer or answer.cut_s is not None:
            return None
        answer.cut_s = played_s
        return answer

    def _end(self) -> list[Item]:
        answer, self._answer, self.due = self._answer, None, None
        done = [] if answer is None or answer.cut_s is not None else [Item(S2sEvent(kind="turn_done"), answer)]
        return [*done, *self._release()]

    def _release(self) -> list[Item]:
        event, self._understood = self._understood, None
        return [] if event is None else [Item(event)]


def spread(text: str, start_s: float, end_s: float) -> Iterator[WordTime]:
    """Yield a text's words with their times, if it is spoken evenly."""
    pace_s = (end_s - start_s) / max(1, len(text))
    for word in re.finditer(r"\S+", text):
        yield WordTime(word.group(), start_s + pace_s * word.start(), start_s + pace_s * word.end())


def _told(answer: Answer, text: str) -> list[Item]:
    """Return a sentence's words; of an answer that was cut off, those that were heard."""
    words = tuple(spread(text, answer.told_s, answer.made_s))
    if answer.cut_s is not None:
        heard = " ".join(word.word for word in words if word.end_s <= answer.cut_s + TOLERANCE_S)
        return [Item(S2sEvent(kind="agent_heard", text=heard))] if heard else []
    if not words:
        return []
    space, answer.text = " " if answer.text else "", True
    return [Item(S2sEvent(kind="agent_text", text=space + text.strip(), words=words), answer)]
