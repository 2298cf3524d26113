"""A whole call by the provider: gateway, worker, and an agent that answers."""

from __future__ import annotations

import asyncio

from telegraph.sound import key, read

from voicebackend import BackendConfig, SessionConfig, VoiceBackend, VoiceSession

UNIT_S = 0.02
FRAME_BYTES = 640
SAID = "what hath god wrought"


def answer(transcript: str) -> str:
    """Answer in kind."""
    return f"copied {transcript}"


async def hear(session: VoiceSession, heard: bytearray) -> None:
    """Keep what the agent keys."""
    async for pcm in session.agent_audio():
        heard += pcm


async def speak(session: VoiceSession) -> None:
    """Key something, then be silent on the line."""
    pcm = b"".join(key(word, 16_000, UNIT_S) for word in SAID.split())
    while True:
        frame, pcm = pcm[:FRAME_BYTES], pcm[FRAME_BYTES:]
        await session.process_audio(frame.ljust(FRAME_BYTES, b"\0"))
        await asyncio.sleep(0.02)


async def test_a_call_in_morse_code_is_answered_in_morse_code() -> None:
    """To the letter, both ways."""
    config = BackendConfig(provider="telegraph", provider_config={"unit": UNIT_S})
    heard, texts = bytearray(), list[tuple[str, str]]()
    async with VoiceBackend(config) as backend:
        session = await backend.create_session(SessionConfig(user_id="u", transport="websocket", agent_callback=answer))
        async with session, asyncio.timeout(60):
            tasks = [asyncio.create_task(work) for work in (hear(session, heard), speak(session))]
            async for event in session.events():
                if event.type == "transcript" and event.final:
                    texts.append((event.role, event.text.strip()))
                    if event.role == "agent":
                        break
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
    assert texts == [("user", SAID), ("agent", f"copied {SAID}")]
    assert read(bytes(heard), session.sample_rate, UNIT_S) == f"copied {SAID}"
