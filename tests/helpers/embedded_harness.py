"""What the tests of the embedded library share: sessions that are spoken to, and the processes behind them."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Any

from voicebackend import (
    BackendConfig,
    SessionConfig,
    VoiceSession,
)
from voicebackend.events import Error, Transcript

CONFIG = BackendConfig(provider="mock", stt_provider="mock", tts_provider="mock")
LOUD = bytes([0, 32]) * 320
"""20 ms that the mock takes for speech."""
SESAME = "open-sesame"
"""What the auth hook of these tests lets in."""
HEARD = "hello from mock"
"""What the mock recognises unless told otherwise."""


def wanted(**fields: Any) -> SessionConfig:
    """Return a session config of user ``u``."""
    return SessionConfig(user_id="u", transport="websocket", **fields)


async def answer_of(session: VoiceSession) -> str:
    """Speak, and return what the agent says, once it is said."""
    await session.process_audio(LOUD)
    return await next_words(session)


async def next_words(session: VoiceSession) -> str:
    """Return what the agent says next, once it is said."""
    async with asyncio.timeout(15):
        async for message in session.events():
            if isinstance(message, Transcript) and message.role == "agent" and message.final:
                return message.text
    raise AssertionError("the session ended without an answer")


async def next_error(session: VoiceSession) -> Error:
    """Speak, and return the error that follows."""
    await session.process_audio(LOUD)
    async with asyncio.timeout(15):
        async for message in session.events():
            if isinstance(message, Error):
                return message
    raise AssertionError("the session ended without an error")


def children_of(pid: int) -> list[int]:
    """Return a process's children, the guardian of this one left out."""
    found = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [child for child in found if pid != os.getpid() or "guardian" not in command_of(child)]


def command_of(pid: int) -> str:
    """Return a process's command line."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""


def environment_of(pid: int) -> dict[str, str]:
    """Return a process's environment variables."""
    lines = Path(f"/proc/{pid}/environ").read_text().split("\0")
    return dict(line.split("=", 1) for line in lines if line)


def is_alive(pid: int) -> bool:
    """Tell whether a process runs; one that nobody waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
