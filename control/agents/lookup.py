"""Where the agent that a session names comes from."""

from __future__ import annotations

from voicebackend import remote
from voicebackend.agents import AgentFunction, find_agent
from voicebackend.remote.calls import PREFIX


def lookup(name: str) -> AgentFunction:
    """Return the registered agent of this name, or a stand-in for one that lives in the embedding process.

    Raises:
        AgentError: no agent of this name is registered.
        InvalidConfig: agents of another process cannot be called here.

    """
    if name.startswith(PREFIX):
        found: AgentFunction = remote.resolve(name, field="agent", remote=remote.current())
        return found
    return find_agent(name)
