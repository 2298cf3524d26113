"""Tickets: short stand-ins for tokens, of letters and digits, for carriers that hand back nothing else."""

from __future__ import annotations

import re
import secrets
from typing import Any

from redis.asyncio import Redis

from control.access.tokens import TOKEN_S
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

_TICKET = re.compile(r"[0-9a-f]{48}")


async def ticket_for(redis: Redis, keys: Keys, token: str) -> str:
    """Return a ticket that a token can be had for, once, as long as the token is good; ``redis`` is ``state``."""
    ticket = secrets.token_hex(24)
    with redis_errors("ticket"):
        await redis.set(keys.ticket(ticket), token, ex=TOKEN_S)
    return ticket


async def token_of(redis: Redis, keys: Keys, ticket: str) -> str:
    """Return the token of a ticket, which is used up by that; empty if it is none, or was used before."""
    if _TICKET.fullmatch(ticket) is None:
        return ""
    with redis_errors("ticket"):
        found: Any = await redis.getdel(keys.ticket(ticket))
    return found.decode() if found else ""
