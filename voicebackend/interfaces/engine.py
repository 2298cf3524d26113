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
    remote: ClassVar[bool] = False
    """It works over a network: it may break in the middle of a call, and be reached again."""
    Config: ClassVar[type[EngineConfig]] = EngineConfig

    def __init__(self, config: EngineConfig | None = None) -> None:
        self.config = config or self.Config()

    @property
    def at_work(self) -> str:
        """The name of the engine that would do the work now; another's where this one stands for several."""
        return self.name

    async def open(self) -> None:
        """Load models or connections, off the event loop; safe to call again."""

    async def check(self) -> None:
        """Try the credentials, at the least cost; returns if they are good, or none are needed.

        Raises:
            VoiceBackendError: they are not, or nobody answers.

        """

    async def aclose(self) -> None:
        """Release everything."""
