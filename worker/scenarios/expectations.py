"""What a scenario expects of its conversation."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from worker.scenarios.sightings import Sightings
from worker.scenarios.times import Time


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Remembered(_Part):
    """A line of the history that the agent is given."""

    user: str | None = None
    agent: str | None = None
    interrupted: bool = False

    @model_validator(mode="after")
    def _one_speaker(self) -> Self:
        if (self.user is None) == (self.agent is None):
            message = "a line of history has one of 'user' and 'agent'"
            raise ValueError(message)
        return self

    @property
    def role(self) -> str:
        """``user`` or ``agent``."""
        return "agent" if self.user is None else "user"

    @property
    def text(self) -> str:
        """What was said."""
        return self.user if self.user is not None else self.agent or ""

    def __str__(self) -> str:
        return f"{self.role}: {self.text}{' (interrupted)' if self.interrupted else ''}"


class Counts(_Part):
    """How often; what is not named is not counted."""

    stt_streams: int | None = None
    """Streams opened at the recogniser."""
    turns: int | None = None
    """Turns of the caller that were understood."""
    asked: int | None = None
    """Questions to the agent, speculative ones included."""
    answers: int | None = None
    """Questions to the agent that were committed, or meant from the start."""
    dropped: int | None = None
    """Speculative questions that were taken back."""
    retries: int | None = None
    """Texts given to the voice again, recognisers opened again, questions asked again for a committed turn."""
    effects: int | None = None
    """Side effects that the agent had."""
    pauses: int | None = None
    clears: int | None = None
    resumes: int | None = None
    errors: int | None = None
    interruptions_told: int | None = None
    """Speech-to-speech: how often the model was told to stop."""


class Expectations(_Part):
    """All of it. What is said of words is about what came out of the caller's phone, read back from the audio."""

    heard: tuple[str, ...] | None = None
    """Every turn of the agent as far as it was heard, in order: exactly these words."""
    history: tuple[Remembered, ...] | None = None
    """What the agent remembers: exactly this."""
    order: Sightings = ()
    """These, one after the other; anything may happen between them."""
    absent: Sightings = ()
    """None of these, at any time."""
    counts: Counts = Counts()
    answers_within: Time | None = None
    """From the end of what the caller said to the first sound of each answer, at most."""
    history_as_heard: bool = True
    """The history's words are those that were heard; False where the agent's text is spoken in other words."""
    slack: Annotated[int, Field(ge=0, le=10)] = 0
    """Words by which history and hearing may differ at an interruption: callers whose playout is only estimated."""

    late_frames: bool = False
    """Speech may falter: an engine or the network is too slow on purpose."""
