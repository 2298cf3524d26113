"""The contract's tables, held against the library as users import it."""

from __future__ import annotations

import inspect
from datetime import timedelta
from enum import StrEnum
from typing import Any

import pytest
from pydantic import BaseModel

import voicebackend
from control.http.routes.health import readiness
from control.sessions.workers import WorkerInfo
from providers.cartesia.config import CartesiaProviderConfig
from providers.livekit.config import LiveKitConfig
from providers.pipecat.config import PipecatConfig
from providers.registry import ENGINES, PROVIDERS
from providers.vapi.config import VapiConfig
from providers.vocode.config import VocodeConfig
from voicebackend import (
    AudioProcessor,
    AuthHook,
    ConnectionState,
    DataRetentionHook,
    Health,
    PersistenceStatus,
    PipelineState,
    PipelineType,
    RateLimiter,
    SessionConfig,
    TelephonyHook,
    Transport,
    VoiceBackend,
    VoiceSession,
    telemetry,
)
from voicebackend.testing import MockVoiceBackend

BACKEND = [
    "start",
    "stop",
    "create_session",
    "get_session",
    "list_sessions",
    "close_session",
    "health_check",
    "update_config",
]
SESSION = ["start", "stop", "process_audio", "send_audio", "set_agent_callback", "set_agent", "update_metadata"]


def test_a_backend_has_the_promised_methods() -> None:
    """What asks the servers is awaited, what is known is not; it is a context manager."""
    assert [name for name in BACKEND if not inspect.iscoroutinefunction(getattr(VoiceBackend, name))] == []
    assert all(hasattr(VoiceBackend, name) for name in ("connection_state", "active_session_count", "config"))
    assert {"__aenter__", "__aexit__"} <= set(dir(VoiceBackend))
    assert all(hasattr(voicebackend, name) for name in voicebackend.__all__)


def test_a_session_has_the_promised_methods() -> None:
    """Audio and events are async iterators."""
    assert [name for name in SESSION if not inspect.iscoroutinefunction(getattr(VoiceSession, name))] == []
    streams = ("receive_audio", "agent_audio", "events")
    assert [name for name in streams if inspect.iscoroutinefunction(getattr(VoiceSession, name))] == []
    assert all(hasattr(VoiceSession, name) for name in (*streams, "state", "persistence_status", "id"))


@pytest.mark.parametrize(
    ("hook", "methods"),
    [
        (AuthHook, {"authenticate", "authorize"}),
        (RateLimiter, {"allow", "wait"}),
        (DataRetentionHook, {"should_retain", "retention_period"}),
        (TelephonyHook, {"route_call", "handle_sip", "call_metadata"}),
        (AudioProcessor, {"process"}),
    ],
)
def test_hooks_have_the_promised_methods(hook: type, methods: set[str]) -> None:
    """All are async; a processor has name and order beside."""
    assert {name for name in vars(hook) if inspect.iscoroutinefunction(vars(hook)[name])} == methods
    if hook is AudioProcessor:
        assert {"name", "order"} <= {*vars(hook), *hook.__annotations__}


@pytest.mark.parametrize(
    ("values", "promised"),
    [
        (PipelineType, "stt_tts s2s"),
        (ConnectionState, "disconnected connecting connected reconnecting error"),
        (PipelineState, "idle listening processing speaking error"),
        (PersistenceStatus, "active completed"),
        (Health, "healthy degraded unhealthy unknown"),
        (Transport, "websocket webrtc telephony"),
    ],
)
def test_values_are_those_promised(values: type[StrEnum], promised: str) -> None:
    """And no others."""
    assert {value.value for value in values} == set(promised.split())


@pytest.mark.parametrize(("free", "status"), [(11, Health.HEALTHY), (10, Health.DEGRADED), (0, Health.DEGRADED)])
def test_health_is_degraded_from_nine_tenths(free: int, status: Health) -> None:
    """Of all slots in use."""
    assert readiness([WorkerInfo(id="w", slots_total=100, slots_free=free)], sockets=0).status is status


def test_a_session_config_has_the_promised_fields() -> None:
    """Who it is and how they come must be said."""
    promised = "user_id transport connection_url pipeline_type agent_callback agent metadata memory_config"
    fields = SessionConfig.model_fields
    assert {*promised.split(), "orchestration_config", "rag_config"} <= fields.keys()
    assert {name for name, field in fields.items() if field.is_required()} == {"user_id", "transport"}


def test_openai_and_elevenlabs_are_engines() -> None:
    """Providers are those that run sessions."""
    assert {"openai", "elevenlabs"} <= {name for role in ENGINES for name in ENGINES[role].names()}
    assert not {"openai", "elevenlabs"} & set(PROVIDERS.names())
    assert {"livekit", "pipecat", "vocode", "vapi", "cartesia", "mock"} <= set(PROVIDERS.names())


@pytest.mark.parametrize(
    ("settings", "promised"),
    [
        (LiveKitConfig, {"url": None, "api_key": None, "api_secret": None, "room_name": "room-{session_id}"}),
        (PipecatConfig, {"daily_api_url": "https://api.daily.co/v1", "room_name_prefix": "beluga-"}),
        (PipecatConfig, {"pipecat_server_url": None, "start_url": None, "room_expiration": timedelta(hours=24)}),
        (VocodeConfig, {"url": None, "agent_id": None, "max_call_duration": timedelta(minutes=30)}),
        (VapiConfig, {"api_url": "https://api.vapi.ai", "max_call_duration": timedelta(minutes=30)}),
        (VapiConfig, {"assistant_id": "", "phone_number_id": ""}),
        (CartesiaProviderConfig, {"api_url": "https://api.cartesia.ai", "model_id": None, "voice_id": None}),
        (CartesiaProviderConfig, {"sample_rate": 24_000}),
    ],
)
def test_provider_settings_have_the_promised_defaults(settings: type[BaseModel], promised: dict[str, Any]) -> None:
    """As the document has them from which this project began."""
    fields = settings.model_fields
    assert {name: fields[name].get_default(call_default_factory=True) for name in promised} == promised


def test_metrics_have_the_promised_names_and_labels() -> None:
    """The nine; what is known of our own beside them stands in the same table."""
    promised = {
        "backend.requests.total": {"provider"},
        "backend.errors.total": {"provider", "error_code"},
        "backend.latency.seconds": set[str](),
        "backend.sessions.active": set[str](),
        "backend.sessions.total": set[str](),
        "backend.throughput.bytes": set[str](),
        "backend.concurrent.operations": set[str](),
        "backend.session.creation.time.seconds": set[str](),
        "backend.throughput.per.session.bytes": {"session_id"},
    }
    for name, labels in promised.items():
        assert labels <= set(telemetry.LABELS[name]), name
    stages = ["end_of_turn_delay", "stt_final", "agent_ttft", "tts_ttfb", "e2e_latency", "hop"]
    assert {f"backend.turn.{stage}.seconds" for stage in stages} <= telemetry.LABELS.keys()


def test_the_mock_takes_the_promised_arguments() -> None:
    """By name."""
    promised = "error delay audio audio_responses processing_delay max_sessions auto_start_sessions"
    assert set(promised.split()) <= inspect.signature(MockVoiceBackend).parameters.keys()


async def test_each_direction_has_its_own_audio() -> None:
    """What the user says comes out of ``receive_audio``, what the agent says out of ``agent_audio``."""
    async with MockVoiceBackend(audio=b"\7\7" * 320) as backend:
        session = await backend.create_session(SessionConfig(user_id="u", transport="websocket"))
        async with session:
            await session.process_audio(b"\1\1" * 320)
            assert await anext(session.receive_audio()) == b"\1\1" * 320
            assert await anext(session.agent_audio()) == b"\7\7" * 320
