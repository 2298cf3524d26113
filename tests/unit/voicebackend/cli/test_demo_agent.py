"""The appointment agent: where it stands follows from what was said, and from nothing else."""

from __future__ import annotations

import pytest

from voicebackend.agents import AGENTS, HistoryEntry, Turn
from voicebackend.demo.agent import Booking, booking_after, take_appointment


def answer(*sayings: str) -> str:
    """Return the agent's answer to the last of these."""
    history = tuple(
        HistoryEntry(role="user", text=said, turn=number) for number, said in enumerate(sayings[:-1], start=1)
    )
    turn = Turn(session_id="s", number=len(sayings), transcript=sayings[-1], history=history)
    return "".join(take_appointment(turn))


def test_it_takes_an_appointment_over_three_turns() -> None:
    """A day, a note, a yes."""
    said = ["I would like to come on Tuesday morning.", "My left knee hurts.", "Yes, please."]
    assert answer(*said[:1]) == "Tuesday morning is free. What shall I note for the doctor?"
    assert answer(*said[:2]) == "I wrote down: My left knee hurts. Shall I book the appointment for Tuesday morning?"
    assert answer(*said) == "Your appointment on Tuesday morning is booked. Thank you for calling."


@pytest.mark.parametrize(
    ("sayings", "booking"),
    [
        ([], Booking()),
        (["hello"], Booking()),
        (["next friday"], Booking(when="Friday")),
        (["tomorrow Afternoon"], Booking(when="Tomorrow afternoon")),
        (["hello", "Monday.", "a cough."], Booking(when="Monday", note="a cough")),
        (["Monday", "a cough", "no, another day"], Booking()),
        (["Monday", "a cough", "no, Thursday evening"], Booking(when="Thursday evening")),
        (["Monday", "a cough", "hm"], Booking(when="Monday", note="a cough")),
        (["Monday", "a cough", "yes", "and on Friday"], Booking(when="Friday")),
    ],
)
def test_what_is_agreed_follows_from_what_was_said(sayings: list[str], booking: Booking) -> None:
    """No day, no note, no yes: each is asked for until it is there; a no begins anew."""
    assert booking_after(sayings) == booking


def test_it_is_registered_as_demo() -> None:
    """Importing the module is enough to find it."""
    assert AGENTS["demo"] is take_appointment
