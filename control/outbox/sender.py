"""One try to deliver: signed, in five seconds, to an address that is looked at when it is connected to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import aiohttp

from control.outbox.delivery import Answer, Delivery
from voicebackend.errors import InvalidConfig
from voicebackend.guarded_http import PrivateAddress, check_url, guarded_client
from voicebackend.webhooks import MAX_BODY, SIGNATURE_HEADER, sign

TRY_S = 5.0
"""Seconds for all of a try."""
_REDIRECTS = range(300, 400)


async def send(delivery: Delivery, url: str, secrets: Sequence[str], *, private: bool) -> Answer:
    """Post an event once, and return what came of it; never raises for what the endpoint or the network does.

    No redirect is followed and nothing of the answer but its status is read. ``private`` allows addresses of our own
    network.
    """
    body = delivery.body.encode()
    if len(body) > MAX_BODY:
        return Answer(error=f"the event has more than {MAX_BODY} bytes")
    headers = {
        "Content-Type": "application/json",
        "User-Agent": "voicebackend-webhooks/1",
        SIGNATURE_HEADER: sign(body, secrets, int(time.time())),
    }
    try:
        check_url(url, field="url", private=private)
        async with (
            asyncio.timeout(TRY_S),
            guarded_client(private=private, limit=1) as client,
            client.post(url, data=body, headers=headers, allow_redirects=False) as response,
        ):
            return _told(response.status)
    except InvalidConfig as error:
        return Answer(error=error.message)
    except TimeoutError:
        return Answer(error=f"no answer within {TRY_S:g} s")
    except (aiohttp.ClientError, OSError, ValueError) as error:
        refused = isinstance(error, PrivateAddress) or isinstance(error.__cause__, PrivateAddress)
        return Answer(error="its name leads to an address of our own network" if refused else type(error).__name__)


def _told(status: int) -> Answer:
    if status in _REDIRECTS:
        return Answer(status=status, error="it redirects: give the address that it redirects to")
    return Answer(status=status, error="" if Answer(status=status).is_good else f"it answers {status}")
