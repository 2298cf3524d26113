"""What is said to a managed agent and what it tells, to events of ours; no I/O.

Audio carries no number: it belongs to the agent's turn under way. Once that is cut off, what comes is dropped until the
agent begins its next one: there is no message to have it stop.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from providers.cartesia.config import CartesiaAgentConfig
from providers.cartesia.vendor import audio_of, word_of
from voicebackend.agents import HistoryEntry
from voicebackend.audio import whole_samples
from voicebackend.interfaces import S2sEvent

MAX_SAID = 8_000
"""Characters of a caller's turn that are told while it is under way."""
MAX_HISTORY = 8_000
"""Characters of what was said before that an agent is told, the last of it."""
_SPEAKERS: Mapping[str, str] = {"user": "Caller", "agent": "Agent"}
_UNNUMBERED = -1
"""A turn whose audio came before its number."""


def path(config: CartesiaAgentConfig) -> str:
    """Return where the agent is."""
    return f"/v1/agents/websocket/{quote(config.agent_id, safe='')}"


def session_create(config: CartesiaAgentConfig, history: Sequence[HistoryEntry] = ()) -> dict[str, Any]:
    """Return the first message: audio is the same both ways, and comes as it is to be played."""
    audio = {"input_format": f"pcm_{config.sample_rate}", "output_delivery": "speaking_pace"}
    message: dict[str, Any] = {"type": "session_create", "audio": audio}
    variables: dict[str, Any] = dict(config.dynamic_variables)
    if config.history_variable:
        said = (f"{_SPEAKERS[entry.role]}: {entry.text}" for entry in history)
        variables[config.history_variable] = "\n".join(said)[-MAX_HISTORY:]
    return message | ({"dynamic_variables": variables} if variables else {})


def audio_input(pcm: bytes) -> dict[str, Any]:
    """Return the message that carries the caller's audio."""
    return {"type": "audio_input", "audio": base64.b64encode(pcm).decode("ascii")}


def dtmf_input(digit: str) -> dict[str, Any]:
    """Return the message that tells of a key."""
    return {"type": "dtmf_input", "digit": digit}


def tool_refusal(message: dict[str, Any]) -> dict[str, Any] | None:
    """Return the answer to a tool that the agent would have us run: there are none here; None if it wants no answer."""
    call = message.get("tool_call_id")
    if not isinstance(call, str) or message.get("expects_response") is False:
        return None
    refusal = "This tool is not available."
    return {"type": "client_tool_result", "tool_call_id": call, "result": refusal, "is_error": True}


class AgentTurns:
    """One conversation's turns, as the agent tells of them; it greets, unless the caller was greeted before."""

    def __init__(self, *, greets: bool = True) -> None:
        self._muted = not greets
        self._turn: int | None = None
        """The agent's turn under way."""
        self._last: int | None = None
        self._spoken_over: int | None = None
        """The agent's last turn when the caller last began to speak."""
        self._dropping = False
        """What comes is of a turn that was cut off."""
        self._told = False
        """Text of the turn under way has come."""
        self._heard = ""
        self._odd = b""
        """Half of a sample, whose other half comes next."""
        self._takes: dict[tuple[str, str], Callable[[dict[str, Any]], list[S2sEvent]]] = {
            ("turn_started", "user"): self._caller_begins,
            ("turn_output_text_delta", "user"): self._caller_speaks,
            ("turn_ended", "user"): self._caller_ends,
            ("turn_started", "assistant"): self._begin,
            ("turn_output_text_delta", "assistant"): self._tell,
            ("audio_output", ""): self._sound,
            ("audio_output_clear", ""): self._clear,
            ("turn_ended", "assistant"): self._finish,
        }

    def __repr__(self) -> str:
        return f"<AgentTurns [turn {self._turn}{', dropped' if self._dropping else ''}]>"

    def cut(self) -> None:
        """Want nothing more of the turn that the caller spoke over, or else of the last."""
        cut, self._spoken_over = self._last if self._spoken_over is None else self._spoken_over, None
        if cut is not None and cut == self._last:
            self._dropping = True

    def take(self, message: dict[str, Any]) -> list[S2sEvent]:
        """Take a message; return what it tells.

        Raises:
            InvalidFormat: it cannot be what it says.

        """
        take = self._takes.get((word_of(message, "type"), word_of(message, "role")))
        return [] if take is None else take(message)

    def _caller_begins(self, _: dict[str, Any]) -> list[S2sEvent]:
        self._heard, self._spoken_over, self._muted = "", self._last, False
        ended = self._end() if self._turn == _UNNUMBERED else []
        return [*ended, S2sEvent(kind="speech_started")]

    def _caller_speaks(self, message: dict[str, Any]) -> list[S2sEvent]:
        self._heard = (self._heard + _text(message))[:MAX_SAID]
        return [S2sEvent(kind="user_text", text=self._heard)]

    def _caller_ends(self, message: dict[str, Any]) -> list[S2sEvent]:
        return [S2sEvent(kind="speech_stopped"), S2sEvent(kind="user_text", text=_text(message), final=True)]

    def _begin(self, message: dict[str, Any]) -> list[S2sEvent]:
        number = message.get("turn")
        ended = [] if self._turn == _UNNUMBERED else self._end()
        self._turn = self._last = number if isinstance(number, int) else _UNNUMBERED
        self._dropping, self._told = self._muted, False
        return ended

    def _tell(self, message: dict[str, Any]) -> list[S2sEvent]:
        return self._speak(S2sEvent(kind="agent_text", text=_text(message)))

    def _sound(self, message: dict[str, Any]) -> list[S2sEvent]:
        pcm, self._odd = whole_samples(self._odd + audio_of(message.get("audio"), "agent"))
        return self._speak(S2sEvent(kind="audio", pcm=pcm))

    def _clear(self, _: dict[str, Any]) -> list[S2sEvent]:
        return self._end(cut=True)

    def _finish(self, message: dict[str, Any]) -> list[S2sEvent]:
        if self._turn is None or (message.get("turn") != self._turn and self._turn != _UNNUMBERED):
            return []
        text, cut = _text(message), message.get("interrupted") is True
        untold = text and not (self._told or self._dropping or cut)
        whole = [S2sEvent(kind="agent_text", text=text, final=True)] if untold else []
        return whole + self._end(cut=cut)

    def _speak(self, event: S2sEvent) -> list[S2sEvent]:
        if self._dropping or self._muted or not (event.pcm or event.text):
            return []
        if self._turn is None:
            self._turn = self._last = _UNNUMBERED
            self._told = False
        self._told = self._told or bool(event.text)
        return [event]

    def _end(self, *, cut: bool = False) -> list[S2sEvent]:
        """End the turn under way; with ``cut``, what still comes of it is dropped."""
        turn, self._turn, self._odd = self._turn, None, b""
        self._dropping = self._dropping or cut
        return [] if turn is None else [S2sEvent(kind="turn_done")]


def _text(message: dict[str, Any]) -> str:
    return word_of(message, "text")
