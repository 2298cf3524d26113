"""Pipecat's own serializer, models and websocket client judge our messages, and our double: ``URL KEY FOLDER``.

The folder has frames of our client in ``ours.json`` and what a caller says in ``caller.pcm``. What the serializer makes
of frames goes to ``theirs.json``, what is heard to ``heard.pcm``. Runs where ``pipecat-ai`` is.
"""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from pathlib import Path
from typing import Any

import pipecat.processors.frameworks.rtvi.models as rtvi
from loguru import logger
from pipecat.frames.frames import (
    Frame,
    InputAudioRawFrame,
    InputTransportMessageFrame,
    InterruptionFrame,
    OutputAudioRawFrame,
    OutputTransportMessageUrgentFrame,
    TextFrame,
    TranscriptionFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor
from pipecat.serializers.protobuf import ProtobufFrameSerializer
from pipecat.transports.websocket.client import WebsocketClientParams, WebsocketClientTransport
from pipecat.workers.runner import WorkerRunner
from pydantic import BaseModel

IN_RATE, OUT_RATE = 24_000, 16_000
"""Hz that the double sends, and that we send."""
CLIENT_DATA = {
    "client-ready": rtvi.ClientReadyData,
    "send-text": rtvi.SendTextData,
    "dtmf": rtvi.DTMFInputData,
    "disconnect-bot": None,
}
SERVER_MESSAGES = {
    model.model_fields["type"].default: model
    for model in vars(rtvi).values()
    if isinstance(model, type) and issubclass(model, BaseModel) and {"label", "type"} <= set(model.model_fields)
}
ANSWERS = 2
"""That the call goes on for: one to speech, one to a text."""


def knows(model: type[BaseModel], data: Any) -> None:
    """Raise for what the model refuses, or would leave out."""
    kept = model.model_validate(data).model_dump(mode="json")
    assert set(data) <= set(kept), (model.__name__, sorted(set(data) - set(kept)))


async def judge(ours: list[str]) -> list[str]:
    """Read our client's frames as a server does; return their names."""
    serializer, names = ProtobufFrameSerializer(), []
    for encoded in ours:
        frame = await serializer.deserialize(base64.b64decode(encoded))
        if isinstance(frame, InputTransportMessageFrame):
            message = rtvi.Message.model_validate(frame.message)
            model = CLIENT_DATA[message.type]
            if model is not None:
                knows(model, message.data)
            names.append(message.type)
        elif isinstance(frame, InputAudioRawFrame):
            names.append(f"audio {len(frame.audio)} {frame.sample_rate} {frame.num_channels}")
        else:
            names.append(type(frame).__name__)
    return names


async def theirs() -> list[str]:
    """Return frames as a server sends them."""
    pcm = bytes(range(256))
    frames = (
        OutputAudioRawFrame(pcm, 24_000, 1),
        OutputAudioRawFrame(pcm, 8_000, 2),
        OutputTransportMessageUrgentFrame(message=rtvi.BotStartedSpeakingMessage().model_dump()),
        OutputTransportMessageUrgentFrame(message={"an": "application's own"}),
        InterruptionFrame(),
        TextFrame("text"),
        TranscriptionFrame("said", "caller", "now"),
    )
    serializer = ProtobufFrameSerializer()
    return [base64.b64encode(await serializer.serialize(frame)).decode() for frame in frames]


class Listener(FrameProcessor):
    """Notes down what the double sends; is done once it has answered."""

    def __init__(self) -> None:
        super().__init__()
        self.heard, self.kinds, self.interruptions = bytearray(), [], 0
        self.ready, self.answered, self.done = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if direction is FrameDirection.DOWNSTREAM and isinstance(frame, InputAudioRawFrame):
            self.heard += frame.audio
        elif direction is FrameDirection.DOWNSTREAM and isinstance(frame, InputTransportMessageFrame):
            self._note(frame.message)
        elif isinstance(frame, InterruptionFrame):
            self.interruptions += 1  # it goes no further: what the caller says is not to be dropped
        else:
            await self.push_frame(frame, direction)

    def _note(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        model = SERVER_MESSAGES[kind]
        knows(model, message)
        if "data" in message:
            knows(model.model_fields["data"].annotation, message["data"])
        self.kinds.append(kind)
        if kind == "bot-ready":
            self.ready.set()
        if kind == "bot-stopped-speaking":
            self.answered.set()
        if self.kinds.count("bot-stopped-speaking") == ANSWERS:
            self.done.set()


async def call(url: str, key: str, caller: bytes) -> Listener:
    """Hold a call with the double by Pipecat's websocket client."""
    params = WebsocketClientParams(
        serializer=ProtobufFrameSerializer(),
        additional_headers={"Authorization": f"Bearer {key}"},
        audio_in_enabled=True,
        audio_in_sample_rate=IN_RATE,
        audio_out_enabled=True,
        audio_out_sample_rate=OUT_RATE,
        add_wav_header=False,
    )
    transport, listener = WebsocketClientTransport(url, params), Listener()
    worker = PipelineWorker(Pipeline([transport.input(), listener, transport.output()]), enable_rtvi=False)
    runner = WorkerRunner(handle_sigint=False)
    await runner.add_workers(worker)
    running = asyncio.create_task(runner.run())
    try:
        async with asyncio.timeout(40):
            await worker.queue_frame(told("client-ready", version=rtvi.PROTOCOL_VERSION, about={"library": "pipecat"}))
            await listener.ready.wait()
            await worker.queue_frame(OutputAudioRawFrame(caller, OUT_RATE, 1))
            await listener.answered.wait()
            await worker.queue_frame(told("send-text", content="typed", options={"run_immediately": True}))
            await listener.done.wait()
            await worker.queue_frame(told("disconnect-bot"))
    finally:
        await worker.cancel()
        await running
    return listener


def told(kind: str, **data: Any) -> OutputTransportMessageUrgentFrame:
    """Return an RTVI message of a client."""
    return OutputTransportMessageUrgentFrame(message={"label": "rtvi-ai", "type": kind, "id": "1", "data": data})


async def main(url: str, key: str, folder: Path) -> None:
    """Do all of it, and print what was found."""
    names = await judge(json.loads((folder / "ours.json").read_text()))
    (folder / "theirs.json").write_text(json.dumps(await theirs()))
    listener = await call(url, key, (folder / "caller.pcm").read_bytes())
    (folder / "heard.pcm").write_bytes(listener.heard)
    print(json.dumps({"ours": names, "kinds": listener.kinds, "interruptions": listener.interruptions}))


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    asyncio.run(main(sys.argv[1], sys.argv[2], Path(sys.argv[3])))
