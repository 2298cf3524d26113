"""A caller on a real websocket: speaks recordings in real time, hears the agent, and keeps the time of both."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from voicebackend import events
from voicebackend.cli.microphone import Microphone
from voicebackend.cli.player import Player
from voicebackend.cli.target import Target
from voicebackend.client.http import HttpApi
from voicebackend.client.service import SessionService, retry_policy
from voicebackend.config import BackendConfig
from voicebackend.errors import OperationTimeout, SessionNotActive, VoiceBackendError, from_code
from voicebackend.events import ServerMessage
from voicebackend.session import ConnectionState, PipelineState, SessionConfig

ANSWER_S = 20.0
"""Seconds that the agent has to answer and finish."""
QUIET_S = 0.6
"""Seconds of silence after which the agent has finished."""
RETRY_S = 0.2
"""Seconds before the first repetition of a request: someone sits and waits."""
_POLL_S = 0.02


@dataclass(slots=True, kw_only=True)
class TurnHeard:
    """One turn as the caller lived it."""

    turn: int
    user: str = ""
    """What was understood."""
    agent: str = ""
    """What was answered."""
    latency_ms: dict[str, float] = field(default_factory=dict)
    """The stages that the server tells; and ``heard``: last voiced frame sent to first agent audio received."""
    answered_at: float | None = None
    """The event loop's time of the first agent audio."""
    complete: bool = False


class Observer(Protocol):
    """Shows a call as it goes on."""

    def partial(self, text: str) -> None:
        """Show what is being understood, and may change."""
        ...

    def understood(self, turn: TurnHeard) -> None:
        """Show what was understood."""
        ...

    def answered(self, turn: TurnHeard) -> None:
        """Show an answer that is complete, and how long it took."""
        ...


class Caller:
    """One call. Everything is on the event loop's time."""

    def __init__(self, sample_rate: int, observer: Observer) -> None:
        self.sample_rate, self._observer = sample_rate, observer
        self.player = Player(sample_rate)
        self.microphone: Microphone
        self.session = ""
        self.turns: dict[int, TurnHeard] = {}
        self.error: VoiceBackendError | None = None
        """The last that went wrong, as the server or the connection tells."""
        self._state = PipelineState.IDLE
        self._turn = 0
        self._over = False

    @asynccontextmanager
    async def calling(self, target: Target, *, agent: str) -> AsyncIterator[None]:
        """Hold a session with this agent; it ends with the context."""
        config = BackendConfig(retry_delay=RETRY_S)
        policy, timeout_s = retry_policy(config), config.timeout.total_seconds()
        api = HttpApi(target.url, target.api_key, policy=policy, timeout_s=timeout_s)
        await api.open()
        try:
            service = SessionService(api, config, None)
            wanted = SessionConfig(user_id="command-line", transport="websocket", agent=agent)
            self.session = (await service.create(wanted, config))[0].id
            socket = await service.connect(self.session, self, self.sample_rate)
            self.microphone = Microphone(self.sample_rate, socket.send)
            speaking = asyncio.create_task(self.microphone.run(), name="microphone")
            try:
                yield
            finally:
                speaking.cancel()
                await asyncio.gather(speaking, return_exceptions=True)
                await socket.stop()
        finally:
            await api.aclose()

    async def say(self, pcm: bytes) -> None:
        """Speak a recording in real time.

        Raises:
            VoiceBackendError: the session ended meanwhile.

        """
        speaking = asyncio.create_task(self.microphone.say(pcm), name="say")
        try:
            while not speaking.done():
                self._check()
                await asyncio.wait({speaking}, timeout=_POLL_S * 5)
        finally:
            speaking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await speaking

    async def listen(self, *, timeout_s: float = ANSWER_S, quiet_s: float = QUIET_S) -> TurnHeard:
        """Wait until what was said last is answered and the agent has fallen silent; return that turn.

        Raises:
            OperationTimeout: the agent did not answer, or does not stop.
            VoiceBackendError: the session ended meanwhile.

        """
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while loop.time() < deadline:
            answer = self._latest_answer()
            silent = self._state is PipelineState.LISTENING and self.player.dry_s(loop.time()) >= quiet_s
            if answer and answer.complete and silent:
                return answer
            self._check()
            await asyncio.sleep(_POLL_S)
        raise self.error or OperationTimeout("call", f"the agent did not answer and finish within {timeout_s:g} s")

    def tracks(self) -> tuple[bytes, bytes]:
        """Return caller and agent on one timeline."""
        start, caller = self.microphone.started, bytes(self.microphone.recorded)
        seconds = len(caller) / 2 / self.sample_rate
        return caller, self.player.render(start, start + seconds)

    def _latest_answer(self) -> TurnHeard | None:
        since = self.microphone.last_voiced
        answers = [turn for turn in self.turns.values() if turn.answered_at and turn.answered_at > since]
        return answers[-1] if answers else None

    def _check(self) -> None:
        if self._over:
            raise self.error or SessionNotActive("call", "the session ended")

    def _heard(self, number: int) -> TurnHeard:
        return self.turns.setdefault(number, TurnHeard(turn=number))

    def on_event(self, message: ServerMessage) -> None:
        """Take a message from the socket."""
        now = asyncio.get_running_loop().time()
        match message:
            case events.Transcript():
                self._transcript(message)
            case events.State():
                self._state = message.state
            case events.Turn():
                self._heard(message.turn).latency_ms |= message.latency_ms.model_dump()
            case events.AudioStart():
                self._turn = message.turn
            case events.AudioEnd():
                self.player.end_turn(message.turn)
                self._heard(message.turn).complete = True
            case events.Clear():
                self.player.clear(now)
            case events.Pause():
                self.player.pause(now)
            case events.Resume():
                self.player.resume(now)
            case events.Error():
                self.error = from_code(message.code, "call", message.message)
            case _:
                pass

    def _transcript(self, message: events.Transcript) -> None:
        turn = self._heard(message.turn)
        if not message.final:
            if message.role == "user":
                self._observer.partial(message.text)
        elif message.role == "user":
            turn.user = message.text
            self._observer.understood(turn)
        else:
            turn.agent = message.text
            self._observer.answered(turn)

    def on_audio(self, pcm: bytes) -> None:
        """Take agent audio from the socket."""
        now, turn = asyncio.get_running_loop().time(), self._heard(self._turn)
        if turn.answered_at is None:
            turn.answered_at = now
            turn.latency_ms["heard"] = round((now - self.microphone.last_voiced) * 1000, 1)
        self.player.push(now, self._turn, pcm)

    def on_connection(self, state: ConnectionState) -> None:
        """Hear that the socket was lost or found again: the call goes on."""

    def on_end(self, error: VoiceBackendError | None) -> None:
        """Hear that the session is over."""
        self._over = True
        self.error = error or self.error
