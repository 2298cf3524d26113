"""Agents: the user's side of the conversation, a function of the turn.

``@agent("name")`` registers a function, coroutine function, generator or async generator that takes a :class:`Turn`
and returns or yields text; ``agent("name")(object)`` a framework's agent, see :mod:`voicebackend.frameworks`. Celery
workers import the modules in ``VOICEBACKEND_AGENTS`` to find them.

A turn may be speculative: the agent is asked while the caller may still go on, so that its answer is ready when the
caller has finished. If the caller goes on, the answer is dropped, and the agent asked again with all that was said.
Side effects therefore belong into ``turn.once``; an agent that has them elsewhere registers with ``speculative=False``.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from types import MappingProxyType
from typing import Any, Literal, Protocol, TypeVar, Unpack

from pydantic import ValidationError

from voicebackend.config import parse
from voicebackend.consent import ConsentWord, Kept
from voicebackend.digits import CollectDigits, Digits, Wanted
from voicebackend.errors import AgentError, InvalidConfig
from voicebackend.marks import HOLD, RELEASE, without_marks
from voicebackend.turn_notes import ModelUsage, Note, ToolCall, unnoted


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryEntry:
    """Something said earlier in the session."""

    role: Literal["user", "agent"]
    text: str
    """What was said; by the agent, what of it was spoken."""
    turn: int
    interrupted: bool = False
    """The caller cut it short."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Something that a chat model is told."""

    role: Literal["system", "user", "agent"]
    text: str


def spoken(entries: Iterable[Mapping[str, Any]]) -> list[HistoryEntry]:
    """Return what was said, by a session's log entries; what was still being recognised is left out."""
    return [
        HistoryEntry(
            role=entry["role"], text=entry["text"], turn=entry["turn"], interrupted=bool(entry.get("interrupted"))
        )
        for entry in entries
        if entry.get("type") == "transcript" and entry.get("final")
    ]


CONFIGURED = "config:chat_model"
"""The agent of sessions that name none, where the configuration names a model."""
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


def _nobody(request: CollectDigits) -> None:
    """Nobody collects keys for this turn: it was made by a test."""


def _no_notary(word: ConsentWord) -> None:
    """Nobody writes it down: the turn was made by a test, or for an agent of another process."""
    del word
    raise AgentError("consent", "consent cannot be given from here")


def _no_operator(to: str, sorry: str) -> None:
    """Nobody is called: the turn was made by a test, or for an agent of another process."""
    del to, sorry
    raise AgentError("transfer", "calls cannot be handed over from here")


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
    tenant: str = ""
    """Whose session it is, by the key that made it; nothing that is said changes it. Tools look things up by it."""
    user_id: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    """The session's metadata."""
    audio: bytes = field(default=b"", repr=False)
    """What the caller said as a WAV file: 16 kHz mono, its latest 30 s; only where ``multimodal_model`` answers."""
    context: tuple[str, ...] = ()
    """What the configured ``retriever`` or ``vector_store`` found for the transcript, best first."""
    messages: tuple[Message, ...] = ()
    """What a chat model is told, where ``memory`` or ``prompt_template`` decide it; see ``frameworks.messages_of``."""
    speculative: bool = False
    """The caller may still go on: then this turn's answer is dropped, and ``once`` has no side effect."""
    once: Once = _always
    """``turn.once(key, fn)`` runs a side effect once over all attempts at this turn, and never for a dropped one."""
    digits: Digits | None = None
    """What the caller pressed, if the turn before asked for that by ``collect_digits``."""
    keypad: Callable[[CollectDigits], object] = field(default=_nobody, repr=False)
    """Takes what ``collect_digits`` asks for."""
    operator: Callable[[str, str], object] = field(default=_no_operator, repr=False)
    """Takes whom ``transfer`` asks for, and what the caller is told if nobody is there."""

    notary: Callable[[ConsentWord], object] = field(default=_no_notary, repr=False)
    """Takes what ``consent`` says."""

    def consent(self, *classes: Kept, given: bool = True, text_version: str = "", method: str = "spoken") -> None:
        """Say that the caller agrees that something is kept: ``turn.consent("audio", text_version="3")``, or no more.

        Where the deployment's policies ask for it, nothing of these classes (``audio``, ``transcript``, ...) is kept
        before. ``text_version`` names the words that were agreed to. With ``given=False`` what was kept is deleted. It
        waits as ``once`` does: an async agent calls it by ``await asyncio.to_thread(turn.consent, "audio", ...)``.

        Raises:
            InvalidConfig: a class is unknown, or a consent has no ``text_version``; the details name the field.
            AgentError: it could not be taken down, or the caller went on.

        """
        said = {"classes": classes, "given": given, "text_version": text_version, "method": method}
        self.notary(parse(ConsentWord, said, op="agent"))

    notes: Callable[[Note], object] = field(default=unnoted, repr=False)
    """Takes what ``tool`` and ``usage`` tell."""

    def tool(self, name: str, arguments: Mapping[str, Any] | None = None) -> ToolCall:
        """Tell of a tool at work: ``with turn.tool("weather", {"city": city}) as call: call.result = weather(city)``.

        It is kept only where a policy of class ``tool_io`` says so, without arguments and result around sensitive keys.
        """
        return ToolCall(name, arguments, self.notes)

    def usage(self, provider: str, model: str = "", **amounts: float) -> None:
        """Tell what a model used: ``turn.usage("openai", "gpt-5-mini", input_tokens=900, output_tokens=40)``.

        Raises InvalidConfig where there are no amounts, or more than 16.
        """
        self.notes(parse(ModelUsage, {"provider": provider, "model": model, "amounts": amounts}, op="agent").note())

    def transfer(self, to: str, *, sorry: str = "I am sorry, nobody could take the call.") -> None:
        """Hand the caller over to a person: ``turn.transfer("+14155550199")``, and say goodbye.

        It is done once what this turn says has been heard; a caller who interrupts stays. If nobody takes the call, the
        caller is told ``sorry`` and is here again. It waits as ``once`` does: an async agent calls it by
        ``await asyncio.to_thread(turn.transfer, to)``.

        Raises:
            AgentError: this call cannot be handed over, or not to this number (the trunk's ``transfer_to``), or the
                caller went on.

        """
        self.operator(to, sorry)

    def collect_digits(self, **wanted: Unpack[Wanted]) -> None:
        """Ask for keys: ``turn.collect_digits(max_digits=4)``, then say what the caller is to press.

        The fields are those of :class:`voicebackend.digits.CollectDigits`. Keys count from this call on, also while the
        agent still speaks, which the first one stops. The next turn has them as ``turn.digits``. The first request of a
        turn counts. Call it before the words: what is sensitive is guarded from then on.

        Raises:
            InvalidConfig: a field is unknown or out of range; the details name it.

        """
        try:
            request = CollectDigits.model_validate(wanted)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            field_ = ".".join(str(part) for part in first["loc"])
            message = f"collect_digits: {field_}: {first['msg']}"
            raise InvalidConfig("agent", message, details={"field": field_}) from error
        self.keypad(request)


def uninterruptible(text: str) -> str:
    """Return the text marked so that the caller cannot interrupt while it is spoken: a legal notice.

    The marks may be anywhere in what an agent yields; neither callers nor the history see them.
    """
    return f"{HOLD}{without_marks(text)}{RELEASE}"


Reply = str | None | Iterable[str] | Awaitable[Any] | AsyncIterable[str]
AgentFunction = Callable[[Turn], Reply]
Registered = TypeVar("Registered")

_agents: dict[str, Any] = {}
AGENTS: Mapping[str, Any] = MappingProxyType(_agents)
"""Every registered agent by name, read only: a function of the turn, or a framework's object."""
_patient: set[str] = set()
"""Agents that are asked only when the caller has finished."""


def agent(name: str, *, speculative: bool | None = None) -> Callable[[Registered], Registered]:
    """Register the decorated function, or a framework's agent, as the agent of this name.

    With ``speculative=False`` it is asked only when the caller has finished, which makes its answers come later: for
    agents that have side effects outside ``turn.once``, or whose every call is dear. Functions are speculative by
    default, frameworks' objects are not: nobody knows what their tools do.

    Raises:
        InvalidConfig: another function has this name.

    """

    def register(function: Registered) -> Registered:
        known = _agents.get(name)
        if known is not None and _origin(known) != _origin(function):
            raise InvalidConfig("agent", f"agent {name!r} is registered twice", details={"agent": name})
        _agents[name] = function
        guesses = callable(function) if speculative is None else speculative
        (_patient.discard if guesses else _patient.add)(name)
        return function

    return register


def _origin(function: Any) -> tuple[str, str]:
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
    return name == CONFIGURED or (name in _agents and name not in _patient)


def find_agent(name: str) -> Any:
    """Return the agent of this name: a function of the turn, or a framework's object.

    Raises:
        AgentError: there is none here; the details list those that are.

    """
    try:
        return _agents[name]
    except KeyError:
        message = f"no agent {name!r} is registered: list its module in VOICEBACKEND_AGENTS"
        raise AgentError("find_agent", message, details={"known": sorted(_agents)}) from None
