"""Conversations of vendors that do anything in any order: what must hold of each."""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from providers.openai.answers import Answer
from providers.openai.dialogue import Dialogue, Outcome

MOVES = ("begin", "audio", "words", "done", "speech", "say", "spoken", "said", "interrupt", "tell")
move = st.tuples(st.sampled_from(MOVES), st.integers(0, 3), st.integers(0, 2000))


class World:
    """Plays the moves, and notes what is told and sent."""

    def __init__(self, *, answers: bool) -> None:
        self.dialogue = Dialogue(answers=answers, silence_s=0.5)
        self.told: list[tuple[Answer, str]] = []
        self.cut: list[tuple[Answer, int]] = []
        """Answers that were interrupted, and how much had been told then."""
        self.audio_ms: Counter[str] = Counter()
        self.asked = 0
        self.texts: list[Answer] = []

    def note(self, outcome: Outcome) -> None:
        """Take what follows."""
        self.told += [(told.answer, told.event.kind) for told in outcome.told if told.answer is not None]
        for message in outcome.messages:
            self.asked += message["type"] == "response.create"
            if message["type"] == "conversation.item.truncate":
                assert 0 <= message["audio_end_ms"] <= self.audio_ms[message["item_id"]]
        assert self.asked <= 1

    def take(self, kind: str, **fields: Any) -> None:
        """Send an event."""
        self.note(self.dialogue.take({"type": kind, **fields}))

    def play(self, name: str, which: int, ms: int) -> None:
        """Make a move."""
        common: dict[str, Any] = {"response_id": f"r{which}", "item_id": f"i{which}"}
        match name:
            case "begin":
                self.asked = 0
                self.take("response.created", response={"id": f"r{which}"})
            case "audio":
                self.audio_ms[f"i{which}"] += ms
                self.take("response.output_audio.delta", delta=base64.b64encode(bytes(ms * 48)).decode(), **common)
            case "words":
                self.take("response.output_audio_transcript.delta", delta="word ", **common)
            case "done":
                self.take("response.done", response={"id": f"r{which}", "status": "completed"})
            case "speech":
                self.take("input_audio_buffer.speech_started")
                self.take("input_audio_buffer.committed")
            case "interrupt":
                answer, outcome = self.dialogue.interrupt(float(ms))
                if answer is not None:
                    self.cut.append((answer, len(self.told)))
                self.note(outcome)
            case "tell":
                self.note(self.dialogue.tell("hello"))
            case _:
                self._text(name, ms)

    def _text(self, name: str, ms: int) -> None:
        if name == "say":
            answer, outcome = self.dialogue.say("one two three")
            self.texts.append(answer)
            self.note(outcome)
        elif self.texts and name == "spoken":
            self.audio_ms[self.texts[-1].item_id] += ms
            self.note(self.dialogue.spoken(self.texts[-1], bytes(ms * 48)))
        elif self.texts and name == "said":
            self.note(self.dialogue.said(self.texts.pop()))


@settings(max_examples=100, deadline=None)
@given(st.booleans(), st.lists(move, max_size=60))
def test_answers_never_mix_and_end_once(answers: bool, moves: list[tuple[str, int, int]]) -> None:
    """One after the other; an interrupted one has its end alone; nothing is asked for twice or cut beyond its end."""
    world = World(answers=answers)
    for each in moves:
        world.play(*each)
    current: Answer | None = None
    for answer, kind in world.told:
        assert current is None or current is answer
        current = None if kind == "turn_done" else answer
    ends = Counter(id(answer) for answer, kind in world.told if kind == "turn_done")
    assert all(count == 1 for count in ends.values())
    for cut, at in world.cut:
        assert {kind for answer, kind in world.told[at:] if answer is cut} <= {"turn_done"}
