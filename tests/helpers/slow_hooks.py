"""Hooks of a deployment that take too long for a carrier, by the trunk that a call comes by."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

HOOK_S = 3.0
"""Seconds that the hook takes about calls of trunks named ``…-hook``."""
SESSION_S = 1.3
"""Seconds that a session takes to be had for calls of trunks named ``…-target``."""
NEVER_S = 60.0
"""Seconds that one takes for calls of trunks named ``…-never``."""


class Telephony:
    """Names another target, too late."""

    async def route_call(self, phone_number: str, metadata: Mapping[str, Any]) -> str:
        """Return where a call of some trunks would rather go."""
        del phone_number
        if metadata["trunk"].endswith("-hook"):
            await asyncio.sleep(HOOK_S)
            return "late"
        return ""

    async def handle_sip(self, message: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Answer nothing."""
        del message, metadata
        return b""

    async def call_metadata(self, call_id: str) -> Mapping[str, Any]:
        """Know nothing."""
        del call_id
        return {}


class Limiter:
    """Lets every session be made, some of them late."""

    async def allow(self, key: str) -> bool:
        """Take its time for some trunks."""
        if "-target:" in key:
            await asyncio.sleep(SESSION_S)
        elif "-never:" in key:
            await asyncio.sleep(NEVER_S)
        return True

    async def wait(self, key: str) -> None:
        """Not needed here."""
        del key


telephony, limiter = Telephony(), Limiter()
