"""Prompts, goodbye and hang-up, in seconds that no clock counts."""

from __future__ import annotations

from voicebackend.conversation import Conversation
from worker.turns.silence import HangUp, Prompt, Reason, Silence

AWAY = Conversation().over(
    {"away": {"after": 10, "prompts": ["Hello?", "Are you there?"], "goodbye": "Bye."}, "max_duration": 100}
)


def test_prompts_come_in_turn_and_then_the_end() -> None:
    """Each after as much silence of both sides as is set, counted anew after each prompt."""
    silence = Silence(AWAY, started=0.0)
    found = []
    for fell in (5.0, 20.0, 40.0):
        silence.fell(fell)
        assert silence.due(fell + 9.9) is None
        found.append(silence.due(fell + 10.0))
        silence.prompted()
    assert found == [Prompt("Hello?"), Prompt("Are you there?"), HangUp(Reason.AWAY, "Bye.")]


def test_an_answer_begins_again_with_the_first_prompt() -> None:
    """What was said before does not count any more."""
    silence = Silence(AWAY, started=0.0)
    silence.fell(0.0)
    assert silence.due(10.0) == Prompt("Hello?")
    silence.prompted()
    silence.answered()
    silence.fell(20.0)
    assert silence.due(30.0) == Prompt("Hello?")


def test_noise_breaks_the_silence_but_is_no_answer() -> None:
    """The count begins anew, with the next prompt."""
    silence = Silence(AWAY, started=0.0)
    silence.fell(0.0)
    assert silence.due(10.0) == Prompt("Hello?")
    silence.prompted()
    silence.fell(11.0)
    silence.broken()
    assert silence.due(25.0) is None
    silence.fell(30.0)
    assert silence.due(39.0) is None
    assert silence.due(40.0) == Prompt("Are you there?")


def test_a_prompt_that_was_not_said_does_not_count() -> None:
    """Someone else spoke at that moment: it is due again after as much silence."""
    silence = Silence(AWAY, started=0.0)
    silence.fell(0.0)
    assert silence.due(10.0) == Prompt("Hello?")
    assert silence.due(15.0) is None
    silence.fell(15.0)
    assert silence.due(25.0) == Prompt("Hello?")


def test_silence_that_goes_on_is_counted_from_its_beginning() -> None:
    """Saying again that it is silent changes nothing."""
    silence = Silence(AWAY, started=0.0)
    silence.fell(0.0)
    silence.fell(9.0)
    assert silence.next_at == 10.0


def test_the_longest_call_ends_whatever_happens() -> None:
    """Also while someone speaks."""
    silence = Silence(AWAY, started=7.0)
    silence.broken()
    assert silence.next_at == 107.0
    assert silence.due(107.0) == HangUp(Reason.MAX_DURATION, "Bye.")


def test_without_settings_nobody_is_asked() -> None:
    """Away prompts are off unless a time is set."""
    silence = Silence(Conversation(), started=0.0)
    silence.fell(0.0)
    assert silence.due(3600.0) is None
