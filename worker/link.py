"""The way to a session's caller: frames into the inbox of whichever gateway holds the caller's socket now."""

from __future__ import annotations

import time
from dataclasses import dataclass

from voicebackend.audio import PIPELINE_RATE
from voicebackend.channel import Sender
from voicebackend.events import Message
from voicebackend.interfaces import TransportLink
from voicebackend.keys import Keys
from voicebackend.streams import Frame, Kind, json_payload
from voicebackend.telemetry import frames_dropped, throughput_bytes
from worker.lane import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A caller's socket at a gateway."""

    id: int
    inbox: str
    sample_rate: int
    """Hz."""


class GatewayLink(TransportLink):
    """Numbers what it sends within the lane's epoch; mute when the lease is in doubt or nobody is attached."""

    def __init__(self, session: str, lane: Lane, sender: Sender, keys: Keys) -> None:
        self._session, self._lane, self._sender, self._keys = session, lane, sender, keys
        self._seq = 0
        self.attachment: Attachment | None = None
        self.adopted = 0
        """The epoch under which the gateway was told that we speak."""

    @property
    def sample_rate(self) -> int:  # type: ignore[override]
        """Return the caller's rate in Hz."""
        return self.attachment.sample_rate if self.attachment else PIPELINE_RATE

    def attach(self, attachment: Attachment) -> None:
        """Speak to this socket from now on, and have the one before let go, wherever it is."""
        if self.attachment is not None and self.attachment.id != attachment.id:
            self._send(Kind.EVENT, json_payload({"type": "replaced"}), 0)
        self.attachment = attachment

    def play(self, turn: int, pcm: bytes) -> None:
        """Send agent audio."""
        self._send(Kind.AUDIO_OUT, pcm, turn)
        throughput_bytes.add(len(pcm), {"direction": "out"})

    def event(self, message: Message) -> None:
        """Send an event."""
        self._send(Kind.EVENT, message.to_json().encode(), getattr(message, "turn", 0))

    def adopt(self) -> None:
        """Tell the gateway that we speak for this session now; it answers with ``PLAYOUT`` in the lane."""
        self.adopted = self._lane.epoch
        self._send(Kind.ADOPT, b"{}", 0)

    def _send(self, kind: Kind, payload: bytes, turn: int) -> None:
        if self.attachment is None:
            return
        if not self._lane.may_speak(time.monotonic()):
            frames_dropped.add(1, {"where": "fenced"})
            return
        self._seq += 1
        frame = Frame(
            session=self._session,
            kind=kind,
            payload=payload,
            turn=turn,
            seq=self._seq,
            attachment=self.attachment.id,
            epoch=self._lane.epoch,
            time_ms=round(time.time() * 1000),
        )
        self._sender.send(self._keys.inbox(self.attachment.inbox), frame)
