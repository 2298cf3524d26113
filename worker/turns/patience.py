"""What the words say about the wait, whatever a detector thinks: some are over at once, some are surely not."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from worker.turns.dictation import Dictation, dictation
from worker.turns.lexicon import ANSWERS, CONJUNCTIONS, FILLERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What an end-of-turn probability is held between, and why."""

    lowest: float = 0.0
    highest: float = 1.0
    reason: str = ""
    """Empty where the words say nothing."""

    def hold(self, probability: float) -> float:
        """Return the probability, moved into the bounds."""
        return min(self.highest, max(self.lowest, probability))


LOOKED_AT = 200
"""Characters at the end of a text that are looked at: a caller may speak for minutes."""
UNBOUND = Bounds()
ANSWER = Bounds(lowest=0.98, reason="answer")
FILLER = Bounds(highest=0.2, reason="filler")
CONJUNCTION = Bounds(highest=0.2, reason="conjunction")
DICTATED: Mapping[Dictation, Bounds] = {
    Dictation.DIGITS: Bounds(highest=0.2, reason="digits"),
    Dictation.NUMBER: Bounds(highest=0.9, reason="number"),
    Dictation.SPELLING: Bounds(highest=0.4, reason="spelling"),
    Dictation.EMAIL: Bounds(highest=0.2, reason="email"),
    Dictation.ADDRESS: Bounds(highest=0.95, reason="address"),
}
_ANSWER = re.compile(rf"(?:(?:{'|'.join(ANSWERS)})\b[ ,.!]*){{1,3}}")


def patience(text: str) -> Bounds:
    """Return what the words said so far allow."""
    said = text.strip()[-LOOKED_AT:].lower().replace("’", "'")
    if _ANSWER.fullmatch(said):
        return UNBOUND if said.endswith(",") else ANSWER
    if said.endswith("?"):
        return UNBOUND
    last = said.rstrip(" .,;:!-–—…").rsplit(" ", 1)[-1]
    if last in FILLERS:
        return FILLER
    if last in CONJUNCTIONS:
        return CONJUNCTION
    found = dictation(said)
    return UNBOUND if found is None else DICTATED[found]
