"""What a deployment falls back on when a vendor dies, hangs or refuses in the middle of a call."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from voicebackend.durations import Duration, seconds

EngineName = Annotated[str, Field(min_length=1, max_length=128)]
"""A registered engine's or provider's."""
Names = Annotated[tuple[EngineName, ...], Field(max_length=8)]
"""In order of preference."""


class Failover(BaseModel):
    """Other engines for each role, behind the configured one. A remote engine alone is reached again, without a list.

    The deadlines hold where there is another engine to go to; a lone one has what its own settings say.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    stt: Names = ()
    tts: Names = ()
    s2s: Names = ()
    provider: Names = ()
    """Other providers, for calls whose speech-to-speech engines have all failed."""
    stt_timeout: Annotated[Duration, seconds(0.1, 60)] = timedelta(seconds=1)
    """Seconds from the end of the caller's turn to its text after which a recogniser counts as hung."""
    tts_timeout: Annotated[Duration, seconds(0.1, 60)] = timedelta(seconds=1)
    """Seconds to a voice's next audio after which it counts as hung."""
    s2s_timeout: Annotated[Duration, seconds(0.5, 60)] = timedelta(seconds=4)
    """Seconds of silence after the caller's turn after which a model counts as hung; some of them think for longer.

    One that only hears and speaks for an agent has the longer of ``stt_timeout`` and ``tts_timeout``.
    """
    s2s_hold_tone: bool = True
    """Whether a caller who waits for a model hears a soft tone after 1.2 s of silence, and again, until it answers."""
