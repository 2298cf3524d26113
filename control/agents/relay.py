"""Carries text from an agent into its reply: what can be spoken at once, the rest a few pieces at a time."""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from control.agents.reply import AgentReply
from voicebackend.digits import CollectDigits

logger = logging.getLogger(__name__)

COALESCE_S = 0.05
"""Seconds for which text is gathered into one delta, after the first, if no clause ends with it."""
WANTED_S = 0.2
"""Seconds between looks at whether the answer is still wanted."""
CLOSING_S = 1.0
"""Seconds that an async agent has to end once it is cancelled."""
_CLAUSE_END = re.compile(r"[.!?…,;:。！？，；：、\n]")


class Relay:
    """Carries an agent's text into its reply as it comes, until it ends or is no longer wanted."""

    def __init__(self, reply: AgentReply, is_wanted: Callable[[], Awaitable[bool]]) -> None:
        self._reply, self._is_wanted = reply, is_wanted
        self._arrived, self._urgent = asyncio.Event(), asyncio.Event()
        self._ended = False
        self._looked = time.monotonic()

    async def run(self, texts: AsyncGenerator[str, None]) -> bool:
        """Return True when all was sent, False when nobody wants it; raises what the agent raises."""
        reader = asyncio.create_task(self._read(texts), name="agent-texts")
        try:
            whole = await self._forward()
            if whole:
                await reader
            return whole
        finally:
            reader.cancel()
            await _end(reader)

    def collect(self, request: CollectDigits) -> None:
        """Have the caller's keys collected from now on."""
        self._reply.collect(request)
        self._arrived.set()
        self._urgent.set()

    async def _read(self, texts: AsyncGenerator[str, None]) -> None:
        try:
            async with aclosing(texts):
                async for text in texts:
                    self._reply.add(text)
                    self._arrived.set()
                    if _CLAUSE_END.search(text):
                        self._urgent.set()
                    await asyncio.sleep(0)  # an agent that never waits must not keep the loop from others
        finally:
            self._ended = True
            self._arrived.set()
            self._urgent.set()

    async def _forward(self) -> bool:
        while True:
            await _until(self._arrived, WANTED_S)
            self._arrived.clear()
            self._urgent.clear()
            ended = self._ended
            if not await self._reply.flush():
                return False
            if ended:
                return True
            if not await self._still_wanted():
                return False
            await _until(self._urgent, COALESCE_S)

    async def _still_wanted(self) -> bool:
        if time.monotonic() - self._looked < WANTED_S:
            return True
        self._looked = time.monotonic()
        return await self._is_wanted()


async def _end(reader: asyncio.Task[None]) -> None:
    reader.cancel()
    await asyncio.wait({reader}, timeout=CLOSING_S)
    if not reader.done():
        logger.error("an async agent ignores its cancellation")
    elif not reader.cancelled():
        reader.exception()  # raised by run already, or no longer of interest


async def _until(event: asyncio.Event, timeout_s: float) -> None:
    try:
        async with asyncio.timeout(timeout_s):
            await event.wait()
    except TimeoutError:
        pass
