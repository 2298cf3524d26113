"""Every error this project raises: one class per code, and the code's meaning at the HTTP edge.

``str(error)`` is ``voice/backend {op}: {message} (code: {code})``. A class's docstring is its default message
and tells what to do. Foreign exceptions are translated where they enter (``providers.errors``), never further in.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, ClassVar


class ErrorCode(StrEnum):
    """What went wrong, stable across versions and processes."""

    INVALID_CONFIG = "invalid_config"
    PROVIDER_NOT_FOUND = "provider_not_found"
    CONNECTION_FAILED = "connection_failed"
    CONNECTION_TIMEOUT = "connection_timeout"
    SESSION_NOT_FOUND = "session_not_found"
    SESSION_LIMIT_EXCEEDED = "session_limit_exceeded"
    RATE_LIMIT_EXCEEDED = "rate_limit_exceeded"
    AUTHENTICATION_FAILED = "authentication_failed"
    AUTHORIZATION_FAILED = "authorization_failed"
    PIPELINE_ERROR = "pipeline_error"
    AGENT_ERROR = "agent_error"
    TIMEOUT = "timeout"
    CONTEXT_CANCELED = "context_canceled"
    INVALID_FORMAT = "invalid_format"
    CONVERSION_FAILED = "conversion_failed"
    SESSION_NOT_ACTIVE = "session_not_active"
    SESSION_ALREADY_ACTIVE = "session_already_active"


class VoiceBackendError(Exception):
    """Something in the voice backend failed."""

    code: ClassVar[ErrorCode] = ErrorCode.PIPELINE_ERROR
    retryable: ClassVar[bool] = False
    """Whether the same call may succeed a moment later."""

    def __init__(
        self,
        op: str,
        message: str | None = None,
        *,
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.op = op
        """The operation that failed, e.g. ``create_session``."""
        self.message = message or (type(self).__doc__ or "").split("\n")[0]
        self.details: dict[str, Any] = dict(details or {})
        """Facts for a program: never secrets, never what a caller said."""
        self.retry_after = retry_after
        """Seconds after which the far side asks to be tried again, if it said so."""
        super().__init__(op, self.message)

    def __str__(self) -> str:
        return f"voice/backend {self.op}: {self.message} (code: {self.code})"


class InvalidConfig(VoiceBackendError):
    """The configuration or request is not valid: correct the field that the details name."""

    code = ErrorCode.INVALID_CONFIG


class ProviderNotFound(VoiceBackendError):
    """No provider of this name is registered: see the known names in the details."""

    code = ErrorCode.PROVIDER_NOT_FOUND


class ConnectionFailed(VoiceBackendError):
    """A service could not be reached: check its address and that it runs."""

    code = ErrorCode.CONNECTION_FAILED
    retryable = True


class ConnectionTimeout(VoiceBackendError):
    """A service did not answer in time: it may be overloaded; try again."""

    code = ErrorCode.CONNECTION_TIMEOUT
    retryable = True


class SessionNotFound(VoiceBackendError):
    """There is no such session, or it ended and its record expired."""

    code = ErrorCode.SESSION_NOT_FOUND


class SessionLimitExceeded(VoiceBackendError):
    """No worker has a free slot: try again later, or add workers."""

    code = ErrorCode.SESSION_LIMIT_EXCEEDED


class RateLimitExceeded(VoiceBackendError):
    """Too many requests: wait for the time given."""

    code = ErrorCode.RATE_LIMIT_EXCEEDED
    retryable = True


class AuthenticationFailed(VoiceBackendError):
    """The key or token is missing, unknown, expired or already used: get a new one."""

    code = ErrorCode.AUTHENTICATION_FAILED


class AuthorizationFailed(VoiceBackendError):
    """The caller is known but may not do this."""

    code = ErrorCode.AUTHORIZATION_FAILED


class PipelineError(VoiceBackendError):
    """The conversation's pipeline failed: see the worker's log for the trace."""

    code = ErrorCode.PIPELINE_ERROR


class AgentError(VoiceBackendError):
    """The agent raised, or answered with something that is not text."""

    code = ErrorCode.AGENT_ERROR


class OperationTimeout(VoiceBackendError):
    """The operation did not finish before its deadline."""

    code = ErrorCode.TIMEOUT


class ContextCanceled(VoiceBackendError):
    """The operation was cancelled before it finished."""

    code = ErrorCode.CONTEXT_CANCELED


class InvalidFormat(VoiceBackendError):
    """Audio or a message has a form that is not accepted here."""

    code = ErrorCode.INVALID_FORMAT


class ConversionFailed(VoiceBackendError):
    """Audio could not be converted to the format needed."""

    code = ErrorCode.CONVERSION_FAILED


class SessionNotActive(VoiceBackendError):
    """The session is not running: start it first."""

    code = ErrorCode.SESSION_NOT_ACTIVE


class SessionAlreadyActive(VoiceBackendError):
    """The session is already running."""

    code = ErrorCode.SESSION_ALREADY_ACTIVE


ERRORS: Mapping[ErrorCode, type[VoiceBackendError]] = {cls.code: cls for cls in VoiceBackendError.__subclasses__()}
"""The class of each code."""

HTTP_STATUS: Mapping[ErrorCode, int] = {
    ErrorCode.INVALID_CONFIG: 400,
    ErrorCode.PROVIDER_NOT_FOUND: 404,
    ErrorCode.CONNECTION_FAILED: 502,
    ErrorCode.CONNECTION_TIMEOUT: 504,
    ErrorCode.SESSION_NOT_FOUND: 404,
    ErrorCode.SESSION_LIMIT_EXCEEDED: 503,
    ErrorCode.RATE_LIMIT_EXCEEDED: 429,
    ErrorCode.AUTHENTICATION_FAILED: 401,
    ErrorCode.AUTHORIZATION_FAILED: 403,
    ErrorCode.PIPELINE_ERROR: 500,
    ErrorCode.AGENT_ERROR: 500,
    ErrorCode.TIMEOUT: 504,
    ErrorCode.CONTEXT_CANCELED: 499,
    ErrorCode.INVALID_FORMAT: 415,
    ErrorCode.CONVERSION_FAILED: 422,
    ErrorCode.SESSION_NOT_ACTIVE: 409,
    ErrorCode.SESSION_ALREADY_ACTIVE: 409,
}
"""The HTTP status of each code; the body is an RFC 9457 problem that carries the code."""


def as_error(error: BaseException | None) -> VoiceBackendError | None:
    """Return the first of our errors in the chain of causes, or None."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, VoiceBackendError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def is_error(error: BaseException | None, code: ErrorCode | str | None = None) -> bool:
    """Tell whether one of our errors is in the chain of causes, with this code if one is given."""
    ours = as_error(error)
    return ours is not None and (code is None or ours.code == code)


def is_retryable(error: BaseException | None) -> bool:
    """Tell whether the same call may succeed a moment later."""
    ours = as_error(error)
    return ours is not None and ours.retryable


def from_code(
    code: str,
    op: str,
    message: str | None = None,
    *,
    details: Mapping[str, Any] | None = None,
    retry_after: float | None = None,
) -> VoiceBackendError:
    """Build the error of a code that came over a wire; an unknown code becomes a pipeline error."""
    try:
        cls = ERRORS[ErrorCode(code)]
    except ValueError:
        cls, details = PipelineError, {**(details or {}), "unknown_code": code}
    return cls(op, message, details=details, retry_after=retry_after)
