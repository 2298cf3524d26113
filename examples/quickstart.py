"""A session with an agent that is a plain function of what the caller said."""

import asyncio

from voicebackend import BackendConfig, SessionConfig, VoiceBackend


def answer(transcript: str) -> str:
    return f"I heard: {transcript}"


async def main() -> None:
    async with VoiceBackend(BackendConfig(provider="mock")) as backend:
        session = await backend.create_session(
            SessionConfig(user_id="user-123", transport="websocket", agent_callback=answer)
        )
        async with session:
            await session.process_audio(b"\x10\x20" * 1600)
            async for event in session.events():
                if event.type == "transcript" and event.final:
                    print(f"{event.role}: {event.text}")
                    if event.role == "agent":
                        break


if __name__ == "__main__":
    asyncio.run(main())
