"""What users may plug in: each hook is a Protocol, so that any object with these methods will do.

Auth and rate limit *deny* when they fail, hang or answer with something else; telephony and retention fall back to
the safe side; a processor that fails is passed by. No hook can end a call that it does not own.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Protocol, TypeVar, runtime_checkable

from voicebackend.errors import InvalidConfig

logger = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthResult:
    """What an AuthHook found out."""

    user_id: str
    authorized: bool
    tenant: str = "default"
    """Sessions of other tenants look as if they were not there."""
    metadata: Mapping[str, Any] = field(default_factory=dict)


@runtime_checkable
class AuthHook(Protocol):
    """Decides who may do what; takes the place of API keys. Has 2 s, then it is a no."""

    async def authenticate(self, token: str, metadata: Mapping[str, Any]) -> AuthResult:
        """Say whose token this is; ``metadata`` has ``method``, ``path`` and ``remote``."""
        ...

    async def authorize(self, principal: AuthResult, action: str, tenant: str) -> bool:
        """Say whether they may do this with something of this tenant.

        ``action`` is ``sessions.create``, ``sessions.get``, ``config.update``, ...; ``tenant`` is the principal's own,
        or ``default``, the operator's, for what is everyone's: configuration, routing, workers, queues. Of other
        tenants nothing is ever found. A hook that takes ``(user_id, action)`` only is asked in that form.
        """
        ...


class UserAuthHook:
    """An AuthHook that decides by the user and the action alone, as one that is told everything."""

    def __init__(self, hook: Any) -> None:
        self._hook = hook

    def __repr__(self) -> str:
        return f"<UserAuthHook of {type(self._hook).__name__}>"

    def authenticate(self, token: str, metadata: Mapping[str, Any]) -> Any:
        """Ask whose token this is."""
        return self._hook.authenticate(token, metadata)

    def authorize(self, principal: AuthResult, action: str, tenant: str) -> Any:
        """Ask whether this user may do this."""
        del tenant
        return self._hook.authorize(principal.user_id, action)


def auth_hook_of(hook: Any) -> Any:
    """Return an AuthHook that takes a principal, an action and a tenant, whichever form this one has."""
    try:
        inspect.signature(hook.authorize).bind("principal", "action", "tenant")
    except TypeError:
        return UserAuthHook(hook)
    except ValueError:  # written in C: it takes what it is given, or fails as a hook does
        return hook
    return hook


@runtime_checkable
class RateLimiter(Protocol):
    """Decides how often."""

    async def allow(self, key: str) -> bool:
        """Say whether one more is allowed now; ``key`` is ``tenant:user:operation``."""
        ...

    async def wait(self, key: str) -> None:
        """Return once one more is allowed; asked where ``allow`` said no and the client would rather wait."""
        ...


@runtime_checkable
class DataRetentionHook(Protocol):
    """Decides what of a finished session is kept, and for how long."""

    async def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> bool:
        """Say whether to keep this session's ``transcript`` or ``metadata``."""
        ...

    async def retention_period(self, data_class: str) -> timedelta:
        """Say how long it is kept."""
        ...


@runtime_checkable
class TelephonyHook(Protocol):
    """Decides where telephone calls go."""

    async def route_call(self, phone_number: str, metadata: Mapping[str, Any]) -> str:
        """Return the name of the provider that takes this call."""
        ...

    async def handle_sip(self, message: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Answer a SIP message with another; empty for no answer."""
        ...

    async def call_metadata(self, call_id: str) -> Mapping[str, Any]:
        """Return what is known of a call; merged into the session's metadata."""
        ...


class Stage(StrEnum):
    """A place on the audio's way where processors run."""

    PRE_STT = "pre_stt"
    """Caller audio, before noise cancellation and recognition; 16 kHz."""
    POST_TTS = "post_tts"
    """Synthesised speech, at the caller's rate."""
    PRE_S2S = "pre_s2s"
    """Caller audio, before the speech-to-speech model; 16 kHz."""
    POST_S2S = "post_s2s"
    """The model's speech, at the caller's rate."""

    @property
    def direction(self) -> str:
        """``in`` for caller audio, ``out`` for what the caller will hear."""
        return "in" if self in {Stage.PRE_STT, Stage.PRE_S2S} else "out"


@runtime_checkable
class AudioProcessor(Protocol):
    """Changes audio on its way; lower ``order`` runs earlier.

    It runs at every stage, unless an attribute ``stages`` names some: a set of :class:`Stage` or of their names.
    It should take less than half as long as the audio lasts; see worker/processors.py for what follows if not.
    """

    @property
    def name(self) -> str:
        """For logs and metrics."""
        ...

    @property
    def order(self) -> int:
        """Lower runs earlier."""
        ...

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Return the audio to go on with: 16-bit mono PCM of the rate it came with.

        ``metadata`` has ``stage``, ``direction`` (``in`` or ``out``), ``sample_rate`` (Hz) and ``session_id``.
        """
        ...


def stages_of(processor: Any) -> frozenset[Stage]:
    """Return the stages at which a processor runs: those it names, else all.

    Raises:
        InvalidConfig: ``stages`` is not a collection of one or more stages or their names.

    """
    named = getattr(processor, "stages", None)
    if named is None:
        return frozenset(Stage)
    names = {str(name) for name in named} if isinstance(named, Collection) and not isinstance(named, str) else set()
    if not names or not names <= set(Stage):
        message = f"custom_processors: stages of {type(processor).__name__} are one or more of {', '.join(Stage)}"
        raise InvalidConfig("config", message, details={"field": "custom_processors"})
    return frozenset(map(Stage, names))


class HookFailed(Exception):
    """A hook raised, hung or answered with something it may not; the caller decides what follows."""


async def ask(call: Callable[[], Any], *, hook: str, expected: type[T], timeout_s: float = 2.0) -> T:
    """Return a hook's answer if it comes in time and is of the expected type.

    ``call`` calls the hook, so that what goes wrong in the call itself is seen here; a plain method will do too.

    Raises:
        HookFailed: otherwise; what happened is logged under the hook's name.

    """
    try:
        async with asyncio.timeout(timeout_s):
            answer = call()
            if inspect.isawaitable(answer):
                answer = await answer
    except Exception as error:
        logger.exception("hook failed", extra={"hook": hook})
        raise HookFailed(hook) from error
    if not isinstance(answer, expected):
        logger.error("hook answered with a wrong type", extra={"hook": hook, "got": type(answer).__name__})
        raise HookFailed(hook)
    return answer
