"""Whatever a model tells, in whatever order: the call goes on, nothing hangs, and only what was heard is remembered."""

from __future__ import annotations

import asyncio
import random

import pytest
from s2s_harness import FRAME, AgentDouble, Call, call, in_virtual_time

WORDS = ["hello there", "mhm", "no wait please", "yes", "", "okay"]
ANSWERS = ["Your balance is twenty dollars today.", "Yes.", "Of course, I can do that for you, sir."]
ACTS = ["started", "stopped", "partial", "final", "speaks", "done", "wait", "wait", "hold", "say"]
TAIL = 20
"""Characters by which the words that are remembered may be fewer than the sounds that were played."""


async def act(it: Call, chance: random.Random) -> None:
    """Do one thing, or let time pass."""
    match chance.choice(ACTS):
        case "started" | "stopped" as kind:
            it.model.notice(f"speech_{kind}")
        case "partial" | "final" as kind:
            it.model.notice("user_text", text=chance.choice(WORDS), final=kind == "final")
        case "speaks":
            it.model.speaks(chance.choice(ANSWERS), done=chance.random() < 0.7)
        case "done":
            it.model.notice("turn_done")
        case "hold":
            it.pipeline.hold(True)
            await asyncio.sleep(0.5)
            it.pipeline.hold(False)
        case "say":
            it.pipeline.say(FRAME * 3)
        case _:
            await asyncio.sleep(chance.choice([0.01, 0.1, 0.3, 1, 3]))


def check(it: Call) -> None:
    """Fail if the caller's side is left held, or something is remembered that was not heard."""
    stand = {
        event["turn"]: event["type"] for event in it.gateway.events if event["type"] in {"pause", "resume", "clear"}
    }
    assert "pause" not in stand.values()
    for turn, role, text in it.log.history():
        played, said = it.gateway.played(turn).replace(" ", ""), text.replace(" ", "")
        if role == "agent":
            assert played == said
        elif role == "agent!":
            assert played.startswith(said)
            assert len(played) - len(said) < TAIL


@pytest.mark.parametrize("with_agent", [False, True])
@pytest.mark.parametrize("first", range(0, 60, 20))
def test_any_model_leaves_a_call_that_goes_on(first: int, *, with_agent: bool) -> None:
    """Twenty conversations by chance, each the same every time; in the end the caller is answered."""
    for seed in range(first, first + 20):

        @in_virtual_time
        async def conversation(seed: int = seed) -> None:
            chance = random.Random(seed)  # noqa: S311 - the same every time
            answers = [[f"{first} ", second] for first in ANSWERS for second in ANSWERS] * 5
            async with call(agent=AgentDouble(*answers) if with_agent else None, greeting="Welcome.") as it:
                for _ in range(chance.randint(3, 25)):
                    await act(it, chance)
                it.model.notice("turn_done")
                it.model.notice("speech_stopped")
                await asyncio.sleep(200)
                check(it)
                it.model.hears("are you there")
                if not with_agent:
                    it.model.speaks("Yes, here.")
                await asyncio.sleep(30)
                assert [role for _, role, _ in it.log.history()[-2:]] == ["user", "agent"]

        conversation()
