"""The receipts of what an erasure deleted, page by page: as whoever asked for it is shown that it was done."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from redis.asyncio import Redis

from control.records.receipt import Receipt
from voicebackend._redis import redis_errors
from voicebackend.errors import InvalidConfig
from voicebackend.keys import Keys

_OP = "erasure_receipts"
_CURSOR = re.compile(r"\d{1,15}-\d{1,9}")


async def receipts_of(
    redis: Redis, keys: Keys, tenant: str, subject: str, *, since: float, limit: int, cursor: str = ""
) -> tuple[list[Receipt], str]:
    """Return receipts of a subject's erasure, oldest first, and the cursor of the next page, empty on the last.

    ``since`` is when it was asked for by Redis' clock, seconds since the epoch; ``limit`` the most in one page, from 1.

    Raises:
        InvalidConfig: the cursor is none of ours.
        ConnectionFailed: Redis is not there.

    """
    if cursor and not _CURSOR.fullmatch(cursor):
        raise InvalidConfig(_OP, "cursor: from the page before", details={"field": "cursor"})
    first = f"({cursor}" if cursor else f"{int(since * 1000)}-0"
    with redis_errors(_OP):
        rows: Any = await redis.xrange(keys.records_erased_receipts(tenant, subject), first, "+", count=limit + 1)
    found = [Receipt.parse(fields[b"r"].decode()) for _, fields in rows[:limit]]
    return found, _following(rows, limit)


def _following(rows: Sequence[Any], limit: int) -> str:
    return str(rows[limit - 1][0].decode()) if len(rows) > limit else ""
