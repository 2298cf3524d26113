"""A model that hears: it is given the caller's own voice beside the words that were recognised.

Any chat model that takes audio will do in the place of this one, which costs nothing: ``init_chat_model("…")``.
"""

import asyncio
import io
import wave
from base64 import b64decode
from typing import Any

from langchain_core.runnables import RunnableLambda

from voicebackend import BackendConfig, SessionConfig, VoiceBackend
from voicebackend.testing import Caller

SPEECH = b"\x10\x20" * 16_000
"""A second of a sound that ``mock`` takes for speech."""


def listen(told: dict[str, Any]) -> str:
    """Stand for a model that costs money: say what it was given."""
    words, sound = told["messages"][-1].content_blocks
    with wave.open(io.BytesIO(b64decode(sound["base64"]))) as voice:
        seconds = voice.getnframes() / voice.getframerate()
    return f"You said {words['text']}, and it took you {seconds:.0f} second."


async def main() -> None:
    config = BackendConfig(provider="mock", multimodal_model=RunnableLambda(listen))
    async with VoiceBackend(config) as backend:
        wanted = SessionConfig(user_id="user-123", transport="websocket")
        async with await backend.create_session(wanted) as session:
            caller = Caller(session)
            await caller.speak(SPEECH)
            print(f"agent: {await caller.hear()}")


if __name__ == "__main__":
    asyncio.run(main())
