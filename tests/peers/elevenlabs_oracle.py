"""ElevenLabs' own SDK drives a double of ElevenLabs, and holds what our client tells an agent against its models.

    elevenlabs_oracle.py URL FOLDER

The key is in ELEVENLABS_API_KEY. In FOLDER, ``<words>.pcm`` is what a caller says, 16 kHz, and ``ours.json`` what our
client sends. What the voice says goes to ``voice.pcm`` and ``timed.pcm`` (24 kHz), and what the agent says to
``<agent>.pcm`` (16 kHz); what came of all is printed as JSON.
"""

import asyncio
import base64
import json
import os
import sys
from pathlib import Path
from typing import Any

from elevenlabs.client import AsyncElevenLabs, ElevenLabs
from elevenlabs.conversational_ai.conversation import (
    AsyncAudioInterface,
    AsyncConversation,
    ClientTools,
    ContextualUpdateClientToOrchestratorEvent,
    ConversationInitiationData,
    UserMessageClientToOrchestratorEvent,
)
from elevenlabs.core.api_error import ApiError
from elevenlabs.types.conversation_config_client_override_input import ConversationConfigClientOverrideInput
from elevenlabs.types.streaming_audio_chunk_with_timestamps_response import StreamingAudioChunkWithTimestampsResponse
from elevenlabs.types.voice_settings import VoiceSettings
from pydantic import BaseModel, TypeAdapter

VOICE = {"voice_id": "voice_1", "text": "good day to you", "model_id": "a_model", "output_format": "pcm_24000"}
FRAME_BYTES = 640


class Line(AsyncAudioInterface):
    """A caller without a sound card."""

    def __init__(self) -> None:
        self.heard, self.interrupted, self.sounded = bytearray(), 0, asyncio.Event()

    async def start(self, input_callback: Any) -> None:
        self.send = input_callback

    async def stop(self) -> None:
        pass

    async def output(self, audio: bytes) -> None:
        self.heard += audio
        self.sounded.set()

    async def interrupt(self) -> None:
        self.interrupted += 1
        self.heard.clear()

    async def say(self, pcm: bytes) -> None:
        pcm += bytes(16_000)  # half a second of silence
        for at in range(0, len(pcm), FRAME_BYTES):
            await self.send(pcm[at : at + FRAME_BYTES])


class Call:
    """A conversation, and what is told of it."""

    def __init__(self, client: ElevenLabs, agent: str, *, requires_auth: bool) -> None:
        self.line, self.told, self.changed = Line(), [], asyncio.Event()
        self.tools = ClientTools(loop=asyncio.get_running_loop())
        self.tools.register("look_up", lambda parameters: f"it is {parameters['of']}")
        self.conversation = AsyncConversation(
            client,
            agent,
            requires_auth=requires_auth,
            audio_interface=self.line,
            client_tools=self.tools,
            config=ConversationInitiationData(
                conversation_config_override={"agent": {"first_message": "welcome"}}, dynamic_variables={"name": "Ada"}
            ),
            callback_agent_response=self.on("agent"),
            callback_agent_response_correction=self.on("corrected"),
            callback_user_transcript=self.on("user"),
            callback_audio_alignment=self.on("alignment"),
            callback_disconnect=self.on("disconnect"),
        )

    def on(self, kind: str) -> Any:
        async def note(*values: Any) -> None:
            self.told.append((kind, *values))
            self.changed.set()

        return note

    def of(self, kind: str) -> list[Any]:
        return [values for found, *values in self.told if found == kind]

    async def until(self, kind: str, count: int) -> None:
        async with asyncio.timeout(20):
            while len(self.of(kind)) < count:
                self.changed.clear()
                await self.changed.wait()


async def talked(client: ElevenLabs, folder: Path, agent: str, *, requires_auth: bool) -> dict[str, Any]:
    """Hold a call: a greeting, an answer that is interrupted, a tool, a text; the agent hangs up."""
    call = Call(client, agent, requires_auth=requires_auth)
    line = call.line
    await call.conversation.start_session()
    await call.until("agent", 1)
    await asyncio.sleep(0.8)
    greeting = bytes(line.heard)
    line.heard.clear()
    line.sounded.clear()
    await line.say((folder / "story.pcm").read_bytes())
    await line.sounded.wait()
    await line.say((folder / "tool.pcm").read_bytes())
    await call.until("user", 2)
    await call.until("agent", 3)
    await asyncio.sleep(1.4)  # until it has been heard, by the agent's clock
    answer = bytes(line.heard)
    await call.conversation.send_contextual_update("The caller smiles.")
    await call.conversation.send_user_message("goodbye")  # on which the agent of the double hangs up
    await call.until("disconnect", 1)
    (folder / f"{agent}.pcm").write_bytes(answer)
    (folder / f"{agent}_greeting.pcm").write_bytes(greeting)
    details = call.of("disconnect")[0][0]
    return {
        "user": [text for (text,) in call.of("user")],
        "agent": [text for (text,) in call.of("agent")],
        "corrected": call.of("corrected"),
        "interrupted": line.interrupted,
        "aligned": "".join(call.of("alignment")[0][0].chars),
        "ended": [details.reason, details.close_code],
        "id": await call.conversation.wait_for_session_end(),
    }


async def spoken(client: AsyncElevenLabs, folder: Path) -> dict[str, Any]:
    """Have a text spoken, with and without the times of its characters."""
    audio = b"".join([piece async for piece in client.text_to_speech.stream(**VOICE)])
    (folder / "voice.pcm").write_bytes(audio)
    timed, characters, last_s = b"", "", 0.0
    async for piece in client.text_to_speech.stream_with_timestamps(**VOICE):
        raw = piece.model_dump(by_alias=True)
        TypeAdapter(StreamingAudioChunkWithTimestampsResponse).validate_python(raw, strict=True)
        timed += base64.b64decode(piece.audio_base_64)
        characters += "".join(piece.alignment.characters)
        last_s = piece.alignment.character_end_times_seconds[-1]
    (folder / "timed.pcm").write_bytes(timed)
    return {"characters": characters, "last_s": last_s}


def known(model: type[BaseModel], value: dict[str, Any]) -> BaseModel:
    """Return a value that the SDK's model accepts and knows all of; the SDK itself lets everything pass."""
    found = TypeAdapter(model).validate_python(value)
    strangers = [name for name in value if name not in model.model_fields]
    assert not strangers, f"{model.__name__} knows no {strangers}"
    for name, part in value.items():
        inner = getattr(found, name)
        if isinstance(inner, BaseModel):
            known(type(inner), part)
    return found


def judged(ours: dict[str, Any]) -> None:
    """Hold what our client sends against what the SDK would."""
    begun = ours["begin"]
    known(ConversationConfigClientOverrideInput, begun["conversation_config_override"])
    assert isinstance(begun["dynamic_variables"], dict)
    known(VoiceSettings, ours["speech"]["voice_settings"])
    assert ours["tell"] == UserMessageClientToOrchestratorEvent(ours["tell"]["text"]).to_dict()
    assert ours["remember"] == ContextualUpdateClientToOrchestratorEvent(ours["remember"]["text"]).to_dict()


async def main(url: str, folder: Path) -> None:
    """Do it all."""
    judged(json.loads((folder / "ours.json").read_text()))
    key = os.environ["ELEVENLABS_API_KEY"]
    client, patient = ElevenLabs(base_url=url, api_key=key), AsyncElevenLabs(base_url=url, api_key=key)
    try:
        await AsyncElevenLabs(base_url=url, api_key="sk-wrong").voices.get("voice_1")
        refused = None
    except ApiError as error:
        refused = error.status_code
    found = {
        "public": await talked(client, folder, "agent_public", requires_auth=False),
        "private": await talked(client, folder, "agent_private", requires_auth=True),
        "voice": await spoken(patient, folder),
        "refused": refused,
    }
    print(json.dumps(found))


asyncio.run(main(sys.argv[1], Path(sys.argv[2])))
