"""LiveKit Agents' default endpointing: an AgentSession with its own voice detector, turn detector and delays.

Without LiveKit's cloud that is turn-detector-v1-mini, on this machine. Its models may be used within LiveKit Agents
only, and no other model may be developed from what they give: they run here in their own session, to be scored, and
nothing of ours is fitted to their answers.
"""

from __future__ import annotations

import stage

LOOP = stage.virtual_time()

import asyncio
import logging
from collections.abc import Awaitable, Callable

from livekit import rtc
from livekit.agents import Agent, AgentSession, StopResponse, llm, stt, utils
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS
from livekit.agents.voice import io

logging.getLogger("livekit").setLevel(logging.ERROR)


class Ear(io.AudioInput):
    def __init__(self) -> None:
        super().__init__(label="turns")
        self.frames = utils.aio.Chan[rtc.AudioFrame]()

    async def __anext__(self) -> rtc.AudioFrame:
        return await self.frames.__anext__()

    async def push(self, pcm: bytes) -> None:
        self.frames.send_nowait(rtc.AudioFrame(pcm, stage.RATE, 1, len(pcm) // 2))


class Stt(stt.STT):
    """Takes whole utterances, so the session gives it one after each end of speech that its voice detector hears."""

    def __init__(self, text: str) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=False, interim_results=False))
        self.text = text

    async def _recognize_impl(self, buffer, *, language, conn_options):
        await asyncio.sleep(stage.STT_S)
        data = stt.SpeechData(text=self.text, language="en")
        return stt.SpeechEvent(type=stt.SpeechEventType.FINAL_TRANSCRIPT, alternatives=[data])


class Llm(llm.LLM):
    """Is never asked: every turn ends with StopResponse. Without one, the session takes no turns."""

    def chat(self, *, chat_ctx, tools=None, conn_options=DEFAULT_API_CONNECT_OPTIONS, **_):
        raise NotImplementedError


class Listener(Agent):
    def __init__(self, decided: Callable[[], None]) -> None:
        super().__init__(instructions="Listen.")
        self.decided = decided

    async def on_user_turn_completed(self, turn_ctx, new_message) -> None:
        self.decided()
        raise StopResponse


async def listen(text: str, decided: Callable[[], None]) -> tuple[stage.Push, Callable[[], Awaitable[None]]]:
    ear = Ear()
    session = AgentSession(stt=Stt(text), llm=Llm(), turn_handling={"preemptive_generation": {"enabled": False}})
    session.input.audio = ear
    await session.start(Listener(decided))
    return ear.push, session.aclose


if __name__ == "__main__":
    stage.main(LOOP, listen)
