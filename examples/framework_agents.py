"""A Pydantic AI agent and an OpenAI Agents SDK agent, with a tool each, answering telephone calls.

The models are the frameworks' own doubles; name a real one in their place.
"""

import asyncio
from typing import Any

import agents as openai_agents
from agents.testing import ScriptedModel, assistant_message, function_call
from pydantic_ai import Agent, RunContext
from pydantic_ai.models.test import TestModel

from voicebackend import BackendConfig, SessionConfig, Turn, VoiceBackend
from voicebackend.testing import Caller

host = Agent(TestModel(), deps_type=Turn, instructions="You are the host of a restaurant.")


@host.tool
def free_tables(context: RunContext[Turn]) -> int:
    """Return how many tables are free."""
    return len(context.deps.transcript)


@openai_agents.function_tool
def opening_hours(context: openai_agents.RunContextWrapper[Turn]) -> str:
    """Return when we are open."""
    return f"until nine, {context.context.user_id}"


looks = [assistant_message("Let me look.", item_id="a"), function_call("opening_hours", {}, call_id="1")]
clerk = openai_agents.Agent[Turn](
    name="clerk",
    tools=[opening_hours],
    model=ScriptedModel([looks, [assistant_message("We are open until nine.", item_id="b")]]),
)


async def main() -> None:
    async with VoiceBackend(BackendConfig(provider="mock")) as backend:
        agents: dict[str, Any] = {"host": host, "clerk": clerk}
        for name, agent in agents.items():
            wanted = SessionConfig(user_id="user-123", transport="websocket", agent=agent)
            async with await backend.create_session(wanted) as session:
                print(f"{name}: {await Caller(session).ask('Are you open?')}")


if __name__ == "__main__":
    asyncio.run(main())
