"""The kinds of data that a session leaves, each with a policy of its own."""

from __future__ import annotations

from enum import StrEnum


class DataClass(StrEnum):
    """What a policy speaks of."""

    AUDIO = "audio"
    TRANSCRIPT = "transcript"
    DTMF = "dtmf"
    """Keys that the caller pressed."""
    TOOL_IO = "tool_io"
    """What tools of the agent were asked and answered."""
    METADATA = "metadata"
    TRACE = "trace"
    """Latencies, usage and other figures of a session."""
    CONSENT = "consent"
    RECEIPT = "receipt"
    """The proof that something was deleted."""
