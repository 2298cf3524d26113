"""Minds the silence of a call: says the prompts when they are due, and ends the call when nobody answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from worker.turns.silence import HangUp, Prompt, Silence

logger = logging.getLogger(__name__)

GOODBYE_S = 15.0
"""Seconds that a goodbye may take."""


class Presence:
    """Runs as one task beside the conversation.

    ``prompt`` begins to say its words, or returns False where someone else speaks; ``part`` returns when its words
    have been heard, whoever spoke.
    """

    def __init__(
        self, silence: Silence, *, prompt: Callable[[str], Awaitable[bool]], part: Callable[[str], Awaitable[None]]
    ) -> None:
        self._silence, self._prompt, self._say_goodbye = silence, prompt, part
        self._changed = asyncio.Event()

    def active(self) -> None:
        """Someone speaks or thinks, or the caller is on hold."""
        self._silence.broken()

    def answered(self) -> None:
        """The caller said something."""
        self._silence.answered()

    def quiet(self) -> None:
        """Both sides have fallen silent."""
        self._silence.fell(asyncio.get_running_loop().time())
        self._changed.set()

    async def run(self) -> str:
        """Return why the call is to end, once it is."""
        clock = asyncio.get_running_loop().time
        while True:
            self._changed.clear()
            match self._silence.due(clock()):
                case Prompt(text):
                    logger.info("nobody speaks: prompting")
                    if await self._prompt(text):
                        self._silence.prompted()
                case HangUp(reason, goodbye):
                    await self._part(goodbye)
                    return str(reason)
                case None:
                    await self._wait(max(0.0, self._silence.next_at - clock()))

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._changed.wait()
        except TimeoutError:
            pass

    async def _part(self, goodbye: str | None) -> None:
        if goodbye is None:
            return
        try:
            async with asyncio.timeout(GOODBYE_S):
                await self._say_goodbye(goodbye)
        except TimeoutError:
            logger.warning("goodbye took too long")
