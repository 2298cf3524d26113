"""``demo``: an agent that takes a doctor's appointment over several turns.

It keeps nothing: where the conversation stands is worked out anew each turn from what was said, so any process can
answer any turn.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from voicebackend.agents import Turn, agent

_DAY = re.compile(
    r"\b(?:(?:next|this|on)\s+)?(?P<day>monday|tuesday|wednesday|thursday|friday|today|tomorrow)"
    r"(?:\s+(?P<time>morning|noon|afternoon|evening))?\b",
    re.IGNORECASE,
)
_YES = re.compile(r"\b(?:yes|yeah|yep|sure|please do|correct|right|okay|ok|book it)\b", re.IGNORECASE)
_NO = re.compile(r"\b(?:no|nope|not (?:yet|right)|wrong|cancel|another day)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What has been agreed so far."""

    when: str = ""
    note: str = ""
    confirmed: bool = False

    def after(self, said: str) -> Booking:
        """Return the booking once the caller has said this."""
        if self.confirmed or not self.when:
            return Booking(when=_when(said))
        if not self.note:
            return replace(self, note=said.strip().rstrip("."))
        if _NO.search(said):
            return Booking(when=_when(said))
        return replace(self, confirmed=bool(_YES.search(said)))


def booking_after(sayings: Iterable[str]) -> Booking:
    """Return what is agreed after the caller has said all this, in order."""
    booking = Booking()
    for said in sayings:
        booking = booking.after(said)
    return booking


@agent("demo")
def take_appointment(turn: Turn) -> Iterator[str]:
    """Ask for a day, then for a note for the doctor, then whether to book."""
    said = [entry.text for entry in turn.history if entry.role == "user"]
    booking = booking_after([*said, turn.transcript])
    if booking.confirmed:
        yield f"Your appointment on {booking.when} is booked. "
        yield "Thank you for calling."
    elif booking.note:
        yield f"I wrote down: {booking.note}. "
        yield f"Shall I book the appointment for {booking.when}?"
    elif booking.when:
        yield f"{booking.when} is free. "
        yield "What shall I note for the doctor?"
    else:
        yield "I can book an appointment with the doctor. "
        yield "On which day would you like to come?"


def _when(said: str) -> str:
    match = _DAY.search(said)
    if match is None:
        return ""
    return " ".join(filter(None, (match["day"].capitalize(), (match["time"] or "").lower())))
