"""What a session's worker orders of a caller's playout, done at once and answered with what was heard."""

from __future__ import annotations

from voicebackend.heard import HeardReports
from voicebackend.playout import Playout
from voicebackend.streams import Frame


def obey(event: Frame, playout: Playout, heard: HeardReports, now: float) -> None:
    """Do as a frame of kind ``EVENT`` says; what orders nothing goes to the caller in its place among the audio.

    Raises:
        InvalidFormat: it is not a JSON object.

    """
    told, text = event.json(), event.payload.decode()
    turn = told.get("turn", event.turn)
    match told.get("type"):
        case "clear":
            playout.clear(turn, text, now)
            heard.stopped(turn, playout.played_ms(turn, now))
        case "pause":
            playout.pause(turn, text, now)
            heard.stopped(turn, playout.played_ms(turn, now))
        case "resume":
            playout.resume(turn, text, now)
            heard.resumed(turn)
        case "ended":
            playout.push_text(text)
            playout.finish()
        case _:
            playout.push_text(text)
