"""Pipecat's serializers for carriers read what carriers send, and say what we say: JSON in, JSON out.

Of each carrier: its messages (``begin``, ``media`` as text or ``audio`` as base64, ``key``), and ``pcm`` to be played.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import AsyncIterator

from loguru import logger
from pipecat.frames.frames import InputAudioRawFrame, InputDTMFFrame, InterruptionFrame, OutputAudioRawFrame
from pipecat.runner.utils import parse_telephony_websocket
from pipecat.serializers.base_serializer import FrameSerializer
from pipecat.serializers.exotel import ExotelFrameSerializer
from pipecat.serializers.plivo import PlivoFrameSerializer
from pipecat.serializers.telnyx import TelnyxFrameSerializer
from pipecat.serializers.twilio import TwilioFrameSerializer
from pipecat.serializers.vonage import VonageFrameSerializer


class Socket:
    """As much of a websocket as is needed to read the first messages."""

    def __init__(self, messages: list[str]) -> None:
        self._messages = messages

    async def iter_text(self) -> AsyncIterator[str]:
        """Yield them."""
        for message in self._messages:
            yield message


def serializer(carrier: str, stream: str) -> FrameSerializer:
    """Return what speaks a carrier's dialect, by its defaults; nobody's call is hung up."""
    match carrier:
        case "twilio":
            return TwilioFrameSerializer(stream, params=TwilioFrameSerializer.InputParams(auto_hang_up=False))
        case "telnyx":
            params = TelnyxFrameSerializer.InputParams(auto_hang_up=False)
            return TelnyxFrameSerializer(stream, "PCMU", "PCMU", params=params)
        case "plivo":
            return PlivoFrameSerializer(stream, params=PlivoFrameSerializer.InputParams(auto_hang_up=False))
        case "exotel":
            return ExotelFrameSerializer(stream)
        case _:
            return VonageFrameSerializer()


async def judge(carrier: str, case: dict) -> dict:
    """Return what Pipecat makes of a carrier's messages, and what it would send."""
    stream, call = "", ""
    if carrier != "vonage":  # Pipecat is told what comes by it
        carrier, found = await parse_telephony_websocket(Socket(case["begin"]))
        stream, call = found["stream_id"], found["call_id"]
    speaker, rate = serializer(carrier, stream), case["sample_rate"]
    speaker._sample_rate = rate  # as ``setup`` of a pipeline at this rate does
    media = base64.b64decode(case["audio"]) if "audio" in case else case["media"]
    heard, pressed = await speaker.deserialize(media), await speaker.deserialize(case["key"])
    assert isinstance(heard, InputAudioRawFrame), heard
    assert isinstance(pressed, InputDTMFFrame), pressed
    played = await speaker.serialize(OutputAudioRawFrame(base64.b64decode(case["pcm"]), rate, 1))
    return {
        "carrier": carrier,
        "stream": stream,
        "call": call,
        "heard": base64.b64encode(heard.audio).decode(),
        "pressed": pressed.button.value,
        "play": played if isinstance(played, str) else base64.b64encode(played).decode(),
        "clear": await speaker.serialize(InterruptionFrame()),
    }


async def main(cases: dict) -> None:
    """Print what was found of each."""
    print(json.dumps({carrier: await judge(carrier, case) for carrier, case in cases.items()}))


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    asyncio.run(main(json.loads(sys.argv[1])))
