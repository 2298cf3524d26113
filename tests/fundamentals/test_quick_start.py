"""The README's Quick Start, run as written: no server, no key, no network."""

from __future__ import annotations

import asyncio

from voicebackend import BackendConfig, PipelineType, SessionConfig, VoiceBackend


async def test_the_quick_start_runs_as_written() -> None:
    """Its five bytes of audio are answered by the agent, in audio."""
    config = BackendConfig(
        provider="mock",  # or "local", "livekit", "pipecat", ...
        pipeline_type=PipelineType.STT_TTS,
        stt_provider="mock",
        tts_provider="mock",
    )

    async with VoiceBackend(config) as backend:
        session = await backend.create_session(
            SessionConfig(
                user_id="user-123",
                transport="websocket",
                agent_callback=lambda transcript: f"Hello! I received: {transcript}",
            )
        )
        async with session:
            await session.process_audio(bytes([1, 2, 3, 4, 5]))
            first = await asyncio.wait_for(anext(session.agent_audio()), 10)
            assert len(first) > 0
