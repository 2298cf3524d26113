"""``/v1/sessions/{id}/audio``: the application's own audio, played to the caller."""

from __future__ import annotations

import asyncio
import time

from aiohttp import web

from control.http.bodies import read_bytes, whole_number
from control.http.routes.sessions import answer, session_of
from control.http.routing import Parameter, Route
from control.http.schemas import AudioAccepted
from control.services import SERVICES
from voicebackend.audio import MAX_RATE, MIN_RATE, PIPELINE_RATE, SAMPLE_BYTES, resample
from voicebackend.errors import ErrorCode, InvalidFormat, SessionNotActive
from voicebackend.session import SessionState
from voicebackend.streams import MAX_PAYLOAD, Frame, Kind

MAX_AUDIO = 1_000_000
"""Bytes in one request: 31 s at 16 kHz."""
_LISTENING = {SessionState.READY, SessionState.ACTIVE}


async def play(request: web.Request) -> web.Response:
    """Take raw s16le mono PCM and hand it to the session's worker."""
    rate = whole_number(request, "sample_rate", default=PIPELINE_RATE, low=MIN_RATE, high=MAX_RATE)
    services, record = request.app[SERVICES], await session_of(request)
    if record.state not in _LISTENING:
        raise SessionNotActive("play_audio", f"the session is {record.state}", details={"state": str(record.state)})
    pcm = await read_bytes(request, MAX_AUDIO)
    if not pcm or len(pcm) % SAMPLE_BYTES:
        raise InvalidFormat("play_audio", "send raw 16-bit PCM: an even number of bytes, at least one sample")
    audio = await asyncio.to_thread(resample, pcm, rate, PIPELINE_RATE)
    lane, now = services.keys.lane(record.lane), round(time.time() * 1000)
    for seq, at in enumerate(range(0, len(audio), MAX_PAYLOAD)):
        piece = audio[at : at + MAX_PAYLOAD]
        services.sender.send(lane, Frame(session=record.id, kind=Kind.PLAY, payload=piece, seq=seq, time_ms=now))
    return answer(AudioAccepted(seconds=len(pcm) / SAMPLE_BYTES / rate), status=202)


ROUTES = [
    Route(
        method="POST",
        path="/v1/sessions/{session_id}/audio",
        operation="sessions.audio",
        handler=play,
        about="Play audio to the caller: raw s16le mono PCM, at most 1 MB",
        body="application/octet-stream",
        answers={202: AudioAccepted},
        errors=(
            *(ErrorCode.INVALID_CONFIG, ErrorCode.INVALID_FORMAT),
            *(ErrorCode.SESSION_NOT_FOUND, ErrorCode.SESSION_NOT_ACTIVE),
        ),
        parameters=(Parameter(name="sample_rate", about="8000 to 48000 Hz; 16000 if absent", type="integer"),),
    ),
]
