"""The second that a carrier gives a webhook: what is not done by then goes on, and the carrier asks again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web

from control.http.carrier_webhooks import Webhook, refuse_old, response, signed
from control.services import SERVICES
from control.telephony.call_register import BeingTaken
from control.telephony.carriers.carrier import Reply

logger = logging.getLogger(__name__)

ANSWER_S = 0.9
"""Seconds from a webhook to its answer."""
REST_S = 0.15
"""Seconds of them that are kept for what follows once the call is taken: a token for its stream."""
MAX_AGAIN = 12
"""How often a carrier is told to ask again, each a second later: then the caller hears that the line is busy."""
AGAIN = "again"
"""The parameter of the address that counts them; it is ours, and signed with the address where that is signed."""
_BUSY = 503

Act = Callable[[Webhook, float], Awaitable[web.Response]]
"""Answers a webhook; is told until when, in the loop's time, something may take that goes on by itself after that."""


async def in_time(request: web.Request, op: str, act: Act, *, busy: Reply | None = None) -> web.Response:
    """Answer a carrier's webhook within ``ANSWER_S`` seconds: by ``act``, else have it wait and ask again.

    ``busy`` is what ends a call that was asked for often enough; the carrier's own refusal where it is not given.

    Raises:
        VoiceBackendError: as ``signed`` and ``refuse_old``, and what ``act`` raises.

    """
    until = asyncio.get_running_loop().time() + ANSWER_S
    webhook = await signed(request, op)
    try:
        async with asyncio.timeout_at(until):
            await refuse_old(request.app[SERVICES], webhook, op)
            return await act(webhook, until - REST_S)
    except (BeingTaken, TimeoutError):
        asked = times_asked(request)
    carrier = webhook.line.carrier
    logger.info("carrier asked to wait", extra={"trunk": webhook.line.name, "webhook": op, "asked": asked})
    if asked >= MAX_AGAIN:
        return response(carrier.refuse(_BUSY) if busy is None else busy)
    return response(carrier.hold(webhook.told, address_again(webhook.told.url, asked + 1)))


def times_asked(request: web.Request) -> int:
    """Return how often this webhook was told to come again before."""
    text = request.query.get(AGAIN, "")
    return min(int(text), MAX_AGAIN) if text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_AGAIN)) else 0


def address_again(url: str, times: int) -> str:
    """Return an address with how often it was asked; all else of it stays to the letter, for carriers sign it."""
    address, _, query = url.partition("?")
    kept = [part for part in query.split("&") if part and part.partition("=")[0] != AGAIN]
    return f"{address}?{'&'.join([*kept, f'{AGAIN}={times}'])}"
