"""Vapi's own SDK drives our double: ``vapi_oracle.py URL KEY FOLDER``.

The folder has our messages in ``ours.json``, and what a caller says in ``caller.pcm``; what is heard is written
to ``heard.pcm``.

Its models allow anything that they do not know, so that is looked for. The websocket is not in the SDK: it is held by
hand, with the SDK's models for what comes.
"""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import websockets
from pydantic import BaseModel, TypeAdapter
from vapi import AsyncVapi
from vapi.calls.types.create_call_dto_transport import CreateCallDtoTransport_VapiWebsocket
from vapi.core.api_error import ApiError
from vapi.types.assistant_overrides import AssistantOverrides
from vapi.types.client_inbound_message_message import ClientInboundMessageMessage
from vapi.types.client_message_assistant_speech import ClientMessageAssistantSpeech
from vapi.types.client_message_assistant_started import ClientMessageAssistantStarted
from vapi.types.client_message_conversation_update import ClientMessageConversationUpdate
from vapi.types.client_message_model_output import ClientMessageModelOutput
from vapi.types.client_message_speech_update import ClientMessageSpeechUpdate
from vapi.types.client_message_transcript import ClientMessageTranscript
from vapi.types.client_message_user_interrupted import ClientMessageUserInterrupted
from vapi.types.client_message_voice_input import ClientMessageVoiceInput
from vapi.types.create_assistant_dto import CreateAssistantDto

RATE = 16_000
CLIENT_MESSAGES = {
    "assistant.speechStarted": ClientMessageAssistantSpeech,
    "assistant.started": ClientMessageAssistantStarted,
    "conversation-update": ClientMessageConversationUpdate,
    "model-output": ClientMessageModelOutput,
    "speech-update": ClientMessageSpeechUpdate,
    "transcript": ClientMessageTranscript,
    "user-interrupted": ClientMessageUserInterrupted,
    "voice-input": ClientMessageVoiceInput,
}
"""``status-update`` is told to clients by the documentation, and has no model among theirs."""
BODY = {
    "assistant": CreateAssistantDto,
    "assistantId": str,
    "assistantOverrides": AssistantOverrides,
    "transport": CreateCallDtoTransport_VapiWebsocket,
}
"""What creates a call, of what ``calls.create`` takes."""


def unknown(value: Any, where: str = "") -> list[str]:
    """Return the fields that a model let pass without knowing them."""
    if isinstance(value, BaseModel):
        found = [f"{where}.{name}" for name in value.model_extra or {}]
        for name in type(value).model_fields:
            found += unknown(getattr(value, name), f"{where}.{name}")
        return found
    if isinstance(value, list):
        return [name for item in value for name in unknown(item, where)]
    return []


def check_ours(ours: dict[str, Any]) -> None:
    """Validate what our client sends."""
    adapter = TypeAdapter(ClientInboundMessageMessage)
    for message in ours["messages"]:
        read = adapter.validate_python(message)
        assert not unknown(read), unknown(read)
        assert read.type == message["type"], (read, message)
    for body in ours["bodies"]:
        assert body.keys() <= BODY.keys(), body.keys()
        for name, value in body.items():
            read = TypeAdapter(BODY[name]).validate_python(value)
            assert not unknown(read), unknown(read)


async def talk(url: str, pcm: bytes) -> tuple[dict[str, Any], bytes]:
    """Hold the call; return what was told, and what was heard."""
    kinds: list[str] = []
    heard, texts = bytearray(), []
    async with websockets.connect(url) as ws:
        await ws.send(pcm)
        stops = 0
        async for raw in ws:
            if isinstance(raw, bytes):
                heard += raw
                continue
            message = json.loads(raw)
            kinds.append(message["type"])
            model = CLIENT_MESSAGES.get(message["type"])
            if model is not None:
                left = {"newAssistant"} if message["type"] == "assistant.started" else set()
                read = model.model_construct(**message) if left else model.model_validate(message)
                assert left or not unknown(read), (message, unknown(read))
            if message["type"] == "assistant.speechStarted":
                texts.append((message["source"], message["text"]))
            if (message["type"], message.get("role"), message.get("status")) == (
                "speech-update",
                "assistant",
                "stopped",
            ):
                stops += 1
                if stops == 1:
                    await ws.send(json.dumps({"type": "say", "content": "good day"}))
                else:
                    await ws.send(json.dumps({"type": "end-call"}))
    return {"kinds": kinds, "texts": texts, "close": ws.close_code}, bytes(heard)


async def main(url: str, key: str, pcm: bytes) -> bytes:
    """Drive the double; print what came of it, and return what was heard."""
    client = AsyncVapi(token=key, base_url=url)
    transport = {
        "provider": "vapi.websocket",
        "audioFormat": {"format": "pcm_s16le", "container": "raw", "sampleRate": RATE},
    }
    overrides = AssistantOverrides(client_messages=[*CLIENT_MESSAGES, "status-update"])
    call = await client.calls.create(assistant_id="assistant", assistant_overrides=overrides, transport=transport)
    assert call.status == "queued", call.status
    raw = call.transport
    socket_url = (raw if isinstance(raw, dict) else raw.model_dump(by_alias=True))["websocketCallUrl"]
    told, heard = await talk(socket_url, pcm)
    read = await client.calls.get(call.id)
    listed = await client.calls.list(limit=1)
    try:
        await AsyncVapi(token="wrong", base_url=url).calls.list(limit=1)
        refused = 0
    except ApiError as error:
        refused = error.status_code
    print(json.dumps({**told, "status": read.status, "listed": len(listed), "refused": refused}))
    return heard


if __name__ == "__main__":
    folder = Path(sys.argv[3])
    check_ours(json.loads((folder / "ours.json").read_text()))
    said = asyncio.run(main(sys.argv[1], sys.argv[2], (folder / "caller.pcm").read_bytes()))
    (folder / "heard.pcm").write_bytes(said)
