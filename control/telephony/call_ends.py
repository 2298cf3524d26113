"""The end of a telephone call, however its session came to it: what it had is given back and counted, once."""

from __future__ import annotations

import logging
import time

from redis.asyncio import Redis

from control.telephony import call_counts
from control.telephony.health.health_book import HealthBook
from control.telephony.known_calls import KnownCalls
from control.telephony.live_calls import LiveCall, LiveCalls
from voicebackend.errors import ErrorCode
from voicebackend.keys import Keys
from voicebackend.record import SessionRecord
from voicebackend.session import SessionState

logger = logging.getLogger(__name__)

PROVIDERS = frozenset(
    {
        *(ErrorCode.CONNECTION_FAILED, ErrorCode.CONNECTION_TIMEOUT, ErrorCode.AUTHENTICATION_FAILED),
        *(ErrorCode.PROVIDER_NOT_FOUND, ErrorCode.INVALID_CONFIG, ErrorCode.TIMEOUT),
    }
)
"""Reasons of failed sessions for which the target answers.

Others are the agent's, the caller's, or ``pipeline_error``: a worker that dies ends many calls at once with that, and
leaves the target as well as it was on the others.
"""


async def call_ended(redis: Redis, keys: Keys, record: SessionRecord) -> None:
    """Note the end of a session that is over, if it is for a call; ``redis`` is the ``state`` role.

    May be called again, and by several at once: the first counts.

    Raises:
        ConnectionFailed: without Redis; the reconciler calls again.

    """
    live = LiveCalls(redis, keys)
    call = await live.find(record.id)
    if call is None:
        return
    outcome = "failed" if record.state is SessionState.FAILED else "ended"
    ended_at = record.ended_at or time.time()
    seconds = ended_at - record.created_at
    counted = call_counts.ended(call.trunk, call.route, call.target, outcome=outcome, seconds=seconds)
    if not await live.end(call, counted if call.given else {}, keep_s=call_counts.KEEP_S) or not call.given:
        return
    facts = {"outcome": outcome, "reason": record.reason, "ended_at": ended_at}
    await KnownCalls(redis, keys).note(call.tenant, call.call_id, facts)
    await _tell_health(redis, keys, record, call)


async def _tell_health(redis: Redis, keys: Keys, record: SessionRecord, call: LiveCall) -> None:
    bad = record.state is SessionState.FAILED
    if bad and record.reason not in PROVIDERS:
        return
    book = HealthBook(redis, keys)
    why = record.reason if bad else ""
    await book.note_call(call.target, record.id, good=not bad, patience=call.patience, now=time.time(), why=why)
