"""Errors as HTTP answers: RFC 9457 problem bodies that carry our code."""

from __future__ import annotations

import json
import math
from http import HTTPStatus

from aiohttp import web

from voicebackend.errors import HTTP_STATUS, ErrorCode, InvalidConfig, InvalidFormat, PipelineError, VoiceBackendError

MEDIA_TYPE = "application/problem+json"


def problem(error: VoiceBackendError, *, instance: str, status: int | None = None) -> web.Response:
    """Return the answer for one of our errors; ``instance`` is the path asked for."""
    status = status or HTTP_STATUS[error.code]
    body = {
        "type": f"urn:voicebackend:error:{error.code}",
        "title": (type(error).__doc__ or "").split("\n")[0],
        "status": status,
        "detail": error.message,
        "instance": instance,
        "code": str(error.code),
        "op": error.op,
        "details": error.details,
    }
    headers = {}
    if error.retry_after is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after)))
    if status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    text = json.dumps(body, default=str)
    return web.Response(status=status, text=text, content_type=MEDIA_TYPE, headers=headers)


def http_problem(error: web.HTTPException, *, instance: str) -> web.Response:
    """Return the answer for one of aiohttp's own errors, e.g. 404, 405 or 413, with its status and headers."""
    kind = InvalidFormat if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE else InvalidConfig
    ours: VoiceBackendError = kind("request", _WORDS.get(error.status, error.reason))
    if error.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        ours = PipelineError("request", error.reason)
    answer = problem(ours, instance=instance, status=error.status)
    answer.headers.update({name: error.headers[name] for name in _KEPT if name in error.headers})
    return answer


_KEPT = ("Allow", "Content-Range")
_WORDS = {
    int(HTTPStatus.NOT_FOUND): "there is no such path: see /openapi.json",
    int(HTTPStatus.METHOD_NOT_ALLOWED): "this path does not take this method: see the Allow header",
}


def unexpected(*, instance: str) -> web.Response:
    """Return the answer for an error that is ours to mend; it tells nothing of the inside."""
    return problem(PipelineError("request", "something failed inside: see the log"), instance=instance)


CODES = [str(code) for code in ErrorCode]
"""Every value that ``code`` may have."""
