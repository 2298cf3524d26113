"""What a vendor's HTTP statuses and websocket close codes mean, as errors of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from voicebackend.errors import (
    AuthenticationFailed,
    ConnectionFailed,
    ConnectionTimeout,
    InvalidConfig,
    InvalidFormat,
    RateLimitExceeded,
    VoiceBackendError,
)

NORMAL = frozenset({1000, 1001})
"""Close codes of a call that was ended, not broken."""

_STATUSES: Mapping[int, type[VoiceBackendError]] = {
    401: AuthenticationFailed,
    403: AuthenticationFailed,
    408: ConnectionTimeout,
    425: ConnectionFailed,
    429: RateLimitExceeded,
    504: ConnectionTimeout,
}
_CLOSES: Mapping[int, type[VoiceBackendError]] = {
    1003: InvalidFormat,
    1007: InvalidFormat,
    1008: AuthenticationFailed,
    1009: InvalidFormat,
    1013: RateLimitExceeded,
    3000: AuthenticationFailed,
    3003: AuthenticationFailed,
    4001: AuthenticationFailed,
    4003: AuthenticationFailed,
    4029: RateLimitExceeded,
}
_CLIENT_ERROR, _SERVER_ERROR = 400, 500
_WORD = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_MAX_WAIT_S = 3600.0


def from_status(
    status: int, op: str, *, retry_after: str | None = None, details: Mapping[str, Any] | None = None
) -> VoiceBackendError:
    """Return the error of an HTTP status: 401 and 403, 408 and 504, 429, 5xx (their trouble), others (our settings).

    The vendor's own words are left out: they may carry a key, or what a caller said.
    """
    kind = _STATUSES.get(status) or (ConnectionFailed if status >= _SERVER_ERROR else InvalidConfig)
    told = "refused with" if status >= _CLIENT_ERROR else "the address leads elsewhere, set that instead:"
    message = f"{told} HTTP status {status}" if kind is InvalidConfig else None
    return kind(op, message, details={"status": status, **(details or {})}, retry_after=wait_s(retry_after))


def from_close(code: int | None, op: str) -> VoiceBackendError:
    """Return the error of a websocket that was closed against our will; None is a connection that broke."""
    kind = _CLOSES.get(code or 0, ConnectionFailed)
    return kind(op, f"the connection was closed ({code or 'broken'})", details={"close_code": code})


def wait_s(retry_after: str | None, *, now: datetime | None = None) -> float | None:
    """Return the seconds that a Retry-After header asks for, 0 to 3600; None if it says nothing sensible."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            when = parsedate_to_datetime(retry_after)
            if when.tzinfo is None:  # "-0000" is UTC of an unknown zone, and a date without one is meant so
                when = when.replace(tzinfo=UTC)
            seconds = (when - (now or datetime.now(UTC))).total_seconds()
        except (ValueError, TypeError, OverflowError):
            return None
    return min(_MAX_WAIT_S, max(0.0, seconds)) if seconds == seconds else None  # noqa: PLR0124 - NaN


def code_word(value: object) -> str | None:
    """Return a vendor's error code if it is a word that may stand in details, None if it could be anything else."""
    return value if isinstance(value, str) and _WORD.fullmatch(value) else None
