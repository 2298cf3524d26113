"""The contracts: what users import and every process agrees on.

Pure data and functions; only ``channel``, ``inbox``, ``remote``, ``publisher``, ``client``,
``host``, ``embedded`` and ``cli`` do I/O. Imports nothing of ``providers``, ``worker`` or ``control``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from voicebackend.agents import HistoryEntry, Turn, agent
from voicebackend.config import BackendConfig, PipelineType
from voicebackend.errors import ErrorCode, VoiceBackendError, as_error, is_error, is_retryable
from voicebackend.hooks import AudioProcessor, AuthHook, AuthResult, DataRetentionHook, RateLimiter, TelephonyHook
from voicebackend.session import (
    AgentCallback,
    ConnectionState,
    Health,
    PersistenceStatus,
    PipelineState,
    SessionConfig,
    SessionState,
    SessionView,
    Transport,
)

if TYPE_CHECKING:
    from voicebackend.audio import AudioFormat, AudioFrame
    from voicebackend.client.backend import VoiceBackend
    from voicebackend.client.session import VoiceSession

__all__ = [  # noqa: RUF022 - grouped: the table of contents of the library
    # Backend
    "VoiceBackend",
    "BackendConfig",
    "PipelineType",
    "ConnectionState",
    "Health",
    # Session
    "VoiceSession",
    "SessionConfig",
    "SessionState",
    "SessionView",
    "PipelineState",
    "PersistenceStatus",
    "Transport",
    # Audio
    "AudioFormat",
    "AudioFrame",
    # Agents
    "agent",
    "AgentCallback",
    "Turn",
    "HistoryEntry",
    # Hooks
    "AuthHook",
    "AuthResult",
    "RateLimiter",
    "DataRetentionHook",
    "TelephonyHook",
    "AudioProcessor",
    # Errors
    "VoiceBackendError",
    "ErrorCode",
    "as_error",
    "is_error",
    "is_retryable",
]


_LATER = {
    "AudioFormat": "voicebackend.audio",
    "AudioFrame": "voicebackend.audio",
    "VoiceBackend": "voicebackend.client.backend",
    "VoiceSession": "voicebackend.client.session",
}
"""Imported where they are used: they bring numpy, or aiohttp."""


def __getattr__(name: str) -> Any:
    """Import what is asked for at last."""
    if name in _LATER:
        return getattr(import_module(_LATER[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
