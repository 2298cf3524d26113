"""Who has answered a call that we made, a person or a machine: by how long they speak at first, and by their words.

Pure. A person says little to somebody whom they do not know yet, and waits; a machine says all that it has to say.
"""

from __future__ import annotations

import re
from enum import StrEnum

LONG_S = 3.2
"""Seconds of speech without a pause that a person does not say at first."""
SHORT_S = 2.4
"""Seconds of speech that a person says at first, as a rule; what lasts longer and stops may be either."""
TURNS = 3
"""Turns in which words may yet give a machine away that paused in its greeting."""
_NO_WORD = re.compile(r"[^\w']+")


def _any(*phrases: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(phrases)})\b")


_SURE = _any(
    *(r"leave (?:me |us )?(?:a|your)\b.{0,40}\bmessage", "(?:after|at) the (?:tone|beep)", "record your message"),
    *("voice ?mail", "mailbox", "is forwarded to"),
    *(r"nach dem (?:ton|signalton|piep\w*)", "hinterlassen sie"),
    *("deje su mensaje", "después del tono", "après le (?:bip|signal)", "laissez.{0,20} message"),
)
"""Words that nobody says to a caller who is there: English, German, Spanish, French."""
_LIKELY = _any(
    *(
        "not available",
        "unavailable",
        "(?:you have|you've) reached",
        "nicht erreichbar",
        "no (?:está|estoy) disponible",
    ),
    "(?:can't|cannot|can not|unable to) (?:take your call|come to the phone|answer)",
)
"""Words that a person says as well, but then once, and in few words."""


class Answerer(StrEnum):
    """Who answered."""

    HUMAN = "human"
    MACHINE = "machine"
    UNKNOWN = "unknown"
    """Either: what is done with people is right."""


class Screening:
    """One call's first words; ``answerer`` is None until something can be said, and may yet become a machine."""

    def __init__(self) -> None:
        self.answerer: Answerer | None = None
        self._turns = self._hints = 0

    def __repr__(self) -> str:
        return f"<Screening [{self.answerer}, {self._turns} turns]>"

    def hears(self, spoken_s: float, text: str) -> None:
        """Take what was spoken so far in a turn that goes on: seconds from first to last sound, and words."""
        talks_on = self._turns == 0 and spoken_s >= LONG_S
        if talks_on or (self._turns < TURNS and self._gives_away(spoken_s, text)):
            self.answerer = Answerer.MACHINE

    def said(self, spoken_s: float, text: str) -> None:
        """Take a turn that is over."""
        self.hears(spoken_s, text)
        hints = _hints(text)
        if self.answerer is None:
            self.answerer = Answerer.HUMAN if spoken_s < SHORT_S and not hints else Answerer.UNKNOWN
        self._turns += 1
        self._hints += hints

    def _gives_away(self, spoken_s: float, text: str) -> bool:
        hints = _hints(text)
        return bool(_SURE.search(_plain(text))) or (hints > 0 and (spoken_s >= SHORT_S or self._hints + hints > 1))


def _hints(text: str) -> int:
    return len(_LIKELY.findall(_plain(text)))


def _plain(text: str) -> str:
    return _NO_WORD.sub(" ", text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'"))
