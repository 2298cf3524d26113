"""An agent that yields its answer: the first sentence is spoken while the second is still being thought of."""

import asyncio
from collections.abc import AsyncIterator

from voicebackend import BackendConfig, SessionConfig, VoiceBackend


async def answer(transcript: str) -> AsyncIterator[str]:
    yield f"You said: {transcript}. "
    await asyncio.sleep(0.1)
    yield "Is there anything else?"


async def main() -> None:
    async with VoiceBackend(BackendConfig(provider="mock")) as backend:
        session = await backend.create_session(
            SessionConfig(user_id="user-123", transport="websocket", agent_callback=answer)
        )
        async with session:
            await session.process_audio(b"\x10\x20" * 1600)
            spoken = 0
            async for audio in session.agent_audio():
                spoken += len(audio)
                if spoken > 16_000:
                    break
            print(f"the agent spoke for {spoken / 32_000:.1f} s so far")


if __name__ == "__main__":
    asyncio.run(main())
