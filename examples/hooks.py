"""Hooks: who may do what, how often, and where telephone calls go. Plain objects of this process."""

import asyncio
from collections.abc import Mapping
from typing import Any

from voicebackend import BackendConfig, SessionConfig, VoiceBackend
from voicebackend.errors import RateLimitExceeded


class TwoCallsEach:
    """Allows every user two sessions."""

    def __init__(self) -> None:
        self.seen: dict[str, int] = {}

    async def allow(self, key: str) -> bool:
        self.seen[key] = self.seen.get(key, 0) + 1
        return self.seen[key] <= 2

    async def wait(self, key: str) -> None:
        """Not used here."""


class ByCountry:
    """Sends every call to the mock, and knows who called."""

    async def route_call(self, phone_number: str, metadata: Mapping[str, Any]) -> str:
        print(f"a call to {phone_number}")
        return "mock"

    async def handle_sip(self, message: bytes, metadata: Mapping[str, Any]) -> bytes:
        return b""

    async def call_metadata(self, call_id: str) -> Mapping[str, Any]:
        return {"caller_id": "+15550100"}


async def main() -> None:
    config = BackendConfig(provider="mock", rate_limiter=TwoCallsEach(), telephony_hook=ByCountry())
    async with VoiceBackend(config) as backend:
        call = SessionConfig(
            user_id="user-123",
            transport="telephony",
            agent_callback=lambda text: "Welcome.",
            metadata={"phone_number": "+15550111", "call_id": "c1"},
        )
        first = await backend.create_session(call)
        print(f"the session knows its caller: {first.view.metadata['caller_id']}")
        await backend.create_session(call)
        try:
            await backend.create_session(call)
        except RateLimitExceeded as error:
            print(error)
        else:
            raise RuntimeError("a third call was allowed")


if __name__ == "__main__":
    asyncio.run(main())
