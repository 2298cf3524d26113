"""Agents: the user's side of the conversation, a function of the turn.

``@agent("name")`` registers a function, coroutine function, generator or async generator that takes a :class:`Turn`
and returns or yields text. Celery workers import the modules in ``VOICEBACKEND_AGENTS`` to find them.

A turn may be speculative: the agent is asked while the caller may still go on, so that its answer is ready when the
caller has finished. If the caller goes on, the answer is dropped, and the agent asked again with all that was said.
Side effects therefore belong into ``turn.once``; an agent that has them elsewhere registers with ``speculative=False``.
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


ALIVE_S = 0.9
"""Seconds after which the sign of life of a task that answers goes out; it is renewed three times as often."""
SPECULATION_S = 15.0
"""Seconds that a speculative turn has for the caller to finish, beside the agent's own time."""


class Once(Protocol):
    """Runs a side effect once over all attempts at a turn, and only when the caller has finished it."""

    def __call__(self, key: str, function: Callable[[], Any]) -> Any:
        """Return the function's result, or what it returned the first time; the result must be JSON.

        In a speculative turn it waits until the caller has finished. It blocks: an async agent calls it by
        ``await asyncio.to_thread(turn.once, key, function)``.

        Raises:
            AgentError: the function was not called and will not be, because the caller went on or interrupted; or what
                it did is unknown, because an attempt died over it; or its result is not JSON.

        """
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
    """Above 1 when an earlier attempt was lost, or dropped because the caller went on."""
    transcript: str
    """What the caller said; if ``speculative``, as far as it was recognised."""
    history: tuple[HistoryEntry, ...] = ()
    """What was said before, oldest first, without this turn."""
    user_id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The session's metadata."""
    speculative: bool = False
    """The caller may still go on: then this turn's answer is dropped, and ``once`` has no side effect."""
    once: Once = _always
    """``turn.once(key, fn)`` runs a side effect once over all attempts at this turn, and never for a dropped one."""


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
_patient: set[str] = set()
"""Agents that are asked only when the caller has finished."""


def agent(name: str, *, speculative: bool = True) -> Callable[[Registered], Registered]:
    """Register the decorated function as the agent of this name.

    With ``speculative=False`` it is asked only when the caller has finished, which makes its answers come later: for
    agents that have side effects outside ``turn.once``, or whose every call is dear.

    Raises:
        InvalidConfig: another function has this name.

    """

    def register(function: Registered) -> Registered:
        known = _agents.get(name)
        if known is not None and _origin(known) != _origin(function):
            raise InvalidConfig("agent", f"agent {name!r} is registered twice", details={"agent": name})
        _agents[name] = function
        (_patient.discard if speculative else _patient.add)(name)
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


def may_speculate(name: str) -> bool:
    """Tell whether this agent may be asked before the caller has finished; one that is not registered here may not."""
    return name in _agents and name not in _patient


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
