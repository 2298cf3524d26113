"""Ten callers at once; each hears the answer to what they said and to nothing else."""

import asyncio

from voicebackend import BackendConfig, SessionConfig, VoiceBackend
from voicebackend.agents import Turn, agent


@agent("greeter")
def greet(turn: Turn) -> str:
    return f"Hello {turn.user_id}."


async def call(backend: VoiceBackend, user: str) -> str:
    session = await backend.create_session(SessionConfig(user_id=user, transport="websocket", agent="greeter"))
    async with session:
        await session.process_audio(b"\x10\x20" * 1600)
        async for event in session.events():
            if event.type == "transcript" and event.role == "agent" and event.final:
                return event.text
    raise RuntimeError("the agent said nothing")


async def main() -> None:
    async with VoiceBackend(BackendConfig(provider="mock")) as backend:
        users = [f"user-{number}" for number in range(10)]
        answers = await asyncio.gather(*(call(backend, user) for user in users))
    assert answers == [f"Hello {user}." for user in users], answers  # noqa: S101 - the point of the example
    print("\n".join(answers))


if __name__ == "__main__":
    asyncio.run(main())
