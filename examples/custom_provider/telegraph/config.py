"""Settings of all that is here."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from voicebackend.interfaces import EngineConfig


class MorseConfig(EngineConfig):
    """How fast is keyed."""

    unit: Annotated[float, Field(ge=0.01, le=0.2)] = 0.02
    """Seconds of a dot."""
