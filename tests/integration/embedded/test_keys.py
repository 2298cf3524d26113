"""Agents of the embedding process ask for keys too."""

from __future__ import annotations

from typing import Any

import pytest
from call_harness import calling

from voicebackend import BackendConfig, VoiceBackend
from voicebackend.agents import Turn
from voicebackend.errors import AgentError

pytestmark = [pytest.mark.integration, pytest.mark.own_redis("the embedded library starts its own")]
CONFIG = BackendConfig(
    provider="mock", provider_config={"decode": True, "seconds_per_character": 0.03}, enable_tracing=False
)
NUMBER = "45395787"


def asking(*, sensitive: bool, revealed: list[str]) -> Any:
    """Return an agent that asks for keys, and keeps what it was given."""

    def agent(turn: Turn) -> str:
        if turn.digits is None:
            turn.collect_digits(max_digits=8, first_timeout=30, next_timeout=20, sensitive=sensitive)
            return "your number please"
        revealed.append(turn.digits.reveal())
        try:
            revealed.append(turn.digits.reveal())
        except AgentError:
            return f"{turn.transcript} once"
        return f"{turn.transcript} twice"

    return agent


@pytest.mark.parametrize(("sensitive", "answer"), [(True, "[8 digits] once"), (False, f"{NUMBER} twice")])
async def test_an_agent_here_is_given_what_was_pressed(sensitive: bool, answer: str) -> None:
    """Sensitive keys once, others as often as it likes; it is called from another process."""
    revealed: list[str] = []
    agent = asking(sensitive=sensitive, revealed=revealed)
    async with VoiceBackend(CONFIG) as backend, calling(backend, agent=agent) as caller:
        assert await caller.ask("hello there") == "your number please"
        for key in NUMBER:
            await caller._socket.send_json({"type": "dtmf", "digit": key})
        assert (await caller.until("transcript", role="agent", final=True, turn=2))["text"] == answer
    assert set(revealed) == {NUMBER}
