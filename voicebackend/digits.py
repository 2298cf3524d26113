"""Keys that a caller presses because the agent asked for them: the request, what came of it, how the agent reads it.

Of keys that are sensitive nothing here holds the plain text but the agent's own ``Digits.reveal``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated, Protocol, TypedDict

from pydantic import BaseModel, ConfigDict, Field

from voicebackend.conversation import Text
from voicebackend.errors import AgentError

LONGEST_S = 300.0
"""No collection takes longer, whatever was asked for; sensitive mode ends a little later."""
PROMPT_S = 60.0
"""Seconds that are given to what the agent says before the first key."""
DIGITS_TTL_S = 60
"""Seconds for which sensitive digits wait, sealed, for the agent to read them."""


class KeysEnd(StrEnum):
    """Why a collection of keys ended."""

    MAX = "max_digits"
    """So many were pressed as were asked for."""
    UNTIL = "until"
    """The key was pressed that ends it."""
    TIMEOUT = "timeout"
    """No key came in time, or no further one."""
    SPEECH = "speech"
    """The caller said something instead, or it was typed: that is the turn's transcript."""


class CollectDigits(BaseModel):
    """What an agent asks for; seconds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_digits: Annotated[int, Field(ge=1, le=64)] = 16
    """It ends when so many were pressed."""
    until: Annotated[str, Field(pattern=r"^[0-9A-D*#]{0,16}$")] = "#"
    """Any of these keys ends it, and is not part of the value; empty for none."""
    first_timeout: Annotated[float, Field(gt=0, le=60)] = 8.0
    """From the end of what the agent says to the first key."""
    next_timeout: Annotated[float, Field(gt=0, le=30)] = 3.0
    """From one key to the next."""
    again: Annotated[tuple[Text, ...], Field(max_length=5)] = ()
    """Said one after the other when no key came in time; after the last it ends."""
    speech: bool = True
    """What the caller says instead ends it; False, or sensitive: the caller is not heard."""
    sensitive: bool = False
    """Nobody but the agent's code is to know the keys."""

    @property
    def longest_s(self) -> float:
        """Seconds after which a collection ends with what there is, whatever happens."""
        waits_s = (1 + len(self.again)) * (PROMPT_S + self.first_timeout) + self.max_digits * self.next_timeout
        return min(LONGEST_S, waits_s)


class Wanted(TypedDict, total=False):
    """The fields of :class:`CollectDigits`, each with a default there."""

    max_digits: int
    until: str
    first_timeout: float
    next_timeout: float
    again: Sequence[str]
    speech: bool
    sensitive: bool


class Sealing(Protocol):
    """Makes text unreadable for all who do not know a secret; see :class:`voicebackend.sealing.Seal`."""

    def seal(self, text: str) -> str:
        """Return it sealed."""
        ...

    def open(self, sealed: str) -> str:
        """Return what was sealed; raises InvalidFormat."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What a caller pressed, on its way to the agent: plain, or sealed if it is sensitive."""

    count: int
    ended: KeysEnd
    value: str = field(default="", repr=False)
    sealed: str = field(default="", repr=False)
    sensitive: bool = False

    @classmethod
    def of(cls, keys: str, ended: KeysEnd, seal: Sealing, *, sensitive: bool) -> Collected:
        """Return keys, sealed if they are sensitive."""
        if sensitive:
            return cls(count=len(keys), ended=ended, sealed=seal.seal(keys), sensitive=True)
        return cls(count=len(keys), ended=ended, value=keys)

    @property
    def text(self) -> str:
        """What stands for them in transcripts and in the agent's memory: themselves, or how many."""
        if self.value:
            return self.value
        return f"[{self.count or 'no'} digit{'' if self.count == 1 else 's'}]"

    def told(self) -> str:
        """Return, as JSON, what an agent is told of them without revealing them."""
        return json.dumps(
            {"count": self.count, "ended": str(self.ended), "value": self.value, "sensitive": self.sensitive}
        )


class SealedDigits:
    """Sensitive keys that can be read a single time: ``take`` gives them sealed, None if they are gone."""

    def __init__(self, take: Callable[[], str | None], seal: Sealing) -> None:
        self._take, self._seal = take, seal

    def take(self) -> str:
        """Return them sealed; nobody can take them again.

        Raises:
            AgentError: they were taken before, or waited for too long.

        """
        sealed = self._take()
        if sealed is None:
            raise AgentError("digits", "they were revealed before, or a minute has passed: ask for them again")
        return sealed

    def reveal(self) -> str:
        """Return them as they were pressed; raises AgentError like ``take``."""
        return self._seal.open(self.take())


@dataclass(frozen=True, slots=True, kw_only=True)
class Digits:
    """What the caller pressed after ``turn.collect_digits``."""

    count: int
    """How many keys; the one that ended it is not counted."""
    ended: KeysEnd
    value: str | None = field(default=None, repr=False)
    """The keys; None if they are sensitive."""
    sensitive: bool = False
    sealed: str = field(default="", repr=False)
    """Sensitive keys on their way to another process; empty if they cannot be had any more."""
    source: SealedDigits | None = field(default=None, repr=False, compare=False)
    """Gives sensitive keys, once."""

    @classmethod
    def of(cls, told: str, source: SealedDigits) -> Digits:
        """Read what ``Collected.told`` wrote."""
        found = json.loads(told)
        sensitive, value = bool(found["sensitive"]), str(found["value"])
        return cls(
            count=int(found["count"]),
            ended=KeysEnd(found["ended"]),
            value=None if sensitive else value,
            sensitive=sensitive,
            source=source,
        )

    def reveal(self) -> str:
        """Return the keys: sensitive ones a single time, within a minute, and nobody else can get them after that.

        It asks Redis for sensitive ones, so an async agent calls it by ``await asyncio.to_thread(turn.digits.reveal)``.
        Keep them out of what the agent says or returns: that goes into the conversation's history.

        Raises:
            AgentError: they were revealed before, or a minute has passed.
            ConnectionFailed: Redis is not there.

        """
        if self.value is not None:
            return self.value
        if self.source is None:
            raise AgentError("digits", "there is nothing to reveal: these digits come from no caller")
        return self.source.reveal()
