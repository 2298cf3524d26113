"""What the agent of a scenario answers."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict

from voicebackend.digits import CollectDigits
from voicebackend.errors import ErrorCode
from worker.scenarios.times import Time, with_seconds


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Piece(_Part):
    """Something that the agent does in its turn; one of these."""

    text: str | None = None
    """Said."""
    wait: Time | None = None
    """Waits, as for a slow tool."""
    once: str | None = None
    """A side effect, had once a turn and only when the turn is certain."""
    notice: str | None = None
    """Said, and not to be interrupted."""
    collect: Annotated[CollectDigits, BeforeValidator(with_seconds)] | None = None
    """Asks for keys; before the words that ask for them."""
    error: ErrorCode | None = None
    """Fails with this code."""
    hangs: bool = False
    """Never goes on."""


def _piece(value: Any) -> Any:
    return {"text": value} if isinstance(value, str) else value


def _pieces(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else [value]


Pieces = Annotated[tuple[Annotated[Piece, BeforeValidator(_piece)], ...], BeforeValidator(_pieces)]


class Reply(_Part):
    """One turn's answer. Written as its text, or as a list of pieces where it is only that."""

    when: str | None = None
    """Words that the caller must have said; without them it is the answer to the next turn that no other fits."""
    say: Pieces


def _reply(value: Any) -> Any:
    return {"say": value} if isinstance(value, str | list) else value


class AgentScript(_Part):
    """The agent. Written as the list of its replies where nothing else is to be said."""

    replies: tuple[Annotated[Reply, BeforeValidator(_reply)], ...] = ()
    """After the last, and without any, it says ``Okay.``"""
    delay: Time = 0.1
    """Until its first word."""
    pace: Time = 0.015
    """Between its words."""
    timeout: Time = 10.0
    """After which its task is given up."""
    in_loop: bool = False
    """Of a speech-to-speech pipeline: it answers, and the model only listens and speaks."""


def agent_script(value: Any) -> Any:
    """Read the short form."""
    return {"replies": value} if isinstance(value, list) else value


DEFAULT_REPLY = Reply(say=(Piece(text="Okay."),))


def matching(script: AgentScript, transcript: str) -> Reply | None:
    """Return the reply whose words are in the transcript, if there is one."""
    said = transcript.lower()
    return next((reply for reply in script.replies if reply.when is not None and reply.when.lower() in said), None)


def in_order(script: AgentScript, place: int) -> Reply:
    """Return the reply at this place among those for any words, counted from 0."""
    replies = [reply for reply in script.replies if reply.when is None]
    return replies[place] if place < len(replies) else DEFAULT_REPLY
