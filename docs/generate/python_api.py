"""The library's classes and functions, by Sphinx's autodoc."""

from __future__ import annotations

_PARTS = (
    ("Backend", "voicebackend.client.backend", ("VoiceBackend",)),
    ("Session", "voicebackend.client.session", ("VoiceSession",)),
    ("Sessions whose callers connect by themselves", "voicebackend.client.sessions", ("Sessions",)),
    ("Telephone calls", "voicebackend.client.calls", ("CallService",)),
    ("Records", "voicebackend.client.records", ("RecordService",)),
    ("Webhooks", "voicebackend.client.webhooks", ("WebhookService",)),
    (
        "What a session is",
        "voicebackend.session",
        ("SessionState", "PipelineState", "ConnectionState", "Health", "PersistenceStatus", "Transport", "SessionView"),
    ),
    ("Agents", "voicebackend.agents", ("agent", "Turn", "HistoryEntry", "uninterruptible")),
    (
        "Hooks",
        "voicebackend.hooks",
        ("AuthHook", "AuthResult", "RateLimiter", "DataRetentionHook", "TelephonyHook", "AudioProcessor"),
    ),
    ("Errors", "voicebackend.errors", ("VoiceBackendError", "as_error", "is_error", "is_retryable")),
    ("Audio", "voicebackend.audio", ("AudioFormat", "AudioFrame")),
    ("Test kit", "voicebackend.testing", ("MockVoiceBackend", "Caller", "ConcurrentTestRunner", "run_load_test")),
)


def page() -> str:
    """Return a section for each part of the library."""
    return "\n".join(_section(*part) for part in _PARTS)


def _section(title: str, module: str, names: tuple[str, ...]) -> str:
    directives = "\n".join(_directive(module, name) for name in names)
    return f"## {title}\n\n```{{eval-rst}}\n{directives}\n```\n"


def _directive(module: str, name: str) -> str:
    kind = "autoclass" if name[0].isupper() else "autofunction"
    options = (
        "   :members:\n   :inherited-members: BaseModel, Exception, Protocol, StrEnum, str, Enum\n"
        if kind == "autoclass"
        else ""
    )
    return f".. {kind}:: {module}.{name}\n{options}"
