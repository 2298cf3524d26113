"""Stand-ins for hooks and agents that live in another process: same methods, each of them a call."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from typing import Any, Protocol

from voicebackend.agents import HistoryEntry, Message, Turn
from voicebackend.digits import Digits
from voicebackend.errors import AgentError, InvalidFormat
from voicebackend.hooks import AuthResult
from voicebackend.remote.calls import Reference, encode


class Caller(Protocol):
    """Makes calls to objects in other processes; see ``voicebackend.remote.Remote``."""

    async def call(self, target: Reference, method: str, *values: Any) -> Any:
        """Return what the method returns."""
        ...

    def stream(self, target: Reference, method: str, *values: Any) -> AsyncGenerator[Any, None]:
        """Yield what the method yields; closing the generator stops it there."""
        ...


class RemoteObject:
    """What every stand-in has."""

    def __init__(self, caller: Caller, target: Reference) -> None:
        self._caller, self._target = caller, target

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._target}>"

    async def _call(self, method: str, *values: Any) -> Any:
        return await self._caller.call(self._target, method, *values)


class RemoteAuthHook(RemoteObject):
    """An AuthHook elsewhere. The answers' types are checked by who asks, as with any hook."""

    async def authenticate(self, token: str, metadata: Mapping[str, Any]) -> Any:
        """Ask whose token this is."""
        return await self._call("authenticate", token, metadata)

    async def authorize(self, principal: AuthResult, action: str, tenant: str) -> bool:
        """Ask whether they may do this with something of this tenant."""
        return await self._call("authorize", principal, action, tenant)  # type: ignore[no-any-return]


class RemoteRateLimiter(RemoteObject):
    """A RateLimiter elsewhere."""

    async def allow(self, key: str) -> bool:
        """Ask whether one more is allowed now."""
        return await self._call("allow", key)  # type: ignore[no-any-return]

    async def wait(self, key: str) -> None:
        """Return once one more is allowed."""
        await self._call("wait", key)


class RemoteDataRetentionHook(RemoteObject):
    """A DataRetentionHook elsewhere."""

    async def should_retain(self, data_class: str, metadata: Mapping[str, Any]) -> bool:
        """Ask whether to keep this."""
        return await self._call("should_retain", data_class, metadata)  # type: ignore[no-any-return]

    async def retention_period(self, data_class: str) -> timedelta:
        """Ask for how long."""
        return await self._call("retention_period", data_class)  # type: ignore[no-any-return]


class RemoteTelephonyHook(RemoteObject):
    """A TelephonyHook elsewhere."""

    async def route_call(self, phone_number: str, metadata: Mapping[str, Any]) -> str:
        """Ask which provider takes the call."""
        return await self._call("route_call", phone_number, metadata)  # type: ignore[no-any-return]

    async def handle_sip(self, message: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Let a SIP message be answered."""
        return await self._call("handle_sip", message, metadata)  # type: ignore[no-any-return]

    async def call_metadata(self, call_id: str) -> Mapping[str, Any]:
        """Ask what is known of a call."""
        return await self._call("call_metadata", call_id)  # type: ignore[no-any-return]


class RemoteAudioProcessor(RemoteObject):
    """An AudioProcessor elsewhere; its name, order and stages came with the reference."""

    @property
    def name(self) -> str:
        """For logs and metrics."""
        return self._target.name or self._target.object_id

    @property
    def order(self) -> int:
        """Lower runs earlier."""
        return self._target.order

    @property
    def stages(self) -> tuple[str, ...] | None:
        """Where it runs; None for everywhere."""
        return self._target.stages or None

    async def process(self, audio: bytes, metadata: Mapping[str, Any]) -> bytes:
        """Let a piece of audio be changed."""
        return await self._call("process", audio, metadata)  # type: ignore[no-any-return]


class RemoteAgent(RemoteObject):
    """An agent elsewhere: called with a turn, it yields text as the other side does; what it asks for, is asked for."""

    async def __call__(self, turn: Turn) -> AsyncGenerator[str, None]:
        """Yield what the agent says."""
        given = fitting(replace(turn, digits=await _portable(turn.digits)))
        async with aclosing(self._caller.stream(self._target, "reply", given)) as answer:
            async for said in answer:
                if isinstance(said, Mapping) and "note" in said:
                    turn.notes(said["note"])
                elif isinstance(said, Mapping):
                    turn.collect_digits(**said["collect_digits"])
                else:
                    yield said


async def _portable(digits: Digits | None) -> Digits | None:
    """Return digits as they can be read in another process: sensitive ones are taken for it, sealed."""
    if digits is None or digits.source is None or not digits.sensitive:
        return digits
    try:
        return replace(digits, sealed=await asyncio.to_thread(digits.source.take))
    except AgentError:  # an attempt before this one had them
        return digits


def fitting(turn: Turn) -> Turn:
    """Leave out the oldest part of a history that is too long to travel."""
    while turn.history or len(turn.messages) > 1:
        try:
            encode({}, [turn])
        except InvalidFormat:
            turn = replace(turn, history=_later(turn.history), messages=_told(turn.messages))
        else:
            break
    return turn


def _later(history: tuple[HistoryEntry, ...]) -> tuple[HistoryEntry, ...]:
    return history[len(history) // 2 + 1 :]


def _told(messages: tuple[Message, ...]) -> tuple[Message, ...]:
    """Leave out the oldest half of what was said; instructions and the last word stay."""
    first = tuple(message for message in messages[:-1] if message.role == "system")
    said = tuple(message for message in messages[:-1] if message.role != "system")
    return (*(first if said else ()), *said[len(said) // 2 + 1 :], *messages[-1:])


PROXIES: Mapping[str, Callable[[Caller, Reference], Any]] = {
    "auth_hook": RemoteAuthHook,
    "rate_limiter": RemoteRateLimiter,
    "data_retention_hook": RemoteDataRetentionHook,
    "telephony_hook": RemoteTelephonyHook,
    "custom_processors": RemoteAudioProcessor,
    "agent": RemoteAgent,
}
"""The stand-in for each field that may hold an object."""
