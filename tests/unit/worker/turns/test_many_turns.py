"""Thousands of scripted turns through endpointing and waiting, in the time of the audio alone."""

from __future__ import annotations

import random

from voicebackend.conversation import Endpointing as Settings
from voicebackend.interfaces import VadProfile
from worker.turns.endpointing import Decision, Endpointing
from worker.turns.habits import Habits
from worker.turns.waiting import waiting

FRAME_S = 0.032
TURNS = 5000
JUDGED_FRAMES = 4
"""Frames from a pause to what recogniser and detector made of it."""
PROFILE = VadProfile()
SETTINGS = Settings()


def spoken(turn: Endpointing, habits: Habits, parts: list[tuple[int, int, str, float]]) -> list[tuple[int, Decision]]:
    """Let a caller speak in parts: frames of speech, frames of silence, the words so far, how finished they sound."""
    found: list[tuple[int, Decision]] = []
    at = 0
    for voiced, silent, text, probability in parts:
        for frame in range(voiced + silent):
            before_s, at = turn.silence_s, at + 1
            decision = turn.step(0.95 if frame < voiced else 0.03, FRAME_S)
            if decision is Decision.RESUMED:
                habits.went_on(before_s)
            if frame == voiced + JUDGED_FRAMES:
                wait = waiting(text, probability, base_s=PROFILE.stop_s, settings=SETTINGS, habits=habits)
                decision = turn.wait_until(wait.seconds) or decision
            if decision:
                found.append((at, decision))
            if decision is Decision.ENDED:
                turn.reset()
                break
    return found


def test_five_thousand_turns_each_end_once_and_in_time() -> None:
    """A finished sentence ends within 0.25 s of silence; "and", and digits under way, survive a pause of 0.9 s."""
    chance = random.Random(3)  # noqa: S311 - a script, not a secret
    habits, turn = Habits(), Endpointing(PROFILE, SETTINGS)
    for _ in range(TURNS):
        begun = chance.choice(("I would like a table and", "My number is 555 123.", "I wanted to, um"))
        pause = chance.randint(JUDGED_FRAMES + 2, 28)
        first, last = chance.randint(4, 40), chance.randint(4, 40)
        parts = [(first, pause, begun, chance.random()), (last, 60, "That would be nice.", 1.0)]
        found = spoken(turn, habits, parts)
        assert [decision for _, decision in found] == [
            *(Decision.STARTED, Decision.PAUSED, Decision.RESUMED, Decision.PAUSED, Decision.ENDED),
        ]
        ended = found[-1][0] - (first + pause + last)
        assert ended * FRAME_S <= 0.25
    assert 0.2 < habits.pause_s <= 0.9
