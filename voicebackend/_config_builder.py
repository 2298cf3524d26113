"""The chainable ``with_<field>`` methods of BackendConfig, spelled out so that editors and type checkers know them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Self


class ConfigBuilder:
    """Each method returns a copy with one field changed, checked as at construction."""

    def with_fields(self, **changes: Any) -> Self:
        """Return a copy with these fields changed."""
        raise NotImplementedError

    def with_provider(self, value: str) -> Self:
        """Return a copy with another ``provider``."""
        return self.with_fields(provider=value)

    def with_provider_config(self, value: Mapping[str, Any]) -> Self:
        """Return a copy with another ``provider_config``."""
        return self.with_fields(provider_config=value)

    def with_pipeline_type(self, value: str) -> Self:
        """Return a copy with another ``pipeline_type``."""
        return self.with_fields(pipeline_type=value)

    def with_stt_provider(self, value: str | None) -> Self:
        """Return a copy with another ``stt_provider``."""
        return self.with_fields(stt_provider=value)

    def with_tts_provider(self, value: str | None) -> Self:
        """Return a copy with another ``tts_provider``."""
        return self.with_fields(tts_provider=value)

    def with_s2s_provider(self, value: str | None) -> Self:
        """Return a copy with another ``s2s_provider``."""
        return self.with_fields(s2s_provider=value)

    def with_vad_provider(self, value: str | None) -> Self:
        """Return a copy with another ``vad_provider``."""
        return self.with_fields(vad_provider=value)

    def with_turn_detection_provider(self, value: str | None) -> Self:
        """Return a copy with another ``turn_detection_provider``."""
        return self.with_fields(turn_detection_provider=value)

    def with_noise_cancellation_provider(self, value: str | None) -> Self:
        """Return a copy with another ``noise_cancellation_provider``."""
        return self.with_fields(noise_cancellation_provider=value)

    def with_latency_target(self, value: timedelta | float | str | None) -> Self:
        """Return a copy with another ``latency_target``."""
        return self.with_fields(latency_target=value)

    def with_timeout(self, value: timedelta | float | str) -> Self:
        """Return a copy with another ``timeout``."""
        return self.with_fields(timeout=value)

    def with_max_retries(self, value: int) -> Self:
        """Return a copy with another ``max_retries``."""
        return self.with_fields(max_retries=value)

    def with_retry_delay(self, value: timedelta | float | str) -> Self:
        """Return a copy with another ``retry_delay``."""
        return self.with_fields(retry_delay=value)

    def with_max_concurrent_sessions(self, value: int) -> Self:
        """Return a copy with another ``max_concurrent_sessions``."""
        return self.with_fields(max_concurrent_sessions=value)

    def with_enable_tracing(self, value: bool) -> Self:
        """Return a copy with another ``enable_tracing``."""
        return self.with_fields(enable_tracing=value)

    def with_enable_metrics(self, value: bool) -> Self:
        """Return a copy with another ``enable_metrics``."""
        return self.with_fields(enable_metrics=value)

    def with_enable_structured_logging(self, value: bool) -> Self:
        """Return a copy with another ``enable_structured_logging``."""
        return self.with_fields(enable_structured_logging=value)

    def with_auth_hook(self, value: Any) -> Self:
        """Return a copy with another ``auth_hook``."""
        return self.with_fields(auth_hook=value)

    def with_rate_limiter(self, value: Any) -> Self:
        """Return a copy with another ``rate_limiter``."""
        return self.with_fields(rate_limiter=value)

    def with_data_retention_hook(self, value: Any) -> Self:
        """Return a copy with another ``data_retention_hook``."""
        return self.with_fields(data_retention_hook=value)

    def with_telephony_hook(self, value: Any) -> Self:
        """Return a copy with another ``telephony_hook``."""
        return self.with_fields(telephony_hook=value)

    def with_failover(self, value: Any) -> Self:
        """Return a copy with another ``failover``: a Failover, or a mapping of its fields."""
        return self.with_fields(failover=value)

    def with_engine_settings(self, value: Mapping[str, Mapping[str, Any]]) -> Self:
        """Return a copy with other ``engine_settings``."""
        return self.with_fields(engine_settings=value)

    def with_conversation(self, value: Any) -> Self:
        """Return a copy with another ``conversation``: a Conversation, or a mapping of its fields."""
        return self.with_fields(conversation=value)

    def with_custom_processors(self, value: Sequence[Any]) -> Self:
        """Return a copy with another ``custom_processors``."""
        return self.with_fields(custom_processors=value)

    def with_allow_remote_agent(self, value: bool) -> Self:
        """Return a copy with another ``allow_remote_agent``."""
        return self.with_fields(allow_remote_agent=value)

    def with_chat_model(self, value: Any) -> Self:
        """Return a copy with another ``chat_model``."""
        return self.with_fields(chat_model=value)

    def with_memory(self, value: Any) -> Self:
        """Return a copy with another ``memory``."""
        return self.with_fields(memory=value)

    def with_retriever(self, value: Any) -> Self:
        """Return a copy with another ``retriever``."""
        return self.with_fields(retriever=value)

    def with_vector_store(self, value: Any) -> Self:
        """Return a copy with another ``vector_store``."""
        return self.with_fields(vector_store=value)

    def with_embedder(self, value: Any) -> Self:
        """Return a copy with another ``embedder``."""
        return self.with_fields(embedder=value)

    def with_prompt_template(self, value: Any) -> Self:
        """Return a copy with another ``prompt_template``."""
        return self.with_fields(prompt_template=value)

    def with_multimodal_model(self, value: Any) -> Self:
        """Return a copy with another ``multimodal_model``."""
        return self.with_fields(multimodal_model=value)

    def with_orchestrator(self, value: Any) -> Self:
        """Return a copy with another ``orchestrator``."""
        return self.with_fields(orchestrator=value)
