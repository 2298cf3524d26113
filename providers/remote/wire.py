"""What is seen of requests on their way: that one is being sent, and that a websocket's leads elsewhere."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from voicebackend.errors import RateLimitExceeded, VoiceBackendError

if TYPE_CHECKING:
    import aiohttp

_UNAVAILABLE = 503


def watched() -> aiohttp.TraceConfig:
    """Return what sets the event that a request has as ``trace_request_ctx`` when its first byte is about to leave.

    It also stops redirects of websockets, which aiohttp would follow with our headers, the key among them.
    """
    import aiohttp

    async def sending(_: object, context: Any, __: object) -> None:
        if isinstance(sent := context.trace_request_ctx, asyncio.Event):
            sent.set()

    async def led(_: object, __: object, found: aiohttp.TraceRequestRedirectParams) -> None:
        answer = found.response
        answer.close()
        raise aiohttp.WSServerHandshakeError(
            answer.request_info, answer.history, status=answer.status, headers=answer.headers
        )

    trace = aiohttp.TraceConfig()
    trace.on_request_headers_sent.append(sending)
    trace.on_request_redirect.append(led)
    return trace


def is_undone(error: VoiceBackendError) -> bool:
    """Tell whether the vendor says by this that it did nothing of what it was asked: 429, or 503 with Retry-After."""
    busy = error.retry_after is not None and error.details.get("status") == _UNAVAILABLE
    return busy or isinstance(error, RateLimitExceeded)
