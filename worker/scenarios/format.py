"""A scenario as it stands in its file. ``scenarios/README.md`` explains it to those who write them."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from voicebackend.audio import MAX_RATE, MIN_RATE, PIPELINE_RATE
from voicebackend.codecs import Encoding
from voicebackend.conversation import Conversation
from worker.scenarios.expectations import Expectations
from worker.scenarios.replies import AgentScript, agent_script
from worker.scenarios.steps import CallerStep
from worker.scenarios.times import Time, with_seconds


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SttScript(_Part):
    """The scripted recogniser."""

    delay: Time = 0.1
    """From a pause to what was said up to it."""


class TtsScript(_Part):
    """The scripted voice."""

    delay: Time = 0.08
    """To the first byte of a text."""
    speed: Annotated[float, Field(gt=0, le=1000)] = 20.0
    """How many times faster than it sounds speech is made."""
    word_times: bool = False
    """It tells when each word sounds."""
    comma: Time = 0.0
    """Silence after a comma, which no count of characters foresees."""
    fails_on: tuple[int, ...] = ()
    """Which of its texts it fails on, counted from 1."""
    retryable: bool = False
    """It may be tried again; then the next text is the same."""
    sample_rate: Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE)] = PIPELINE_RATE


class TurnScript(_Part):
    """The scripted turn detector; each ``say`` may tell how finished it sounds."""

    fails: bool = False
    hangs: bool = False
    delay: Time = 0.015
    """Until it answers."""


class S2sScript(_Part):
    """The scripted speech-to-speech model; it answers as ``agent`` says, unless that is in the loop."""

    delay: Time = 0.2
    """From the end of the caller's speech, as it notices it, to the first byte of its answer."""
    notices: Time = 0.3
    """Silence after which it takes the caller to have finished."""
    speed: Annotated[float, Field(gt=0, le=1000)] = 5.0
    sample_rate: Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE)] = 24_000


class EngineScripts(_Part):
    """How the scripted engines behave; ignored with ``--audio``."""

    stt: SttScript = SttScript()
    tts: TtsScript = TtsScript()
    turn: TurnScript = TurnScript()
    s2s: S2sScript = S2sScript()


class PhoneScript(_Part):
    """The caller's phone and its line."""

    rate: Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE)] = PIPELINE_RATE
    encoding: Encoding = Encoding.PCM16
    delay: Time = 0.0
    """Each way between phone and gateway, beside the 5 ms between gateway and worker."""
    reports: bool = False
    """It tells what it has played; otherwise that is estimated."""


class ProcessorScript(_Part):
    """An audio processor of the user's."""

    does: Literal["gain", "fails", "hangs", "nonsense"]
    stages: tuple[str, ...] = ("pre_stt", "post_tts")


class Scenario(_Part):
    """One conversation, and what is expected of it."""

    name: Annotated[str, Field(min_length=3, max_length=120)]
    """A sentence that says what is so."""
    description: str = ""
    pipeline: Literal["stt_tts", "s2s"] = "stt_tts"
    conversation: Annotated[Conversation, BeforeValidator(with_seconds)] = Conversation()
    engines: EngineScripts = EngineScripts()
    phone: PhoneScript = PhoneScript()
    processors: tuple[ProcessorScript, ...] = ()
    agent: Annotated[AgentScript, BeforeValidator(agent_script)] = AgentScript()
    sessions: Annotated[int, Field(ge=1, le=100)] = 1
    """Callers who do the same at the same time; ``{n}`` in a text is each one's number."""
    caller: Annotated[tuple[CallerStep, ...], Field(min_length=1, max_length=200)]
    expect: Expectations
    audio: Literal[True] | str = True
    """Whether it can be held with real engines too; else the reason why not."""
    audio_expect: Expectations | None = None
    """With ``--audio``, what is expected instead."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.agent.in_loop and self.pipeline != "s2s":
            message = "agent.in_loop is for pipeline: s2s; an agent always answers in stt_tts"
            raise ValueError(message)
        return self

    @property
    def only_scripted(self) -> str:
        """Why it cannot be held with real engines; empty if it can."""
        if self.pipeline == "s2s":
            return "there is no offline speech-to-speech model"
        return self.audio if isinstance(self.audio, str) else ""

    def expected(self, *, audio: bool) -> Expectations:
        """Return what is expected of scripted or of real engines."""
        return self.audio_expect if audio and self.audio_expect is not None else self.expect
