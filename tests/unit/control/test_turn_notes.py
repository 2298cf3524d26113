"""What an agent tells of tools and models: written where it may be, and nothing of it around sensitive keys."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from task_harness import LaneReader, a_placed_record, log_of, say, task_context

from control.context import TaskContext
from control.tasks.agents import AgentTurn
from voicebackend import agents
from voicebackend.agents import Turn
from voicebackend.digits import Collected, KeysEnd
from voicebackend.errors import InvalidConfig
from voicebackend.sealing import Seal
from voicebackend.settings import Deployment
from voicebackend.turn_notes import MAX_JSON

Register = Callable[[Callable[[Turn], Any]], None]
KEPT = {"tool_io": ["tools", 3600.0]}


@pytest.fixture
async def shared(deployment: Deployment) -> AsyncIterator[TaskContext]:
    """Give what tasks work with."""
    async with task_context(deployment, timeout=5) as context:
        yield context


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Register a function as the agent ``test`` for this test."""

    def put(function: Callable[[Turn], Any]) -> None:
        monkeypatch.setitem(agents._agents, "test", function)

    return put


async def notes_of(shared: TaskContext, *, collected: Collected | None = None, **record: Any) -> list[dict[str, Any]]:
    """Have a turn of a new session answered; return what its log has of tools and models."""
    made = a_placed_record(agent="test", **record)
    await shared.store.create(made)
    await say(shared, made.id, 1, "hello")
    noted: dict[Any, Any] = {"current": 1, "committed": 1, "said": "hello"}
    if collected is not None:
        noted["digits"] = collected.told()
    await shared.state.hset(shared.keys.turn(made.id, 1), mapping=noted)
    await AgentTurn(shared, made.id, 1, 1).answer()
    return [
        entry for entry in await log_of(shared.state, shared.keys, made.id) if entry["type"] in ("tool", "model_usage")
    ]


def weather(turn: Turn) -> Iterator[str]:
    """Ask a tool, and answer."""
    with turn.tool("weather", {"city": "Berlin"}) as call:
        call.result = {"sky": "grey"}
    turn.usage("openai", "small", input_tokens=90, output_tokens=4)
    yield "Grey."


async def test_a_tool_is_noted_where_a_policy_keeps_it(
    shared: TaskContext, lane: LaneReader, register: Register
) -> None:
    """With what it was asked and answered, when, and of which turn; what a model used is noted anyway."""
    register(weather)
    tool, usage = await notes_of(shared, retention=KEPT)
    assert (tool["name"], tool["arguments"], tool["result"]) == ("weather", {"city": "Berlin"}, {"sky": "grey"})
    assert (tool["turn"], tool["attempt"], tool["number"]) == (1, 1, 0)
    assert 0 < tool["from"] <= tool["to"]
    assert (usage["provider"], usage["amounts"]) == ("openai", {"input_tokens": 90.0, "output_tokens": 4.0})
    assert lane is not None


async def test_without_a_policy_no_tool_is_noted(shared: TaskContext, lane: LaneReader, register: Register) -> None:
    """Not even that there was one."""
    register(weather)
    assert [entry["type"] for entry in await notes_of(shared)] == ["model_usage"]
    assert lane is not None


async def test_an_async_agents_tools_and_failures_are_noted(
    shared: TaskContext, lane: LaneReader, register: Register
) -> None:
    """By the exception's class; what is no JSON becomes text, what is long is cut."""

    async def agent(turn: Turn) -> str:
        with suppress(ValueError), turn.tool("broken", {"at": object}):
            await asyncio.sleep(0)
            raise ValueError("secret words")
        with turn.tool("long") as call:
            call.result = "x" * 3 * MAX_JSON
        return "Done."

    register(agent)
    broken, long = await notes_of(shared, retention=KEPT)
    assert (broken["error"], broken["result"]) == ("ValueError", None)
    assert "secret" not in str(broken)
    assert isinstance(broken["arguments"]["at"], str)
    assert len(long["result"]) == MAX_JSON
    assert lane is not None


@pytest.mark.parametrize("how", ["given", "asked", "mode"])
async def test_around_sensitive_keys_a_tool_is_noted_without_what_was_said(
    shared: TaskContext, lane: LaneReader, register: Register, how: str
) -> None:
    """Of a turn that was given them, or asks for them, and while sensitive mode lasts."""

    def agent(turn: Turn) -> str:
        if how == "asked":
            turn.collect_digits(max_digits=16, sensitive=True)
        if how == "mode":
            shared.sync_state.set(shared.keys.masked(turn.session_id), "1", ex=60)
        with turn.tool("charge", {"card": "4111"}) as call:
            call.result = "paid 4111"
        return "Paid."

    register(agent)
    collected = None
    if how == "given":
        collected = Collected.of("4111", KeysEnd.UNTIL, Seal("of a test", "0" * 32), sensitive=True)
    (tool,) = await notes_of(shared, retention=KEPT, collected=collected)
    assert (tool["name"], tool["masked"], tool["arguments"], tool["result"]) == ("charge", True, None, None)
    assert "4111" not in str(tool)
    assert lane is not None


def test_amounts_are_checked() -> None:
    """Nothing that is no amount is written down, and a turn made by a test keeps nothing."""
    turn = Turn(session_id="s", number=1, transcript="")
    turn.usage("openai", requests=1)
    with pytest.raises(InvalidConfig):
        turn.usage("openai")
    with pytest.raises(InvalidConfig):
        turn.usage("", requests=1)
