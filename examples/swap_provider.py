"""The same program with another provider: change ``provider`` in the YAML file, and nothing else."""

import asyncio
import sys
from pathlib import Path

from voicebackend import BackendConfig, SessionConfig, VoiceBackend, VoiceSession

CONFIG = Path(__file__).with_name("swap_provider.yaml")
SPEECH = b"\x10\x20" * 16_000
"""A second of a sound that ``mock`` takes for speech; give a file of 16 kHz PCM to say something."""


def answer(transcript: str) -> str:
    return f"you said {transcript}"


async def main(path: Path, speech: bytes = SPEECH) -> None:
    config = BackendConfig.from_yaml(path)
    async with VoiceBackend(config) as backend:
        [found] = [one for one in await backend.list_providers() if one["name"] == config.provider]
        able = found["capabilities"]
        who = "our agent answers" if able["uses_agent"] else "answers by itself, our agent is left out"
        print(f"{config.provider}: {who}")
        session = await backend.create_session(
            SessionConfig(user_id="user-123", transport=able["transports"][-1], agent_callback=answer)
        )
        if session.view.join:
            print(f"the caller joins a room at {session.view.join.url}")
            await session.stop()
        else:
            await talk(session, speech)


async def talk(session: VoiceSession, speech: bytes) -> None:
    async with session:
        await session.process_audio(speech + bytes(16_000))
        async for event in session.events():
            if event.type == "transcript" and event.final:
                print(f"{event.role}: {event.text}")
                if event.role == "agent":
                    return


if __name__ == "__main__":
    given = [Path(argument) for argument in sys.argv[1:]]
    asyncio.run(main(given[0] if given else CONFIG, given[1].read_bytes() if given[1:] else SPEECH))
