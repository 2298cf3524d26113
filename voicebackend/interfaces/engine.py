"""What every engine and provider has: a name, settings, and a life as long as the process."""

from __future__ import annotations

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class EngineConfig(BaseModel):
    """Settings of a provider or engine; unknown keys are rejected."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Engine:
    """Something loaded once per process."""

    name: ClassVar[str]
    """The registered name."""
    Config: ClassVar[type[EngineConfig]] = EngineConfig

    def __init__(self, config: EngineConfig | None = None) -> None:
        self.config = config or self.Config()

    async def open(self) -> None:
        """Load models or connections, off the event loop; safe to call again."""

    async def aclose(self) -> None:
        """Release everything."""
