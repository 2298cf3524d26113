"""Runs where OpenAI's SDK is: drives our double of the vendor, and judges what was said over the Realtime API.

``drive URL FOLDER`` talks to the double; FOLDER holds ``caller.wav`` of 16 kHz and ``caller.pcm`` of 24 kHz, and gets
``voice.pcm``. ``judge FILE`` reads a record of a conversation, ``[{"by": "client" or "server", "event": {}}]``. Both
print what they found as JSON.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

from openai import AsyncOpenAI, AuthenticationError, BadRequestError
from openai.types.realtime import RealtimeClientEvent, RealtimeServerEvent
from pydantic import BaseModel, TypeAdapter, ValidationError

MODELS = {"server": TypeAdapter(RealtimeServerEvent), "client": TypeAdapter(RealtimeClientEvent)}
UNTYPED = {"session.id", "session.object"}
"""Fields that the vendor sends and its SDK has no types for."""
SESSION = {
    "type": "realtime",
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "transcription": {"model": "hear-1"},
            "turn_detection": {"type": "server_vad", "create_response": True, "interrupt_response": False},
        },
        "output": {"voice": "marin"},
    },
}


def faults(by: str, event: dict[str, Any]) -> list[str]:
    """Return what the SDK's models do not know of an event: wrong or missing fields, and those that they have not."""
    try:
        found = MODELS[by].validate_python(event)
    except ValidationError as error:
        return [f"{event.get('type')}: {problem['loc']} {problem['msg']}" for problem in error.errors()]
    return [f"{event['type']}: unknown {name}" for name in extras(found, "") if name not in UNTYPED]


def extras(found: Any, where: str) -> list[str]:
    """Return the fields that no model has."""
    if isinstance(found, list):
        return [name for item in found for name in extras(item, where)]
    if not isinstance(found, BaseModel):
        return []
    names = [f"{where}{name}" for name in found.model_extra or {}]
    for name in type(found).model_fields:
        names += extras(getattr(found, name), f"{where}{name}.")
    return names


def judge(record: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the faults of a conversation, and the kinds of what each side said."""
    kinds = {by: sorted({said["event"]["type"] for said in record if said["by"] == by}) for by in MODELS}
    return {"faults": [fault for said in record for fault in faults(said["by"], said["event"])], **kinds}


class Talk:
    """A conversation by the SDK; every event is held against its models."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.faults: list[str] = []
        self.kinds: list[str] = []

    async def until(self, kind: str) -> Any:
        """Return the next event of this kind, as the SDK reads it."""
        async with asyncio.timeout(20):
            while True:
                raw = await self.connection.recv_bytes()
                self.faults += faults("server", json.loads(raw))
                event = self.connection.parse_event(raw)
                self.kinds.append(event.type)
                if event.type == kind:
                    return event

    async def speak(self, pcm: bytes) -> None:
        """Send a caller's audio in frames."""
        for start in range(0, len(pcm), 960):
            audio = base64.b64encode(pcm[start : start + 960]).decode()
            await self.connection.input_audio_buffer.append(audio=audio)

    async def answer(self) -> str:
        """Return what is said until the answer is done."""
        done = await self.until("response.done")
        return "".join(part.transcript or "" for item in done.response.output for part in item.content)


async def talk(client: AsyncOpenAI, pcm: bytes) -> dict[str, Any]:
    """Speak, be answered, ask by text, interrupt, and do what is wrong."""
    async with client.realtime.connect(model="talk-1") as connection:
        held = Talk(connection)
        await held.until("session.created")
        await connection.session.update(session=SESSION)
        updated = await held.until("session.updated")
        await held.speak(pcm)
        heard = await held.until("conversation.item.input_audio_transcription.completed")
        spoken = await held.answer()
        story = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "tell me a story"}]}
        await connection.conversation.item.create(item=story)
        await connection.response.create()
        first = await held.until("response.output_audio.delta")
        await connection.response.cancel()
        cancelled = await held.until("response.done")
        await connection.conversation.item.truncate(item_id=first.item_id, content_index=0, audio_end_ms=100)
        truncated = await held.until("conversation.item.truncated")
        await connection.response.cancel()
        refused = await held.until("error")
    return {
        "faults": held.faults,
        "kinds": sorted(set(held.kinds)),
        "voice": updated.session.audio.output.voice,
        "heard": heard.transcript,
        "spoken": spoken,
        "cancelled": [cancelled.response.status, cancelled.response.status_details.reason],
        "truncated_ms": truncated.audio_end_ms,
        "refused": refused.error.code,
    }


async def drive(url: str, folder: Path) -> dict[str, Any]:
    """Use every part of the double."""
    wav = folder / "caller.wav"
    async with AsyncOpenAI(base_url=url, max_retries=0) as client:
        models = [model.id async for model in client.models.list()]
        whole = await client.audio.transcriptions.create(model="hear-1", file=wav)
        stream = await client.audio.transcriptions.create(model="hear-1", file=wav, stream=True)
        streamed = [event.model_dump() async for event in stream]
        speech = client.audio.speech.with_streaming_response.create(
            model="speak-1", voice="marin", input="good day to you", response_format="pcm"
        )
        async with speech as response:
            pieces = [piece async for piece in response.iter_bytes()]
        (folder / "voice.pcm").write_bytes(b"".join(pieces))
        refused = []
        for wrong, kind in ((client.with_options(api_key="sk-wrong"), AuthenticationError), (client, BadRequestError)):
            try:
                await wrong.audio.speech.create(model="speak-1", voice="marin", input="", response_format="pcm")
            except kind as error:
                refused.append(error.status_code)
        return {
            "models": models,
            "whole": whole.text,
            "deltas": [event["delta"] for event in streamed[:-1]],
            "streamed": streamed[-1]["text"],
            "refused": refused,
            "talk": await talk(client, (folder / "caller.pcm").read_bytes()),
        }


if __name__ == "__main__":
    if sys.argv[1] == "drive":
        print(json.dumps(asyncio.run(drive(sys.argv[2], Path(sys.argv[3])))))
    else:
        print(json.dumps(judge(json.loads(Path(sys.argv[2]).read_text()))))
