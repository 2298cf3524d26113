"""From whatever an application has to a function of the turn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from voicebackend.errors import InvalidConfig


def _langchain(target: Any) -> Any:
    from voicebackend.frameworks.langchain import LangChainAgent

    return LangChainAgent(target)


def _pydantic_ai(target: Any) -> Any:
    from voicebackend.frameworks.pydantic_ai import PydanticAIAgent

    return PydanticAIAgent(target)


def _openai_agents(target: Any) -> Any:
    from voicebackend.frameworks.openai_agents import OpenAIAgent

    return OpenAIAgent(target)


_ADAPTERS: Mapping[tuple[str, str], Callable[[Any], Any]] = {
    ("langchain_core.runnables.base", "Runnable"): _langchain,
    ("pydantic_ai.agent.abstract", "AbstractAgent"): _pydantic_ai,
    ("agents.agent", "Agent"): _openai_agents,
}
"""By module and name of a class that the object's own derives from: no framework is imported to find out."""


def is_framework_agent(target: Any) -> bool:
    """Tell whether this is an object of a framework, which ``adapted`` makes an agent of."""
    return _adapter(target) is not None


def adapted(target: Any) -> Any:
    """Return a function of the turn: what is one already, or an adapter of a framework's agent.

    Raises:
        InvalidConfig: it is neither; or a framework's agent that needs what the turn does not have.

    """
    adapter = _adapter(target)
    if adapter is not None:
        return adapter(target)
    if not callable(target):
        message = f"agent: {type(target).__name__} is no function and no agent of a framework that is known"
        raise InvalidConfig("agent", message, details={"field": "agent"})
    return target


def _adapter(target: Any) -> Callable[[Any], Any] | None:
    names = ((kind.__module__, kind.__name__) for kind in type(target).__mro__)
    return next((_ADAPTERS[name] for name in names if name in _ADAPTERS), None)
