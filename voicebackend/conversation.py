"""How a conversation is held: who speaks first, when a turn is over, what interrupts the agent, what silence leads to.

Every field has a default that suits a call between two people. A deployment sets them in
``BackendConfig.conversation``, a session in its own ``conversation``, field by field over the deployment's.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field

from voicebackend.durations import Duration, seconds

Text = Annotated[str, Field(min_length=1, max_length=1000)]
"""Something the agent says."""


def _s(value: float) -> timedelta:
    return timedelta(seconds=value)


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Endpointing(_Part):
    """When the caller has finished a turn."""

    min_wait: Annotated[Duration, seconds(0.05, 5)] | None = None
    """Silence after what is certainly finished; None takes the voice detector's own."""
    max_wait: Annotated[Duration, seconds(0.1, 10)] = _s(1.5)
    """Silence after which a turn is over, however unfinished it sounds."""
    max_turn: Annotated[Duration, seconds(1, 600)] = _s(30)
    """Speech after which a turn is over: hold music, an open microphone."""
    adapt: bool = True
    """Learn how long this caller pauses within a turn."""
    eager: bool = True
    """Have speech recognised as soon as the voice's level falls, before the voice detector is sure of the pause."""


class BargeIn(_Part):
    """What stops the agent while it speaks."""

    enabled: bool = True
    """False lets the agent always finish."""
    min_words: Annotated[int, Field(ge=1, le=10)] = 1
    """Recognised words, backchannels not counted, that stop it."""
    max_hold: Annotated[Duration, seconds(0.1, 10)] = _s(2.5)
    """Speech that stops it although nothing is recognised yet."""
    echo_guard: Annotated[Duration, seconds(0, 5)] = _s(0.4)
    """At the start of its speech, while echo cancellers adapt: a sound shorter than this does not even pause it."""
    backchannels: tuple[Text, ...] = (
        *("mhm", "mm-hmm", "mm", "hmm", "hm", "hum", "uh-huh", "uh huh", "huh", "uhm", "um", "uh", "ah", "oh", "aha"),
        *("yeah", "yep", "yes", "yup", "okay", "ok", "right", "sure", "alright", "all right", "i see", "got it"),
        *("good", "great", "nice", "cool", "wow", "true", "exactly", "indeed", "really", "of course"),
    )
    """What listeners say without wanting the floor; several in a row are still one."""


class Filler(_Part):
    """Something to say while the agent thinks."""

    after: Annotated[Duration, seconds(0.2, 60)] | None = None
    """Silence between the caller's turn and the agent's first word after which one is said; None says none."""
    texts: Annotated[tuple[Text, ...], Field(min_length=1)] = ("One moment, please.",)
    """Said in turn."""


class Away(_Part):
    """What happens when nobody says anything."""

    after: Annotated[Duration, seconds(1, 3600)] | None = None
    """Silence of both sides after which the next prompt is said; None waits for ever."""
    prompts: tuple[Text, ...] = ("Are you still there?",)
    """Said in turn; after the last, and as much silence again, the call ends."""
    goodbye: Text | None = None
    """Said before hanging up, here and after ``max_duration``; it cannot be interrupted."""


class Conversation(_Part):
    """All of it."""

    greeting: Text | None = None
    """What the agent says first; None lets the caller speak first."""
    apology: Text | None = "Sorry, something went wrong. Could you say that again?"
    """What the caller hears when the agent fails, or the caller could not be understood; None says nothing."""
    normalise: bool = True
    """Write numbers, money, dates, addresses and markup out as words before they are spoken; False gives the voice what
    the agent wrote, for voices that read it well themselves or that are given markup of their own."""
    speculate: bool = True
    """Start the agent's turn at the first pause that sounds like an end, and drop it if the caller goes on."""
    max_duration: Annotated[Duration, seconds(1, 86_400)] = timedelta(hours=4)
    """Longest call. Then whoever speaks is cut off: ``away.goodbye`` is said, if there is one, and the call ends."""
    endpointing: Endpointing = Endpointing()
    barge_in: BargeIn = BargeIn()
    filler: Filler = Filler()
    away: Away = Away()

    def over(self, changes: Mapping[str, Any]) -> Self:
        """Return this conversation with some fields changed; nested ones are merged, not replaced.

        Raises:
            ValidationError: a field is unknown, of the wrong type or out of range.

        """
        return type(self).model_validate(_merged(self.model_dump(mode="python"), changes))


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    found = dict(base)
    for name, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(found.get(name), Mapping)
        found[name] = _merged(found[name], value) if both else value
    return found
