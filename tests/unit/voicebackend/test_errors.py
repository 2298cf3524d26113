"""Errors: one class per code, and how they travel."""

from __future__ import annotations

import pytest

from voicebackend.errors import (
    ERRORS,
    HTTP_STATUS,
    AgentError,
    ConnectionTimeout,
    ErrorCode,
    PipelineError,
    RateLimitExceeded,
    SessionNotFound,
    as_error,
    from_code,
    is_error,
    is_retryable,
)

PROMISED = {
    "invalid_config", "provider_not_found", "connection_failed", "connection_timeout", "session_not_found",
    "session_limit_exceeded", "rate_limit_exceeded", "authentication_failed", "authorization_failed",
    "pipeline_error", "agent_error", "timeout", "context_canceled", "invalid_format", "conversion_failed",
    "session_not_active", "session_already_active",
}  # fmt: skip


def test_the_codes_are_those_promised() -> None:
    """Each has one class, one HTTP status, and a docstring that says what to do."""
    assert set(ErrorCode) == PROMISED
    assert set(ERRORS) == set(HTTP_STATUS) == set(ErrorCode)
    assert all(ERRORS[code]("op").message for code in ErrorCode)


def test_the_text_of_an_error() -> None:
    """As promised, operation, message and code."""
    error = SessionNotFound("get_session", "it is gone")
    assert str(error) == "voice/backend get_session: it is gone (code: session_not_found)"


def test_retryable_are_the_three() -> None:
    """Connection failed, connection timeout, rate limit."""
    assert {code for code in ErrorCode if ERRORS[code].retryable} == {
        ErrorCode.CONNECTION_FAILED,
        ErrorCode.CONNECTION_TIMEOUT,
        ErrorCode.RATE_LIMIT_EXCEEDED,
    }


def test_errors_are_found_through_their_causes() -> None:
    """``as_error`` walks causes and contexts; others are None."""
    try:
        try:
            raise ConnectionTimeout("dial")
        except ConnectionTimeout as error:
            raise ValueError("foreign") from error
    except ValueError as error:
        foreign = error
    assert isinstance(as_error(foreign), ConnectionTimeout)
    assert is_error(foreign, ErrorCode.CONNECTION_TIMEOUT)
    assert is_error(foreign)
    assert is_retryable(foreign)
    assert as_error(ValueError()) is None
    assert not is_error(AgentError("turn"), "timeout")


@pytest.mark.parametrize("code", list(ErrorCode))
def test_an_error_survives_the_wire(code: ErrorCode) -> None:
    """From its code the same class is built again."""
    assert type(from_code(code.value, "op")) is ERRORS[code]


def test_an_unknown_code_is_kept_in_the_details() -> None:
    """A newer process may know codes that we do not."""
    error = from_code("solar_flare", "op", retry_after=2)
    assert isinstance(error, PipelineError)
    assert error.details == {"unknown_code": "solar_flare"}
    assert isinstance(from_code("rate_limit_exceeded", "op"), RateLimitExceeded)
