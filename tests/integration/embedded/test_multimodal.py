"""A model that hears, in real sessions: it is brought the caller's own voice beside the words."""

from __future__ import annotations

import asyncio
import io
import wave
from base64 import b64decode
from collections.abc import AsyncIterator
from typing import Any

import pytest
from embedded_harness import CONFIG, HEARD, next_words, wanted
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk
from voices import recordings

from voicebackend import VoiceBackend, VoiceSession
from voicebackend.errors import SessionLimitExceeded

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]

FRAME = 640
"""Bytes of 20 ms."""


class Hearing(GenericFakeChatModel):
    """LangChain's fake, which keeps what it is told."""

    told: list[list[BaseMessage]]

    async def _astream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any
    ) -> AsyncIterator[ChatGenerationChunk]:
        self.told.append(messages)
        yield ChatGenerationChunk(message=AIMessageChunk(content="I heard you."))


async def opened(backend: VoiceBackend) -> VoiceSession:
    """Return a session; a machine so busy that its worker takes none is waited for."""
    async with asyncio.timeout(60):
        while True:
            try:
                return await backend.create_session(wanted())
            except SessionLimitExceeded:
                await asyncio.sleep(0.5)


async def speak(session: VoiceSession, pcm: bytes) -> None:
    """Speak in real time, then be silent."""
    for start in range(0, len(pcm), FRAME):
        await session.process_audio(pcm[start : start + FRAME])
        await asyncio.sleep(0.02)


async def test_a_model_that_hears_is_brought_the_caller_s_voice() -> None:
    """A recorded voice, over all the way: what the model is given is the very recording, beside its words."""
    model = Hearing(messages=iter(()), told=[])
    recording = next(found for found in recordings() if "yes_please" in found.name).pcm
    async with VoiceBackend(CONFIG.with_multimodal_model(model)) as backend, await opened(backend) as session:
        assert session.view.agent == "config:chat_model"
        await speak(session, recording)
        assert await next_words(session) == "I heard you."
        await session.send_text("And in writing?")
        assert await next_words(session) == "I heard you."
    spoken, typed = model.told[0][-1], model.told[-1][-1]
    text, sound = spoken.content_blocks
    assert (spoken.type, text["type"], sound["type"]) == ("human", "text", "audio")
    assert str(spoken.text) == HEARD
    assert sound.get("mime_type") == "audio/wav"
    with wave.open(io.BytesIO(b64decode(str(sound.get("base64"))))) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (16_000, 1, 2)
        heard = file.readframes(file.getnframes())
    middle = recording[FRAME * 20 : FRAME * 40]
    assert middle in heard
    assert str(typed.content) == "And in writing?"
