"""Settings of provider ``mock``: the script of a conversation."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field

from providers.mock.script import NO_DELAY, Delay, Fault
from voicebackend.audio import MAX_RATE, MIN_RATE
from voicebackend.durations import Duration, seconds
from voicebackend.interfaces import EngineConfig

Role = Literal["stt", "tts", "s2s", "vad", "turn", "noise"]
Lines = Annotated[tuple[str, ...], Field(min_length=1)]
"""What is said, one after the other and then from the start again."""
MIN_SPEECH_RATE_S = 0.03
SpeechRate = Annotated[Duration, seconds(MIN_SPEECH_RATE_S, 1)]
"""Seconds, or ISO 8601, that one character of synthetic speech takes; 0.03 to 1."""
Variation = Annotated[float, Field(ge=0, le=0.5)]
"""Share of a length, 0 to 0.5."""
Rate = Annotated[int, Field(ge=MIN_RATE, le=MAX_RATE)]
"""Hertz."""

DEFAULT_LINES: Lines = ("hello from mock",)
DEFAULT_SPEECH_RATE: SpeechRate = timedelta(seconds=0.06)
DEFAULT_RATE = 24_000


class MockConfig(EngineConfig):
    """A scripted conversation; without settings each utterance is heard as ``hello from mock``."""

    model_config = ConfigDict(ser_json_bytes="base64", val_json_bytes="base64")

    transcripts: Lines = DEFAULT_LINES
    """What is recognised, whatever the caller says; each session starts with the first."""
    decode: bool = False
    """Recognise what ``providers.mock.tones`` spoke instead."""
    partials: bool = True
    """Report what is recognised while the caller speaks."""
    stt_delay: Delay = NO_DELAY
    """From the end of the caller's speech to the final transcript."""
    tts_delay: Delay = NO_DELAY
    """From the text to the first byte of its speech."""
    tts_sample_rate: Rate = DEFAULT_RATE
    seconds_per_character: SpeechRate = DEFAULT_SPEECH_RATE
    varies: Variation = 0.0
    """The pace of what is spoken differs from text to text by up to this share."""
    audio: tuple[bytes, ...] = ()
    """PCM at ``tts_sample_rate``, base64 in JSON, played in turn instead of tones."""
    replies: Lines = DEFAULT_LINES
    """What the speech-to-speech model answers, in turn; empty is no answer, ``{heard}`` what was heard of its last."""
    s2s_delay: Delay = NO_DELAY
    """From the end of the caller's speech, noticed after 100 ms, to the first byte of the answer."""
    errors: dict[Role, Fault] = Field(default_factory=dict)
    """Failures of each engine: an error code, or ``{"code", "calls", "on", "retry_after"}``."""
