"""Agents: the user's side of the conversation, a function of the turn.

``@agent("name")`` registers a function, coroutine function, generator or async generator that takes a :class:`Turn`
and returns or yields text. Celery workers import the modules in ``VOICEBACKEND_AGENTS`` to find them.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeVar

from voicebackend.errors import AgentError, InvalidConfig
from voicebackend.marks import HOLD, RELEASE, without_marks


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """Something said earlier in the session."""

    role: Literal["user", "agent"]
    text: str
    """What was said; by the agent, what of it was spoken."""
    turn: int
    interrupted: bool = False
    """The caller cut it short."""


class Once(Protocol):
    """Runs a side effect once over all attempts at a turn."""

    def __call__(self, key: str, function: Callable[[], Any]) -> Any:
        """Return the function's result, or what it returned the first time; the result must be JSON."""
        ...


def _always(key: str, function: Callable[[], Any]) -> Any:
    del key
    return function()


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What an agent is given: the caller has just finished speaking."""

    session_id: str
    number: int
    """Counts up from 1 within the session."""
    attempt: int = 1
    """Above 1 when an earlier attempt was lost."""
    transcript: str
    """What the caller said."""
    history: tuple[HistoryEntry, ...] = ()
    """What was said before, oldest first, without this turn."""
    user_id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The session's metadata."""
    once: Once = _always
    """``turn.once(key, fn)`` runs a side effect once over all attempts at this turn."""


def uninterruptible(text: str) -> str:
    """Return the text marked so that the caller cannot interrupt while it is spoken: a legal notice.

    The marks may be anywhere in what an agent yields; neither callers nor the history see them.
    """
    return f"{HOLD}{without_marks(text)}{RELEASE}"


Reply = str | None | Iterable[str] | Awaitable[Any] | AsyncIterable[str]
AgentFunction = Callable[[Turn], Reply]
Registered = TypeVar("Registered", bound=Callable[[Turn], Any])

_agents: dict[str, AgentFunction] = {}
AGENTS: Mapping[str, AgentFunction] = MappingProxyType(_agents)
"""Every registered agent by name, read only."""


def agent(name: str) -> Callable[[Registered], Registered]:
    """Register the decorated function as the agent of this name.

    Raises:
        InvalidConfig: another function has this name.

    """

    def register(function: Registered) -> Registered:
        known = _agents.get(name)
        if known is not None and _origin(known) != _origin(function):
            raise InvalidConfig("agent", f"agent {name!r} is registered twice", details={"agent": name})
        _agents[name] = function
        return function

    return register


def _origin(function: Callable[..., Any]) -> tuple[str, str]:
    return getattr(function, "__module__", ""), getattr(function, "__qualname__", repr(function))


def load_agents(modules: Iterable[str]) -> None:
    """Import the modules that register agents.

    Raises:
        InvalidConfig: there is no such module.

    """
    for module in modules:
        try:
            import_module(module)
        except ModuleNotFoundError as error:
            if error.name is None or not f"{module}.".startswith(f"{error.name}."):
                raise
            message = f"VOICEBACKEND_AGENTS: there is no module {module!r}"
            raise InvalidConfig("agents", message, details={"field": "VOICEBACKEND_AGENTS"}) from error


def find_agent(name: str) -> AgentFunction:
    """Return the agent of this name.

    Raises:
        AgentError: there is none here; the details list those that are.

    """
    try:
        return _agents[name]
    except KeyError:
        message = f"no agent {name!r} is registered: list its module in VOICEBACKEND_AGENTS"
        raise AgentError("find_agent", message, details={"known": sorted(_agents)}) from None
