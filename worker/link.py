"""The way to a session's caller: frames into the inbox of whichever gateway holds the caller's socket now."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import Self

from voicebackend.audio import PIPELINE_RATE
from voicebackend.channel import Sender
from voicebackend.events import Message
from voicebackend.interfaces import CallerRoom, TransportLink
from voicebackend.keys import Keys
from voicebackend.streams import Frame, Kind, json_payload
from voicebackend.telemetry import count_audio, frames_dropped
from worker.checkpoint import AttachmentSnapshot
from worker.lane import Lane


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachment:
    """A caller's socket at a gateway, or stay in a room."""

    id: int
    inbox: str
    """The gateway's; empty in a room of ours."""
    sample_rate: int
    """Hz."""

    @classmethod
    def of(cls, snapshot: AttachmentSnapshot) -> Self:
        """Return what a checkpoint tells."""
        return cls(id=snapshot.id, inbox=snapshot.inbox, sample_rate=snapshot.sample_rate)

    def snapshot(self, heard: tuple[int, float]) -> AttachmentSnapshot:
        """Return what a checkpoint is to tell; what was ``heard``, a turn and milliseconds, a gateway knows better."""
        told = {} if self.inbox else {"heard": heard}
        return AttachmentSnapshot(id=self.id, inbox=self.inbox, sample_rate=self.sample_rate, **told)


HOLD_S = 3.0
"""Seconds for which what is to be sent waits while the lease is in doubt; then it is dropped."""
MAX_HELD = 200
"""Messages that wait at most."""
AGAIN_S = 0.02
"""Seconds between two looks at the lease meanwhile."""


class GatewayLink(TransportLink):
    """Numbers what it sends within the lane's epoch; says nothing while the lease is in doubt, or nobody is attached.

    A process that slept for a moment mostly finds that it still holds its lane: then no word of the agent is lost.
    """

    def __init__(self, session: str, lane: Lane, sender: Sender, keys: Keys) -> None:
        self._session, self._lane, self._sender, self._keys = session, lane, sender, keys
        self._seq = 0
        self._held: list[tuple[Kind, bytes, int]] = []
        self._held_since = 0.0
        self.attachment: Attachment | None = None
        self.room: CallerRoom | None = None
        """Takes what is for a caller who is at no gateway."""
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
        count_audio(len(pcm), "out", self._session)

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
        now = time.monotonic()
        if not self._held and self._lane.may_speak(now):
            self._give(self.attachment, kind, payload, turn)
        elif len(self._held) < MAX_HELD:
            self._hold((kind, payload, turn), now)
        else:
            frames_dropped.add(1, {"where": "fenced"})

    def _hold(self, message: tuple[Kind, bytes, int], now: float) -> None:
        if not self._held:
            self._held_since = now
            asyncio.get_running_loop().call_later(AGAIN_S, self._look_again)
        self._held.append(message)

    def _look_again(self) -> None:
        """Send what waits if the lease is sure again; drop it if that takes too long, or another has the lane."""
        now = time.monotonic()
        if self.attachment is not None and self._lane.may_speak(now):
            held, self._held = self._held, []
            for kind, payload, turn in held:
                self._give(self.attachment, kind, payload, turn)
        elif self.attachment is not None and now - self._held_since < HOLD_S:
            asyncio.get_running_loop().call_later(AGAIN_S, self._look_again)
        else:
            frames_dropped.add(len(self._held), {"where": "fenced"})
            self._held.clear()

    def _give(self, attachment: Attachment, kind: Kind, payload: bytes, turn: int) -> None:
        self._seq = seq = self._seq + 1
        now_ms = round(time.time() * 1000)
        frame = Frame(self._session, kind, payload, turn, seq, 0, attachment.id, self._lane.epoch, now_ms)
        if attachment.inbox:
            self._sender.send(self._keys.inbox(attachment.inbox), frame)
        elif self.room is not None:
            self.room.take(frame)
