"""Whatever Vapi sends, in whatever order: answers begin and end one after the other, and nothing piles up."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from providers.vapi.assistant import EARLY_S, Assistant, State
from providers.vapi.codec import Interrupted, Message, Speech, Spoken, Words
from voicebackend.interfaces import S2sEvent

RATE = 16_000
FRAME = 640
Step = Callable[[Assistant], list[S2sEvent]]


def _taken(message: Message) -> Step:
    return lambda assistant: assistant.take(message)


def _heard(pcm: bytes) -> Step:
    return lambda assistant: assistant.hear(pcm)


def _asked(text: str) -> Step:
    def ask(assistant: Assistant) -> list[S2sEvent]:
        assistant.ask(text)
        return []

    return ask


_TEXTS = st.sampled_from(["one", "one two", "three", ""])
_SPOKEN = st.builds(Spoken, _TEXTS, st.sampled_from([None, 0.0, 1.0, 2.0]), st.booleans())
_STEPS = st.one_of(
    st.builds(_heard, st.sampled_from([bytes(FRAME), b"\x00\x20" * (FRAME // 2)])),
    st.builds(_taken, st.builds(Speech, st.just("assistant"), st.booleans())),
    st.builds(_taken, _SPOKEN),
    st.builds(_taken, st.builds(Words, st.just("assistant"), _TEXTS, st.booleans())),
    st.just(_taken(Interrupted())),
    st.just(Assistant.cut),
    st.builds(_asked, _TEXTS),
)


@pytest.mark.parametrize("answers", [True, False])
@given(steps=st.lists(_STEPS, max_size=60))
def test_answers_come_one_after_the_other(answers: bool, steps: list[Step]) -> None:
    """Each ends once, what is told outside of one is nothing, and what is kept is bounded."""
    assistant = Assistant(RATE, answers=answers, clock=lambda: 0.0)
    ended = 0
    for step in steps:
        events = step(assistant)
        ended += sum(event.kind == "turn_done" for event in events)
        assert assistant.state is State.HEARD or not events or events[-1].kind == "turn_done"
        assert ended <= assistant.answer
        assert len(assistant._kept) <= EARLY_S * RATE * 2 + FRAME
    assistant.cut()
    assert assistant.state is not State.HEARD
    assert assistant.asked is None
