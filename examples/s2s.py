"""A speech-to-speech pipeline: one model listens and speaks; no agent is needed."""

import asyncio

from voicebackend import BackendConfig, PipelineType, SessionConfig, VoiceBackend


async def main() -> None:
    config = BackendConfig(provider="mock", pipeline_type=PipelineType.S2S, provider_config={"replies": ["Good day."]})
    async with VoiceBackend(config) as backend:
        session = await backend.create_session(SessionConfig(user_id="user-123", transport="websocket"))
        async with session:
            await session.process_audio(b"\x10\x20" * 1600)
            async for event in session.events():
                if event.type == "transcript" and event.role == "agent" and event.final:
                    print(event.text)
                    break


if __name__ == "__main__":
    asyncio.run(main())
