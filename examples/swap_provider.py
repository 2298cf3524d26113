"""The same program with another provider: configuration only, here from the first argument."""

import asyncio
import sys

from voicebackend import BackendConfig, SessionConfig, VoiceBackend

CONFIGS = {
    "mock": BackendConfig(provider="mock"),
    "local": BackendConfig(provider="local", stt_provider="moonshine", tts_provider="hibari"),
}


async def main(provider: str) -> None:
    async with VoiceBackend(CONFIGS[provider]) as backend:
        session = await backend.create_session(
            SessionConfig(user_id="user-123", transport="websocket", agent_callback=lambda text: f"You said: {text}")
        )
        print(f"{session.view.provider}: {await backend.health_check()}")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1] if len(sys.argv) > 1 else "mock"))
