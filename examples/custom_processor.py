"""An audio processor: an object with a name, an order, stages and one method; the core need not change."""

import asyncio
from collections.abc import Mapping
from typing import Any

import numpy as np

from voicebackend import BackendConfig, SessionConfig, VoiceBackend
from voicebackend.hooks import Stage


class Gain:
    """Makes the caller twice as loud."""

    name = "gain"
    order = 1
    stages = frozenset({Stage.PRE_STT, Stage.PRE_S2S})

    def __init__(self) -> None:
        self.frames = 0

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        self.frames += 1
        louder = np.frombuffer(audio, "<i2").astype(np.int32) * 2
        return np.clip(louder, -32768, 32767).astype("<i2").tobytes()


async def main() -> None:
    gain = Gain()
    config = BackendConfig(provider="mock").with_custom_processors([gain])
    async with VoiceBackend(config) as backend:
        session = await backend.create_session(
            SessionConfig(user_id="user-123", transport="websocket", agent_callback=lambda text: "Thank you.")
        )
        async with session:
            await session.process_audio(b"\x10\x20" * 1600)
            async for _ in session.agent_audio():
                break
    print(f"{gain.frames} pieces of caller audio were made louder")
    assert gain.frames > 0  # noqa: S101 - the point of the example


if __name__ == "__main__":
    asyncio.run(main())
