"""Cartesia's own SDK drives a double of Cartesia, and holds every message of either side against its models.

    cartesia_oracle.py URL FOLDER

The key is in CARTESIA_API_KEY. In FOLDER, ``caller.pcm`` is what a caller says, 16 kHz, and ``ours.json`` what our
client sends to the voice. What the voice says goes to ``voice.pcm`` (24 kHz); what came of all is printed as JSON.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from cartesia import AsyncCartesia, AuthenticationError
from cartesia.types.stt.stt_auto_finalize_websocket_response import STTAutoFinalizeWebsocketResponse
from cartesia.types.stt.stt_manual_finalize_websocket_response import STTManualFinalizeWebsocketResponse
from cartesia.types.websocket_client_event import CancelContextRequest, GenerationRequest
from cartesia.types.websocket_response import WebsocketResponse
from pydantic import TypeAdapter

VOICE = {
    "model_id": "sonic-test",
    "voice": {"mode": "id", "id": "a0e99841-438c-4a64-b679-ae501e7d6091"},
    "output_format": {"container": "raw", "encoding": "pcm_s16le", "sample_rate": 24_000},
}
EARS = {"encoding": "pcm_s16le", "model": "ink-test", "sample_rate": 16_000}
FRAME_BYTES = 640


def strict(kind: Any, event: Any) -> Any:
    """Return a message that the SDK's model of it accepts; the client itself does not look."""
    TypeAdapter(kind).validate_python(event.to_dict() if hasattr(event, "to_dict") else event, strict=True)
    return event


async def spoken(client: AsyncCartesia, folder: Path) -> dict[str, Any]:
    """Speak a text in pieces; one that is cancelled is heard of no more, and one that is wrong is refused."""
    audio, words, kinds = b"", [], set()
    async with client.tts.websocket_connect() as connection:
        context = connection.context(**VOICE, add_timestamps=True)
        await context.push("good day ")
        await context.push("to you")
        await context.no_more_inputs()
        async for event in context.receive():
            kinds.add(strict(WebsocketResponse, event).type)
            if event.type == "chunk":
                audio += event.audio
            elif event.type == "timestamps":
                words += event.word_timestamps.words
        long = connection.context(**VOICE)
        await long.push("on and on " * 30)
        async for event in long.receive():
            if event.type == "chunk":
                await long.cancel()
                break
        wrong = connection.context(**{**VOICE, "output_format": {**VOICE["output_format"], "sample_rate": 12_345}})
        await wrong.push("hello")
        refused = [strict(WebsocketResponse, event) async for event in wrong.receive()][-1]
    (folder / "voice.pcm").write_bytes(audio)
    return {"words": words, "kinds": sorted(kinds), "refused": refused.status_code}


async def understood(client: AsyncCartesia, pcm: bytes) -> dict[str, Any]:
    """Speak twice to the ear that is told when to finalize."""
    texts, kinds = [""], []
    async with client.stt.manual_finalize.websocket(**EARS, keyterm=["canary", "parrot"]) as connection:
        for _ in range(2):
            for at in range(0, len(pcm), FRAME_BYTES):
                await connection.send_raw(pcm[at : at + FRAME_BYTES])
            await connection.send("finalize")
            while (event := strict(STTManualFinalizeWebsocketResponse, await connection.recv())).type != "flush_done":
                kinds.append([event.type, event.is_final])
                texts[0] += event.text if event.is_final else ""
        await connection.send("close")
        kinds += [[strict(STTManualFinalizeWebsocketResponse, event).type, None] async for event in connection]
    return {"text": texts[0], "kinds": kinds}


async def turned(client: AsyncCartesia, pcm: bytes) -> list[list[Any]]:
    """Speak to the ear that ends turns by itself."""
    found = []
    async with client.stt.auto_finalize.websocket(**EARS, turn_end_threshold=0.3) as connection:
        await connection.send({"type": "config", "turn": {"end_timeout_ms": 1000.0}})
        await connection.send_raw(pcm + bytes(32_000))
        async for event in connection:
            strict(STTAutoFinalizeWebsocketResponse, event)
            found.append([event.type, getattr(event, "transcript", None)])
            if event.type == "turn.end":
                await connection.send({"type": "close"})
    return found


async def by_token(url: str, token: str) -> int:
    """Speak with a token in place of the key."""
    client = AsyncCartesia(token=token, base_url=url, websocket_base_url=url.replace("http", "ws", 1))
    async with client.tts.websocket_connect() as connection:
        context = connection.context(**VOICE)
        await context.push("hi", continue_=False)
        return sum([len(event.audio) async for event in context.receive() if event.type == "chunk"])


async def main(url: str, folder: Path) -> None:
    """Do it all."""
    ours = json.loads((folder / "ours.json").read_text())
    for message in ours:
        TypeAdapter(CancelContextRequest if "cancel" in message else GenerationRequest).validate_python(message)
    pcm = (folder / "caller.pcm").read_bytes()
    client = AsyncCartesia(
        api_key=os.environ["CARTESIA_API_KEY"], base_url=url, websocket_base_url=url.replace("http", "ws", 1)
    )
    try:
        await AsyncCartesia(api_key="sk-wrong", base_url=url, max_retries=0).voices.list(limit=1)
        refused = None
    except AuthenticationError as error:
        refused = error.status_code
    token = await client.access_token.create(expires_in=60, grants={"tts": True, "stt": True, "agent": True})
    found = {
        "voice": await spoken(client, folder),
        "ear": await understood(client, pcm),
        "turns": await turned(client, pcm),
        "voices": [voice.id async for voice in client.voices.list(limit=1)],
        "token_bytes": await by_token(url, token.token),
        "refused": refused,
    }
    print(json.dumps(found))


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
