"""Where the agent that a session names comes from."""

from __future__ import annotations

from voicebackend.agents import AgentFunction, find_agent


def lookup(name: str) -> AgentFunction:
    """Return the agent of this name.

    Raises:
        AgentError: there is none.

    """
    return find_agent(name)
