"""Minds the silence of a call: says the prompts when they are due, and ends the call when nobody answers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from worker.pipelines.snapshot import PresenceSnapshot
from worker.turns.silence import HangUp, Prompt, Silence

logger = logging.getLogger(__name__)

GOODBYE_S = 15.0
"""Seconds that a goodbye may take."""
LAST_WORDS_S = 120.0
"""Seconds that what somebody wants said before the end may take."""


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
        self._parting = ""
        self._last_words: tuple[str, str] | None = None

    def snapshot(self) -> PresenceSnapshot:
        """Return the clocks as another worker has to know them."""
        ends_at, since, prompted = self._silence.counted
        since = None if since is None else round(since, 2)
        return PresenceSnapshot(ends_at=round(ends_at, 2), since=since, prompted=prompted, parting=self._parting)

    def restore(self, snapshot: PresenceSnapshot) -> None:
        """Before ``run``: let the clocks stand as another worker's; a goodbye that was begun is not said again."""
        self._silence.recount(snapshot.ends_at, snapshot.since, snapshot.prompted)
        self._parting = snapshot.parting

    def leave(self, text: str, reason: str) -> None:
        """Have this said to its end, whoever speaks, and then the call ended for this reason; the first counts."""
        self._last_words = self._last_words or (text, reason)
        self._changed.set()

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
        if self._parting:
            await self._wait_out()
            return self._parting
        while True:
            self._changed.clear()
            if self._last_words is not None:
                text, self._parting = self._last_words
                await self._part(text, LAST_WORDS_S)
                return self._parting
            match self._silence.due(clock()):
                case Prompt(text):
                    logger.info("nobody speaks: prompting")
                    if await self._prompt(text):
                        self._silence.prompted()
                case HangUp(reason, goodbye):
                    self._parting = str(reason)
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

    async def _wait_out(self) -> None:
        """Let a goodbye that another worker had begun be heard."""
        self._changed.clear()
        await self._wait(GOODBYE_S)

    async def _part(self, goodbye: str | None, within_s: float = GOODBYE_S) -> None:
        if goodbye is None:
            return
        try:
            async with asyncio.timeout(within_s):
                await self._say_goodbye(goodbye)
        except TimeoutError:
            logger.warning("goodbye took too long")
