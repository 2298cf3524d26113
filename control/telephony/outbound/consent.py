"""The consent to a call, kept longer than the call: who calls may have to show it years later."""

from __future__ import annotations

import json
from typing import Any

from redis.asyncio import Redis

from control.telephony.outbound.call import OutboundCall
from voicebackend._redis import redis_errors
from voicebackend.keys import Keys

KEEP_S = 5 * 366 * 86_400
"""Seconds for which it is kept: five years."""


def entry_of(call: OutboundCall) -> str:
    """Return what is kept of a call's consent, as JSON; empty if it has none."""
    asked = call.request
    if asked.consent is None:
        return ""
    consent = asked.consent.model_dump(mode="json")
    return json.dumps(
        {"call": call.id, "tenant": call.tenant, "to": asked.to, "created_at": call.created_at, **consent}
    )


async def find(redis: Redis, keys: Keys, call: str, tenant: str) -> dict[str, Any] | None:
    """Return the consent to a call of a tenant; None if there is none, or it is another tenant's."""
    with redis_errors("get_consent"):
        raw: Any = await redis.get(keys.outbound_consent(call))
    found: dict[str, Any] = json.loads(raw) if raw else {}
    return found if found.get("tenant") == tenant else None
