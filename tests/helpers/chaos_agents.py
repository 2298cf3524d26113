"""An agent that tells long stories of words that come only once, and has one side effect a turn; and a poison."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

from voicebackend.agents import Turn, agent

EFFECTS = "VOICEBACKEND_TEST_EFFECTS"
"""Names the file to which each turn's side effect adds a line."""
LENGTHS = (24, 48, 90)
"""Words in an answer, by turn."""
_CLAUSE, _SENTENCE = 6, 12
THINKS_S = 0.3


def word(number: int) -> str:
    """Return a word that no other number has: five letters that can be said."""
    number = number * 7919 % 42875
    letters = []
    for alphabet in ("bdfgklmnprstvz", "aeiou", "bdfgklmnprstvz", "aeiou"):
        number, at = divmod(number, len(alphabet))
        letters.append(alphabet[at])
    return "".join(letters) + "bdfgklmnprstvz"[number % 14]


def story(turn: int) -> str:
    """Return what is answered in this turn: clauses and sentences of words that come only once."""
    count = LENGTHS[turn % len(LENGTHS)]
    words = [word(turn * 100 + at) for at in range(count)]
    told = ""
    for at, one in enumerate(words, start=1):
        told += one + ("." if at % _SENTENCE == 0 or at == count else "," if at % _CLAUSE == 0 else "") + " "
    return told.strip()


@agent("story")
async def tell(turn: Turn) -> AsyncIterator[str]:
    """Tell the turn's story word by word, after a side effect that must happen once."""
    await asyncio.sleep(THINKS_S)
    path = Path(os.environ[EFFECTS])

    def effect() -> str:
        with path.open("a", encoding="utf-8") as file:
            file.write(f"{turn.session_id} {turn.number}\n")
        return "done"

    await asyncio.to_thread(turn.once, "effect", effect)
    for one in story(turn.number).split(" "):
        yield one + " "
        await asyncio.sleep(0.02)
