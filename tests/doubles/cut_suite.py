"""Whole conversations whose connection to the vendor is cut at random moments: each provider inherits the suite.

Everything else is real, as in ``conversation_suite``. A caller who is not answered says it again, once; then the call
is lost, and its caller must have been told why.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from contextlib import AsyncExitStack, suppress
from typing import Any

import pytest
from listening import answer_to
from tone_caller import ToneCaller, on_the_line

from providers.conformance.double import Double
from voicebackend import BackendConfig, SessionConfig, VoiceBackend, VoiceSession
from voicebackend.errors import SessionLimitExceeded
from voicebackend.events import Error

CALLS, AT_ONCE = 20, 4
SURVIVORS = 18
TURNS = ("yellow canary", "green parrot", "goodbye")
TALK_S = 4.5
"""Seconds that such a conversation takes at least."""
PATIENCE_S = 6.0
"""Seconds after which a caller says it again."""


class CutSuite:
    """Subclasses give the fixtures ``double``, running, and ``config``, which reaches it: a websocket for each call."""

    agent: Any = None
    """Answers where the provider has no agent of its own."""

    @pytest.mark.timeout(240)
    async def test_calls_go_on_over_cut_connections(self, config: BackendConfig, double: Double) -> None:
        """Nine of ten or more, at moments that are the same in each run; and nothing is left open."""
        source = random.Random(5)  # noqa: S311 - no secret
        moments = [source.uniform(0, TALK_S) for _ in range(CALLS)]
        outcomes: Counter[str] = Counter()
        async with VoiceBackend(config) as backend:
            for first in range(0, CALLS, AT_ONCE):
                outcomes.update(await self._calls(backend, double, moments[first : first + AT_ONCE]))
        print(f"\n{type(self).__name__}: {dict(outcomes)}, {double.broken} connections cut")  # noqa: T201 - the figures
        assert double.broken >= SURVIVORS
        assert outcomes["unnoticed"] + outcomes["said again"] >= SURVIVORS
        assert await double.released()

    async def _calls(self, backend: VoiceBackend, double: Double, moments: list[float]) -> list[str]:
        """Hold a call for each moment, at which it is cut; return what became of them."""
        wanted = {} if self.agent is None else {"agent_callback": self.agent}
        callers, loop = [], asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            cuts = []
            for _ in moments:  # one after the other: the next socket is this call's
                before = set(double.sockets)
                session = await _admitted(backend, SessionConfig(user_id="u", transport="websocket", **wanted))
                callers.append(await stack.enter_async_context(on_the_line(session)))
                cuts.append(await double.call_after(before))
            for moment, ws in zip(moments, cuts, strict=True):
                loop.call_later(moment, double.cut, ws)
            return await asyncio.gather(*(self._held(caller) for caller in callers))

    async def _held(self, caller: ToneCaller) -> str:
        outcome = "unnoticed"
        for text in TURNS:
            if await self._answered(caller, text):
                continue
            outcome = "said again"
            if not await self._answered(caller, text):
                assert "connection_failed" in [event.code for event in caller.events if isinstance(event, Error)]
                return "lost"
        return outcome

    async def _answered(self, caller: ToneCaller, text: str) -> bool:
        """Say something, and tell whether it is answered to the letter."""
        caller.say(text)
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                await caller.until(lambda: answer_to(text) in [said.strip() for said in caller.transcripts("agent")])
                return True
        return False


async def _admitted(backend: VoiceBackend, config: SessionConfig) -> VoiceSession:
    """Create a session; a worker on a machine that is busy with other tests takes none for some seconds."""
    async with asyncio.timeout(60):
        while True:
            with suppress(SessionLimitExceeded):
                return await backend.create_session(config)
            await asyncio.sleep(1)
