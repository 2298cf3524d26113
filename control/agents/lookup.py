"""Where the agent that a session names comes from."""

from __future__ import annotations

from typing import Any

from control.part_table import PartTable
from voicebackend import remote
from voicebackend.agents import CONFIGURED, AgentFunction, find_agent
from voicebackend.errors import AgentError
from voicebackend.frameworks import adapted
from voicebackend.remote.calls import PREFIX

_adapted: dict[str, tuple[Any, Any]] = {}
"""By name, what is registered and what is called: an adapter keeps its connections from turn to turn."""


def lookup(name: str, parts: PartTable) -> AgentFunction:
    """Return the registered agent of this name, the configured model, or a stand-in for one of the embedding process.

    Raises:
        AgentError: no agent of this name is registered.
        InvalidConfig: agents of another process cannot be called here; or what is registered is no agent.

    """
    if name.startswith(PREFIX):
        found: AgentFunction = remote.resolve(name, field="agent", remote=remote.current())
        return found
    if name == CONFIGURED:
        model: AgentFunction | None = parts.find("multimodal_model") or parts.find("chat_model")
        if model is None:
            raise AgentError("find_agent", "no chat_model or multimodal_model is configured any more")
        return model
    target = find_agent(name)
    known, function = _adapted.get(name, (None, None))
    if known is not target or function is None:
        function = adapted(target)
        _adapted[name] = (target, function)
    return function  # type: ignore[no-any-return]
