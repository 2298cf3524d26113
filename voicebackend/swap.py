"""Another provider, or other engines, for a session that runs: what is asked for, by name only."""

from __future__ import annotations

from typing import Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from voicebackend.config import PipelineType
from voicebackend.session import Name


class SwapRequest(BaseModel):
    """The body of ``POST /v1/sessions/{id}/swap``; at least one of them. Settings are the deployment's.

    With another provider, engines that are not named here are those of the configuration.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    provider: Name | None = None
    stt_provider: Name | None = None
    tts_provider: Name | None = None
    s2s_provider: Name | None = None
    pipeline_type: PipelineType | None = None

    @model_validator(mode="after")
    def _names_something(self) -> Self:
        if not self.model_dump(exclude_none=True):
            raise PydanticCustomError("nothing", "name a provider, an engine or a pipeline type")
        return self
