"""What a deployment does with a call: the providers, limits and hooks, checked once where they enter.

``BackendConfig()`` starts empty; each ``with_<field>`` returns a changed copy. ``from_yaml`` and ``from_env`` load
it; ``checked()`` applies the rules that span fields, and every process calls it before its first side effect.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Self, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from voicebackend._config_builder import ConfigBuilder
from voicebackend.conversation import Conversation
from voicebackend.durations import Duration, seconds
from voicebackend.errors import InvalidConfig
from voicebackend.failover import Failover
from voicebackend.yaml_text import load_yaml

T = TypeVar("T")

_STRUCTURED = frozenset({"provider_config", "engine_settings", "failover", "custom_processors", "conversation"})
"""Fields whose text in the environment is YAML."""


class PipelineType(StrEnum):
    """How a conversation is computed."""

    STT_TTS = "stt_tts"
    """Speech to text, the agent, text to speech."""
    S2S = "s2s"
    """One speech-to-speech model."""


class BackendConfig(ConfigBuilder, BaseModel):
    """The configuration of a voice backend.

    Raises:
        InvalidConfig: a field is unknown, of the wrong type or out of range; ``details["field"]`` names it.

    """

    model_config = ConfigDict(frozen=True, extra="forbid", arbitrary_types_allowed=True)

    provider: str = ""
    """The registered name of who brings transport and pipeline; required."""
    provider_config: dict[str, Any] = Field(default={}, repr=False)
    """The provider's own settings; it rejects keys it does not know."""
    pipeline_type: PipelineType = PipelineType.STT_TTS
    stt_provider: str | None = None
    """Engine for speech to text; required for stt_tts unless the provider runs its own pipeline."""
    tts_provider: str | None = None
    """Engine for text to speech; required for stt_tts unless the provider runs its own pipeline."""
    s2s_provider: str | None = None
    """Engine for speech to speech; required for s2s unless the provider runs its own pipeline."""
    vad_provider: str | None = None
    """Voice activity detector; None takes the engine default."""
    turn_detection_provider: str | None = None
    """End-of-turn detector; None takes the engine default."""
    noise_cancellation_provider: str | None = None
    """Noise canceller before the VAD; None takes the engine default."""
    latency_target: Annotated[Duration, seconds(0.1, 5)] | None = None
    """End of speech to first agent audio, 100 ms to 5 s; None means 500 ms, 300 ms for s2s. Nothing acts on it yet."""
    timeout: Annotated[Duration, seconds(1, 300)] = timedelta(seconds=30)
    """Longest time for an agent's turn or a provider's call, 1 s to 5 min."""
    max_retries: Annotated[int, Field(ge=0, le=10)] = 3
    """Tries after the first for a call that failed with a retryable error."""
    retry_delay: Annotated[Duration, seconds(0.1, 30)] = timedelta(seconds=1)
    """Before the first retry; doubles each time with full jitter, at most 30 s."""
    max_concurrent_sessions: Annotated[int, Field(ge=0)] = 100
    """Sessions a worker holds at once; 0 means unlimited."""
    enable_tracing: bool = True
    enable_metrics: bool = True
    enable_structured_logging: bool = True
    auth_hook: Any = None
    """An AuthHook, or "module:attr"."""
    rate_limiter: Any = None
    """A RateLimiter, or "module:attr"."""
    data_retention_hook: Any = None
    """A DataRetentionHook, or "module:attr"."""
    telephony_hook: Any = None
    """A TelephonyHook, or "module:attr"."""
    failover: Failover = Failover()
    """What takes over from an engine, or a remote provider, that fails in the middle of a call."""
    engine_settings: dict[str, dict[str, Any]] = Field(default={}, repr=False)
    """Settings by name, or by ``role/name``, of engines and providers that ``provider_config`` does not speak of."""
    conversation: Conversation = Conversation()
    """How a conversation is held: greeting, endpointing, barge-in, silence; a session may change parts of it."""
    custom_processors: tuple[Any, ...] = ()
    """AudioProcessors, or "module:attr" of each; they run in the order of their own ``order``."""
    allow_remote_agent: bool = False
    """Accept an agent for a remote pipeline that runs its own, and ignore it."""
    chat_model: Any = None
    """Answers in sessions that name no agent: a chat model of LangChain, or what else ``frameworks`` knows."""
    memory: Any = None
    """A function of a caller's key that returns a LangChain ``BaseChatMessageHistory``."""
    retriever: Any = None
    """A LangChain ``BaseRetriever``: what is known of what the caller said."""
    vector_store: Any = None
    """A LangChain ``VectorStore``, in the place of a retriever."""
    embedder: Any = None
    """A LangChain ``Embeddings`` for the vector store; None lets it use its own."""
    prompt_template: Any = None
    """A LangChain prompt template: what models are told of a turn."""
    multimodal_model: Any = None
    """A model that hears, in the place of ``chat_model``: it is given the caller's audio beside the words."""
    orchestrator: Any = None
    """An object with ``on_session_started``, ``on_turn``, ``on_session_ended``; each may return a Celery canvas."""

    def __init__(self, **data: Any) -> None:
        try:
            super().__init__(**data)
        except ValidationError as error:
            raise invalid(error, "config") from error

    def with_fields(self, **changes: Any) -> Self:
        """Return a copy with these fields changed, checked as at construction."""
        return type(self)(**{**{name: getattr(self, name) for name in type(self).model_fields}, **changes})

    def settings_of(self, role: str, name: str) -> dict[str, Any]:
        """Return the ``engine_settings`` of an engine, or with role ``provider`` of a provider."""
        return self.engine_settings.get(f"{role}/{name}", self.engine_settings.get(name, {}))

    @property
    def latency_target_s(self) -> float:
        """Seconds from the end of the caller's speech to the first agent audio that are aimed at."""
        if self.latency_target is not None:
            return self.latency_target.total_seconds()
        return 0.3 if self.pipeline_type is PipelineType.S2S else 0.5

    def checked(self, *, own_pipeline: bool = False) -> Self:
        """Return this config if its fields fit together.

        ``own_pipeline`` says that the provider brings its own pipeline, so that no engine need be named.

        Raises:
            InvalidConfig: a required field is missing, or two do not go together.

        """
        if not self.provider:
            raise InvalidConfig("config", "provider: name a registered provider", details={"field": "provider"})
        needed = ("s2s_provider",) if self.pipeline_type is PipelineType.S2S else ("stt_provider", "tts_provider")
        self._check_retrieval()
        for field in () if own_pipeline else needed:
            if not getattr(self, field):
                message = f"{field}: required for pipeline_type {self.pipeline_type} with provider {self.provider}"
                raise InvalidConfig("config", message, details={"field": field})
        return self

    def _check_retrieval(self) -> None:
        if self.embedder is not None and self.vector_store is None:
            message = "embedder: it embeds for a vector_store, and there is none"
            raise InvalidConfig("config", message, details={"field": "embedder"})
        if self.retriever is not None and self.vector_store is not None:
            message = "retriever: give it or a vector_store, not both"
            raise InvalidConfig("config", message, details={"field": "retriever"})

    @classmethod
    def from_yaml(cls, path: str | Path) -> Self:
        """Load a YAML file whose top level maps field names to values."""
        try:
            data = load_yaml(Path(path).read_text(encoding="utf-8")) or {}
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InvalidConfig("config", f"{path}: {type(error).__name__}", details={"field": str(path)}) from error
        if not isinstance(data, dict) or not all(isinstance(name, str) for name in data):
            raise InvalidConfig("config", f"{path}: the top level must map field names to values")
        return cls(**data)

    @classmethod
    def from_env(cls, environ: Mapping[str, str] = os.environ) -> Self:
        """Load ``VOICEBACKEND_CONFIG`` (a YAML file's path) if set, then every ``VOICEBACKEND_<FIELD>`` over it.

        Lists and mappings are YAML (so JSON too). Other variables with the prefix belong to the deployment.
        """
        base = cls.from_yaml(environ["VOICEBACKEND_CONFIG"]) if environ.get("VOICEBACKEND_CONFIG") else cls()
        changes: dict[str, Any] = {}
        for field in cls.model_fields:
            text = environ.get(f"VOICEBACKEND_{field.upper()}")
            if text is not None:
                changes[field] = _from_text(field, text)
        return base.with_fields(**changes)


def _from_text(field: str, text: str) -> Any:
    if field not in _STRUCTURED:
        return text
    try:
        return load_yaml(text)
    except yaml.YAMLError as error:
        raise InvalidConfig("config", f"{field}: not YAML or JSON", details={"field": field}) from error


def invalid(error: ValidationError, op: str) -> InvalidConfig:
    """Turn pydantic's error into ours: the first wrong field by name, without the value, which may be a secret."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    field = ".".join(str(part) for part in first["loc"]) or "body"
    return InvalidConfig(op, f"{field}: {first['msg']}", details={"field": field})


def parse(kind: type[T], data: Any, *, op: str) -> T:
    """Validate untrusted data as a pydantic type."""
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        raise invalid(error, op) from error
