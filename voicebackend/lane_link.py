"""A caller's way into its session's lane: each frame tells where it comes from, and its number."""

from __future__ import annotations

import secrets
import time
from dataclasses import asdict

from voicebackend.channel import Sender
from voicebackend.digits import Sealing
from voicebackend.streams import Frame, Kind, json_payload
from voicebackend.turn_progress import Standing


class LaneLink:
    """That of one socket, or of one stay in a room. Audio is numbered from 1, and so is everything else.

    So what comes twice shows. ``inbox`` names the gateway's; it is empty where the worker itself holds the caller.
    """

    def __init__(self, sender: Sender, *, session: str, lane: str, inbox: str, sample_rate: int, seal: Sealing) -> None:
        self._sender, self._session, self._lane, self._seal = sender, session, lane, seal
        self._inbox, self._sample_rate = inbox, sample_rate
        self.attachment = secrets.randbelow(2**32 - 1) + 1
        self._audio_seq = self._seq = 0

    def __repr__(self) -> str:
        return f"<LaneLink of socket {self.attachment} [{self._audio_seq} frames of audio]>"

    def audio(self, frames: list[bytes]) -> None:
        """Send caller audio: 16 kHz PCM, at most 20 ms each."""
        now = round(time.time() * 1000)
        for pcm in frames:
            self._audio_seq += 1
            frame = Frame(self._session, Kind.AUDIO_IN, pcm, 0, self._audio_seq, 0, self.attachment, 0, now)
            self._sender.send(self._lane, frame)

    def attach(self, traceparent: str) -> None:
        """Say that the socket is open, and where what is for it goes."""
        self.tell(Kind.ATTACH, inbox=self._inbox, sample_rate=self._sample_rate, traceparent=traceparent)

    def playout(self, standing: Standing, epoch: int) -> None:
        """Tell how far playout is, to the speaker of this epoch who asked."""
        data = {**asdict(standing), "sample_rate": self._sample_rate, "inbox": self._inbox}
        self._send(Kind.PLAYOUT, standing.turn, data, epoch)

    def played(self, turn: int, ms: float, *, estimated: bool, final: bool) -> None:
        """Tell how much of a turn was heard."""
        self._send(Kind.PLAYED, turn, {"ms": ms, "estimated": estimated, "final": final})

    def pressed(self, digit: str) -> None:
        """Send a key, always sealed: who knows it here does not know whether it is sensitive."""
        self.tell(Kind.DTMF, sealed=self._seal.seal(digit))

    def tell(self, kind: Kind, **data: object) -> None:
        """Send anything else, as JSON."""
        self._send(kind, 0, data)

    def _send(self, kind: Kind, turn: int, data: dict[str, object], epoch: int = 0) -> None:
        self._seq += 1
        frame = Frame(
            session=self._session,
            kind=kind,
            payload=json_payload(data),
            turn=turn,
            seq=self._seq,
            attachment=self.attachment,
            epoch=epoch,
            time_ms=round(time.time() * 1000),
        )
        self._sender.send(self._lane, frame)
