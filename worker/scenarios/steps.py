"""What the caller of a scenario does, one step after the other."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag

from worker.scenarios.sightings import Sighting
from worker.scenarios.times import Time


class Step(BaseModel):
    """One line of the caller's part."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Say(Step):
    """Say something. It takes as long as it takes to say it."""

    say: Annotated[str, Field(min_length=1, max_length=2000)]
    finished: Annotated[float, Field(ge=0, le=1)] | None = None
    """How finished it sounds to the scripted turn detector; else a rule looks at its last word."""
    interim: str | None = None
    """What the scripted recogniser takes it for at first."""
    meanwhile: bool = False
    """Go on with the next step at once."""
    recording: str | None = None
    """With ``--audio``: a WAV file that says it, beside the scenario; otherwise it is synthesised."""


class NoiseKind(StrEnum):
    """What it sounds like."""

    COUGH = "cough"
    SLAM = "slam"
    HUM = "hum"
    MUSIC = "music"
    BABBLE = "babble"
    ECHO = "echo"


class Noise(Step):
    """Something else is heard at the caller's."""

    noise: NoiseKind
    lasts: Time = Field(alias="for", default=0.3)
    like_speech: Annotated[float, Field(ge=0, le=1)] = 0.9
    """How much like speech the scripted voice detector finds it."""
    meanwhile: bool = False
    """Go on with the next step at once."""


class Pause(Step):
    """Be silent."""

    pause: Time


class Hear(Step):
    """Listen until these words have begun to sound."""

    hear: Annotated[str, Field(min_length=1)]


class HearFor(Step):
    """Listen until so much of what the agent says now has been heard."""

    hear_for: Time


class Listen(Step):
    """Listen until what was said is answered, and the agent is silent. Written ``listen``."""

    listen: Literal["to the end"] = "to the end"


class Until(Step):
    """Wait until something is noticed."""

    until: Sighting


class Press(Step):
    """Press keys, one after the other."""

    press: Annotated[str, Field(pattern=r"^[0-9A-D*#]{1,64}$"), BeforeValidator(str)]
    every: Time = 0.25
    """Seconds from one to the next."""


class Hold(Step):
    """Be on hold for so long."""

    hold: Time


class Network(Step):
    """The network changes."""

    network: Literal["slower", "lost"]
    delay: Time = 0.2
    """Slower: seconds each way from now on."""
    lasts: Time = Field(alias="for", default=1.0)
    """Lost: seconds for which nothing that the caller says arrives."""


class HangUp(Step):
    """Hang up; nothing follows. Written ``hang up``."""

    hang_up: Literal[True] = True


_SHORT = {"listen": {"listen": "to the end"}, "hang up": {"hang_up": True}}
STEPS: Mapping[str, type[Step]] = {
    "say": Say,
    "noise": Noise,
    "pause": Pause,
    "hear": Hear,
    "hear_for": HearFor,
    "listen": Listen,
    "until": Until,
    "press": Press,
    "hold": Hold,
    "network": Network,
    "hang_up": HangUp,
}
"""The step for each leading word."""


def _from_short_form(value: Any) -> Any:
    return _SHORT.get(value, value) if isinstance(value, str) else value


def _name(value: Any) -> str | None:
    if isinstance(value, Step):
        return next(name for name, kind in STEPS.items() if isinstance(value, kind))
    return next((name for name in STEPS if name in value), None) if isinstance(value, dict) else None


CallerStep = Annotated[
    Annotated[Say, Tag("say")]
    | Annotated[Noise, Tag("noise")]
    | Annotated[Pause, Tag("pause")]
    | Annotated[Hear, Tag("hear")]
    | Annotated[HearFor, Tag("hear_for")]
    | Annotated[Listen, Tag("listen")]
    | Annotated[Until, Tag("until")]
    | Annotated[Press, Tag("press")]
    | Annotated[Hold, Tag("hold")]
    | Annotated[Network, Tag("network")]
    | Annotated[HangUp, Tag("hang_up")],
    Discriminator(
        _name,
        custom_error_type="step",
        custom_error_message=f"a step begins with one of {', '.join(STEPS)}, or is 'listen' or 'hang up'",
    ),
    BeforeValidator(_from_short_form),
]
