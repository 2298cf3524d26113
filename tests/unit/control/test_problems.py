"""Problem bodies: one for every code, with nothing in it that does not belong there."""

from __future__ import annotations

import json

import pytest
from aiohttp import web

from control.http.problems import http_problem, problem, unexpected
from voicebackend.errors import ERRORS, HTTP_STATUS, ErrorCode


@pytest.mark.parametrize("code", list(ERRORS))
def test_every_code_has_its_status_and_says_what_to_do(code: ErrorCode) -> None:
    """Status by the table; title, detail and code from the error."""
    error = ERRORS[code]("some_op", details={"field": "x"})
    answer = problem(error, instance="/v1/x")
    body = json.loads(answer.text or "")
    assert answer.status == body["status"] == HTTP_STATUS[code]
    assert answer.content_type == "application/problem+json"
    assert (body["code"], body["op"], body["details"], body["instance"]) == (code, "some_op", {"field": "x"}, "/v1/x")
    assert body["title"] == body["detail"] != ""


def test_retry_after_is_whole_seconds_of_at_least_one() -> None:
    """Rounded up, as HTTP wants it."""
    for asked, said in ((0.2, "1"), (2.0, "2"), (2.1, "3")):
        error = ERRORS[ErrorCode.RATE_LIMIT_EXCEEDED]("op", retry_after=asked)
        assert problem(error, instance="/").headers["Retry-After"] == said
    assert "Retry-After" not in problem(ERRORS[ErrorCode.TIMEOUT]("op"), instance="/").headers


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (web.HTTPNotFound(), "invalid_config"),
        (web.HTTPMethodNotAllowed("PUT", ["GET"]), "invalid_config"),
        (web.HTTPRequestEntityTooLarge(1, 2), "invalid_format"),
        (web.HTTPBadRequest(), "invalid_config"),
        (web.HTTPServiceUnavailable(), "pipeline_error"),
    ],
)
def test_aiohttps_own_errors_keep_their_status(error: web.HTTPException, code: str) -> None:
    """And gain a code."""
    answer = http_problem(error, instance="/")
    assert (answer.status, json.loads(answer.text or "")["code"]) == (error.status, code)


def test_an_unexpected_error_tells_nothing() -> None:
    """500, and no word of the inside."""
    answer = unexpected(instance="/v1/x")
    assert (answer.status, json.loads(answer.text or "")["details"]) == (500, {})
