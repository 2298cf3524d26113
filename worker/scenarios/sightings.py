"""What can be noticed in a conversation, as a scenario names it: ``{hears: your balance}``, ``pause``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from worker.scenarios.times import Time


class Kind(StrEnum):
    """What happened. Words are compared without case and marks; a text that is not given matches any."""

    CONNECTED = "connected"
    """The caller's phone is connected."""
    SAYS = "says"
    """The caller begins to say this."""
    SAID = "said"
    """The caller has said this."""
    NOISE = "noise"
    """A noise of this kind begins."""
    PRESSES = "presses"
    """The caller presses this key."""
    HOLD = "hold"
    """The caller is put on hold (``on``) or taken off it (``off``)."""
    HEARS = "hears"
    """These words of the agent begin to come out of the caller's phone."""
    SPEAKS = "speaks"
    """Agent audio begins to come out of the caller's phone; the text is the turn's number."""
    SILENT = "silent"
    """It ends, or is held."""
    PARTIAL = "partial"
    """The caller is shown this as recognised so far."""
    UNDERSTOOD = "understood"
    """The caller's turn is over, and this is what was said."""
    STATE = "state"
    """The conversation's state changes to this."""
    PAUSE = "pause"
    """The phone is told to hold a turn's audio."""
    RESUME = "resume"
    """The phone is told to go on with it."""
    CLEAR = "clear"
    """The phone is told to drop it."""
    ERROR = "error"
    """The caller is told of an error with this code."""
    ASKED = "asked"
    """The agent is asked this; on speculation or not."""
    COMMITTED = "committed"
    """The agent is told that this is what was said."""
    CANCELLED = "cancelled"
    """The agent is told that its answer is no longer wanted."""
    EFFECT = "effect"
    """The agent has had this side effect."""
    DIGITS = "digits"
    """The agent's code has these keys, and knows why no more came: ``1234 until``."""
    MASKED = "masked"
    """Sensitive mode begins (``on``) or is over (``off``), as the log is told."""
    ENDED = "ended"
    """The call ends, for this reason."""


class Sighting(BaseModel):
    """Something noticed; written as a mapping of its kind to its text, or as the kind alone."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    text: str = ""
    within: Time | None = None
    """Seconds since the sighting before it in the list, at most."""
    after: Time | None = None
    """Seconds since the sighting before it in the list, at least."""

    @model_validator(mode="before")
    @classmethod
    def _from_short_form(cls, value: Any) -> Any:
        if isinstance(value, str):
            value = {value: ""}
        if not isinstance(value, dict) or "kind" in value:
            return value
        kinds = [key for key in value if key not in {"within", "after"}]
        if len(kinds) != 1 or kinds[0] not in set(Kind):
            message = f"name one of {', '.join(Kind)}; here is {', '.join(map(str, kinds)) or 'none'}"
            raise ValueError(message)
        kind, text = kinds[0], value[kinds[0]]
        rest = {key: given for key, given in value.items() if key != kind}
        return {"kind": kind, "text": "" if text is None else str(text), **rest}

    @model_validator(mode="after")
    def _times_fit(self) -> Self:
        if self.within is not None and self.after is not None and self.after > self.within:
            message = "'after' is later than 'within'"
            raise ValueError(message)
        return self

    def __str__(self) -> str:
        times = [f"{name} {value:g} s" for name, value in (("after", self.after), ("within", self.within)) if value]
        return " ".join([f"{self.kind}{': ' if self.text else ''}{self.text}", *times])


Sightings = Annotated[tuple[Sighting, ...], Field(max_length=200)]
