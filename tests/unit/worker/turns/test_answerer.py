"""Who answered a call that we made: what people and machines say first."""

from __future__ import annotations

import pytest

from worker.turns.answerer import LONG_S, TURNS, Answerer, Screening

GREETINGS = (
    "Hi, you've reached Bob. Leave a message after the tone.",
    "Please leave your name, number and a brief message, and I'll call you back.",
    "You have reached the voicemail box of",
    "The person you are calling is not available right now.",
    "Your call is forwarded to an automatic voice message system.",
    "Sorry, I can\N{RIGHT SINGLE QUOTATION MARK}t come to the phone at the moment.",
    "Guten Tag, bitte hinterlassen Sie eine Nachricht nach dem Signalton.",
    "Por favor, deje su mensaje después del tono.",
    "Bonjour, laissez-moi un message après le bip.",
)


@pytest.mark.parametrize("text", GREETINGS)
def test_a_machine_says_that_it_is_one(text: str) -> None:
    """It is known as soon as the words are, long before its greeting is over."""
    screening = Screening()
    screening.hears(2.5, text)
    assert screening.answerer is Answerer.MACHINE


@pytest.mark.parametrize(
    ("spoken_s", "text"),
    [
        (0.4, "Hello?"),
        (1.1, "Yes, hello, who is this?"),
        (1.6, "Smith's bakery, Anna speaking."),
    ],
)
def test_a_person_says_little_and_waits(spoken_s: float, text: str) -> None:
    """Once they do, and not before."""
    screening = Screening()
    screening.hears(spoken_s / 2, text.partition(" ")[0])
    assert screening.answerer is None
    screening.said(spoken_s, text)
    assert screening.answerer is Answerer.HUMAN


def test_who_talks_on_without_a_pause_is_a_machine() -> None:
    """Whatever is said, and before it is over."""
    screening = Screening()
    screening.hears(LONG_S - 0.1, "hello this is")
    assert screening.answerer is None
    screening.hears(LONG_S, "hello this is")
    assert screening.answerer is Answerer.MACHINE


@pytest.mark.parametrize(
    ("spoken_s", "text"),
    [
        (2.8, "Good morning, Miller and Sons, how may I help you?"),
        (1.8, "She is not available, can I help?"),
        (2.1, "You've reached the front desk."),
    ],
)
def test_what_both_say_may_be_either(spoken_s: float, text: str) -> None:
    """A company's greeting, say, until more is said."""
    screening = Screening()
    screening.said(spoken_s, text)
    assert screening.answerer is Answerer.UNKNOWN
    screening.said(1.5, "I can't come to the phone")
    assert screening.answerer is (Answerer.UNKNOWN if text.startswith("Good") else Answerer.MACHINE)


def test_a_machine_that_pauses_gives_itself_away_later() -> None:
    """But not in the middle of a conversation."""
    screening = Screening()
    screening.said(1.2, "Hi, this is Bob.")
    assert screening.answerer is Answerer.HUMAN
    screening.said(2.0, "Leave a message after the beep.")
    assert screening.answerer is Answerer.MACHINE
    talking = Screening()
    for _ in range(TURNS):
        talking.said(1.0, "yes")
    talking.said(1.5, "I will check my voicemail")
    assert talking.answerer is Answerer.HUMAN


def test_a_person_who_talks_long_later_stays_a_person() -> None:
    """Only what is said first tells by its length."""
    screening = Screening()
    screening.said(0.5, "Hello?")
    screening.said(12.0, "so I had this parcel and it never came")
    assert screening.answerer is Answerer.HUMAN
