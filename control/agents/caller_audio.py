"""What the caller said in a turn, as a model that hears is given it."""

from __future__ import annotations

import logging

from voicebackend._redis import redis_errors
from voicebackend._wire import Wire
from voicebackend.audio import PIPELINE_RATE
from voicebackend.codecs.wav import wav_bytes
from voicebackend.errors import VoiceBackendError
from voicebackend.keys import Keys
from voicebackend.turn_audio import unpacked

logger = logging.getLogger(__name__)


async def caller_audio(audio: Wire, keys: Keys, session_id: str, turn: int) -> bytes:
    """Return it as a WAV file, 16 kHz mono, its latest 30 s at most; ``audio`` is the role.

    It is empty where there is none: the turn was typed, another worker took over in the middle of it, or Redis does
    not tell. Then the model has the words alone.
    """
    try:
        with redis_errors("caller_audio"):
            [found] = await audio.execute(("GET", keys.turn_audio(session_id)))
    except VoiceBackendError as error:
        extra = {"session_id": session_id, "turn": turn, "error_code": str(error.code)}
        logger.warning("agent turn without the caller's audio", extra=extra)
        return b""
    pcm = unpacked(turn, found)
    return wav_bytes(pcm, sample_rate=PIPELINE_RATE) if pcm else b""
