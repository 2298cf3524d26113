"""What somebody agreed to: to be called, to have what they say kept; and that they agree no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

Kept = Literal["audio", "transcript", "tool_io", "dtmf", "metadata", "trace"]
"""A kind of data that somebody may have to agree to: a class of the retention policies."""
MAX_PROOF = 2048
"""Characters."""
_Short = Annotated[str, Field(min_length=1, max_length=64)]
_Version = Annotated[str, Field(min_length=1, max_length=128)]
_Proof = Annotated[str, Field(max_length=MAX_PROOF, repr=False)]
_Classes = Annotated[tuple[Kept, ...], Field(max_length=6)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Consent(_Part):
    """That somebody agreed before; kept longer than what it is for."""

    text_version: _Version
    """Of the words that they agreed to."""
    method: _Short
    """``web_form``, ``voice``, ``paper``, ..."""
    at: AwareDatetime
    proof: _Proof = ""
    """Where it can be seen: an address, an id. It stays when the person is erased: put no name and no number there."""
    classes: _Classes = ()
    """What of the conversation may be kept, where policies ask for consent to that: ``audio``, ``transcript``, ..."""


class ConsentWord(_Part):
    """What is said of consent while a session runs: that it is given, or given no more."""

    classes: Annotated[_Classes, Field(min_length=1)]
    """To the keeping of what: ``audio``, ``transcript``, ..."""
    given: bool = True
    """False is a withdrawal: what was kept of these classes is deleted, too."""
    text_version: Annotated[str, Field(max_length=128)] = ""
    """Of the words that were agreed to; a consent must have it."""
    method: _Short = "app"
    """How it was said: ``app``, ``spoken``, ``key``, ..."""
    proof: _Proof = ""
    """Where it can be seen; see ``Consent``."""

    @model_validator(mode="after")
    def _names_its_words(self) -> Self:
        if self.given and not self.text_version:
            raise PydanticCustomError("text_version", "a consent names the version of the words that were agreed to")
        return self


class ConsentView(_Part):
    """What was last said of consent in a session, by class."""

    classes: dict[str, bool]


Statements = Sequence[Mapping[str, Any]]
"""What was said of consent in a session, oldest first, as its record has it: ``given``, ``classes``, ``at``, ..."""


def given(statements: Statements) -> dict[str, bool]:
    """Return what was last said, by class."""
    return {kind: bool(said["given"]) for said in statements for kind in said["classes"]}


def kept_from(statements: Statements, kind: str, *, required: bool) -> float | None:
    """Return from when on data of a class may be kept, seconds since the epoch; None if it may not.

    0.0 is from the beginning. What needs no consent is kept until that is withdrawn.
    """
    since = None if required else 0.0
    for said in statements:
        if kind in said["classes"]:
            if not said["given"]:
                since = None
            elif since is None:
                since = float(said["at"])
    return since
