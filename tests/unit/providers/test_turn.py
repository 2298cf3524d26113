"""Turn detectors: the rules."""

from __future__ import annotations

from typing import Any

import pytest
from voices import recordings

from providers.engines.turn.dangling import BARE, DANGLING, FINISHED, HOLDING, QUESTION, TRAILING, finished
from providers.registry import TURN
from voicebackend.audio import AudioFormat
from voicebackend.interfaces import TurnEvidence

COMPLETE = (
    "Yes, please.",
    "I would like to book a table for two.",
    "My number is 555 0199.",
    "No.",
    "That's all, thank you!",
    "I don't think so.",
    "America does it very well.",
    "yes please",
    "I know the address.",
    "i would like to book a table",
)
QUESTIONS = (
    "What is the address?",
    "Could you give me the number?",
    "Can you tell me the balance of my checking account?",
    "Who should I talk to?",
    "Can you see where it is?",
)
BROKEN_OFF = (
    "My name is",
    "I would like to",
    "I want to book a table and",
    "Could you send it to the",
    "Could you send it to?",
    "Well I was thinking that because",
    "It's.",
    "The order was for um",
    "I'm calling about my",
    "And then we",
    "with...",
    "I think that'll.",
    "They've",
)
BEGUN = (
    "I wanted to ask.",
    "Give me a second.",
    "Let me think.",
    "Well,",
    "It's the blue one. So,",
    "You",
    "My phone number.",
)


@pytest.mark.parametrize("text", COMPLETE)
def test_a_complete_sentence_ends_the_turn(text: str) -> None:
    """Also without a full stop, if the recogniser sets no marks at all."""
    assert finished(text) == FINISHED


@pytest.mark.parametrize("text", QUESTIONS)
def test_a_question_ends_the_turn(text: str) -> None:
    """Also one that ends with a preposition, because it asks for what it lacks."""
    assert finished(text) == QUESTION


@pytest.mark.parametrize("text", BROKEN_OFF)
def test_a_dangling_word_asks_for_more(text: str) -> None:
    """Whatever mark the recogniser set behind it."""
    assert finished(text) == DANGLING


@pytest.mark.parametrize("text", BEGUN)
def test_what_only_begins_or_asks_for_patience_is_given_it(text: str) -> None:
    """A full stop behind it is the recogniser's guess."""
    assert finished(text) == HOLDING


@pytest.mark.parametrize("text", ["Yes,", "I thought so -", "I see...", "My number is 471,"])
def test_a_trailing_mark_makes_it_doubtful(text: str) -> None:
    """Less so than a dangling word."""
    assert finished(text) == TRAILING


@pytest.mark.parametrize("text", ["I would like to book a table", "Yes, on Tuesday"])
def test_a_missing_full_stop_makes_it_a_little_doubtful(text: str) -> None:
    """From a recogniser that writes as people do."""
    assert finished(text) == BARE


@pytest.mark.parametrize("text", ["I’m", "AND", "the."])
def test_case_and_apostrophes_do_not_matter(text: str) -> None:
    """Recognisers differ in both."""
    assert finished(text) == DANGLING


@pytest.mark.parametrize("text", ["my number is 4", "number and 22.", "der Preis is €"])
def test_what_follows_the_word_counts(text: str) -> None:
    """A digit or sign after a dangling word is what it wanted."""
    assert finished(text) > TRAILING


async def probability(silence_s: float, audio: bytes, **settings: Any) -> float:
    """Return what the webrtc detector says."""
    evidence = TurnEvidence(text="", silence_s=silence_s, audio=audio)
    return await TURN.create("webrtc", settings).end_of_turn(evidence)


async def test_the_timer_counts_up_to_its_silence() -> None:
    """Without audio the silence that is told counts."""
    found = [await probability(silence, b"", silence=0.2) for silence in (0.0, 0.1, 0.2, 5.0)]
    assert found == pytest.approx([0.0, 0.5, 1.0, 1.0])


async def test_the_timer_does_not_believe_in_silence_while_there_is_voice() -> None:
    """What it hears itself decides."""
    speech = next(recording.pcm for recording in recordings() if recording.human)[32_000:64_000]
    assert await probability(0.5, speech) == 0.0
    assert await probability(0.5, speech + AudioFormat().silence(0.5)) == 1.0
