"""Somebody who calls, for tests: says something, and hears what the agent answers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from voicebackend.errors import OperationTimeout, from_code
from voicebackend.events import Error, ServerMessage, Transcript

HEAR_S = 15.0
"""Seconds that an answer may take."""


class CallerSession(Protocol):
    """What a caller does with a session: a VoiceSession, or the mock's."""

    async def send_text(self, text: str) -> None:
        """Take what the caller says, in writing."""
        ...

    async def process_audio(self, pcm: bytes) -> None:
        """Take what the caller says, as 16-bit mono PCM."""
        ...

    def events(self) -> AsyncIterator[ServerMessage]:
        """Yield what happens."""
        ...


class Caller:
    """Talks to one session's agent; ``session`` is what it talks on."""

    def __init__(self, session: Any, *, timeout_s: float = HEAR_S) -> None:
        self.session: Any = session
        self._talk: CallerSession = session
        self._timeout_s = timeout_s
        self._events: AsyncIterator[ServerMessage] | None = None

    async def ask(self, text: str) -> str:
        """Say something, and return the agent's answer; raises as :meth:`hear`."""
        await self.say(text)
        return await self.hear()

    async def say(self, text: str) -> None:
        """Say something: the agent is given these words, no recogniser is asked."""
        await self._talk.send_text(text)

    async def speak(self, pcm: bytes) -> None:
        """Speak: 16-bit mono PCM at the session's rate, for the recogniser."""
        await self._talk.process_audio(pcm)

    async def hear(self) -> str:
        """Return what the agent says next, once it is said.

        Raises:
            VoiceBackendError: what the session tells of instead.
            OperationTimeout: the agent said nothing in time.

        """
        self._events = self._events or self._talk.events()
        try:
            async with asyncio.timeout(self._timeout_s):
                async for event in self._events:
                    if isinstance(event, Error):
                        raise from_code(event.code, "hear", event.message)
                    if isinstance(event, Transcript) and event.role == "agent" and event.final:
                        return event.text
        except TimeoutError as error:
            raise OperationTimeout("hear", f"the agent said nothing in {self._timeout_s:g} s") from error
        raise OperationTimeout("hear", "the session ended before the agent said anything")
