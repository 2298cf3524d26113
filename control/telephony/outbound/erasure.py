"""Calls that we make to a person who is to be forgotten: none is made any more, and what is known of each goes.

Two things outlive them, for they protect the person: entries of the do-not-call list, and consents.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from redis.asyncio import Redis

from control.records.erasure import Found
from control.records.handlers import CARRIER, Handler
from control.records.sub_processors import Met
from control.telephony.outbound import plan
from control.telephony.outbound.book import CallBook
from control.telephony.outbound.call import OVER, OutboundCall
from voicebackend.keys import Keys


class ForgettableCalls:
    """The calls of a deployment; ``redis`` is the ``state`` role."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._book = CallBook(redis, keys)

    async def forget(
        self,
        tenant: str,
        *,
        theirs: Callable[[str], bool],
        kept: Callable[[Sequence[str]], bool],
        met: Callable[[Met], Awaitable[None]],
        until: float,
    ) -> Found:
        """Call off a tenant's calls that were planned by ``until`` to a number that is theirs; delete those over.

        ``until`` is in seconds since the epoch; ``kept`` tells of the sessions of a call whether a hold keeps it. It is
        called off as well. ``met`` is told of each attempt, by the trunk's name, before the call is deleted. May be
        done again, and be cut short anywhere.

        Raises:
            ConnectionFailed: without Redis.

        """
        found = Found()
        mine = [call async for call in self._all(tenant) if call.created_at <= until and theirs(call.request.to)]
        for call in mine:  # once all pages are read: a page begins behind the last one's last call
            now = await self._called_off(call)
            if now.state not in OVER:
                found.live += 1
            elif kept([attempt.session for attempt in now.attempts if attempt.session]):
                found.held += 1
            else:
                await self._delete(now, met)
                found.gone += 1
        return found

    async def _called_off(self, call: OutboundCall) -> OutboundCall:
        """Return the call as it is once it is called off, as far as it can be."""
        changed = await self._book.change(call.id, lambda one: plan.cancelled(one, time.time()))
        return await self._book.get(call.id) if changed is None else changed

    async def _delete(self, call: OutboundCall, met: Callable[[Met], Awaitable[None]]) -> None:
        for attempt in call.attempts:
            await met((Handler(CARRIER, call.trunk, attempt.carrier_call_id), attempt.at))
        await self._book.delete(call)

    async def _all(self, tenant: str) -> AsyncIterator[OutboundCall]:
        cursor = ""
        while page := await self._book.page(tenant, cursor=cursor):
            for call in page:
                yield call
            cursor = page[-1].id
