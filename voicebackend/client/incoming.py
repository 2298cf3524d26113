"""What comes over a session's socket, kept until the application takes it; and how the session stands."""

from __future__ import annotations

from collections.abc import Callable

from voicebackend import events
from voicebackend.client.feed import Feed
from voicebackend.errors import VoiceBackendError
from voicebackend.events import ServerMessage
from voicebackend.session import ConnectionState, PipelineState, SessionView, is_over

MAX_EVENTS = 1000
"""Events kept."""
MAX_AGENT_CHUNKS = 3000
"""Pieces of agent audio kept: a minute of 20 ms."""
MAX_CALLER_CHUNKS = 300
"""Pieces of caller audio kept: a minute of 200 ms."""


class Incoming:
    """Listens to a socket; everything ends with the session."""

    def __init__(self, view: SessionView, *, ended: Callable[[], None]) -> None:
        self._ended, self._turn = ended, 0
        self.state = PipelineState.IDLE
        self.connection = ConnectionState.DISCONNECTED
        self.over = is_over(view.state)
        self.error: VoiceBackendError | None = None
        """What ended the session, if that was an error."""
        self.agent_audio: Feed[tuple[int, bytes]] = Feed(MAX_AGENT_CHUNKS)
        """Each piece with its turn."""
        self.caller_audio: Feed[bytes] = Feed(MAX_CALLER_CHUNKS)
        self.events: Feed[ServerMessage] = Feed(MAX_EVENTS)

    def on_event(self, message: ServerMessage) -> None:
        """Take a text message."""
        if isinstance(message, events.State):
            self.state = message.state
        if isinstance(message, events.AudioStart):
            self._turn = message.turn
        if isinstance(message, events.Clear):
            self.agent_audio.drop(lambda waiting: waiting[0] <= message.turn)
        self.events.put(message)

    def on_audio(self, pcm: bytes) -> None:
        """Take agent audio."""
        self.agent_audio.put((self._turn, pcm))

    def on_connection(self, state: ConnectionState) -> None:
        """Hear that the socket was lost or found again."""
        self.connection = state

    def on_end(self, error: VoiceBackendError | None) -> None:
        """Hear that the session is over; hearing it again changes nothing."""
        if self.over:
            return
        self.over, self.error = True, error
        self.connection = ConnectionState.ERROR if error else ConnectionState.DISCONNECTED
        self.state = PipelineState.ERROR if error else PipelineState.IDLE
        self.agent_audio.close()
        self.caller_audio.close()
        self.events.close()
        self._ended()
