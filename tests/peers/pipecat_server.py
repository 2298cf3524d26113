"""A real Pipecat server whose pipeline listens and answers in tones. Runs where ``pipecat-ai[websocket,runner]`` is.

Pipecat's own transports, serializer, RTVI processor, turn strategies, contexts and service base classes are at work;
only the models behind them are ours. ``route`` serves a websocket of its own, ``runner PORT`` Pipecat's own runner.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import threading
import time
from collections.abc import AsyncGenerator
from dataclasses import fields

import uvicorn
from fastapi import FastAPI, WebSocket
from listening import LOUD, Listening, answer_to, voice
from loguru import logger
from pipecat.audio.vad.vad_analyzer import VADAnalyzer, VADParams
from pipecat.frames.frames import (
    Frame,
    LLMContextFrame,
    LLMFullResponseEndFrame,
    LLMFullResponseStartFrame,
    LLMTextFrame,
    TranscriptionFrame,
    TTSAudioRawFrame,
    TTSSpeakFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.processors.aggregators.llm_context import LLMContext
from pipecat.processors.aggregators.llm_response_universal import LLMContextAggregatorPair, LLMUserAggregatorParams
from pipecat.processors.frame_processor import FrameDirection
from pipecat.serializers.protobuf import ProtobufFrameSerializer
from pipecat.services.llm_service import LLMService
from pipecat.services.settings import LLMSettings, STTSettings, TTSSettings
from pipecat.services.stt_service import STTService
from pipecat.services.tts_service import TTSService
from pipecat.transports.websocket.fastapi import FastAPIWebsocketParams, FastAPIWebsocketTransport
from pipecat.turns.user_stop import SpeechTimeoutUserTurnStopStrategy
from pipecat.turns.user_turn_strategies import UserTurnStrategies
from pipecat.utils.time import time_now_iso8601
from pipecat.workers.runner import WorkerRunner

IN_RATE, OUT_RATE = 16_000, 24_000
"""Hz."""
PIECE_BYTES = OUT_RATE // 5 * 2
"""Of audio that the voice gives at a time: 200 ms."""


class Loudness(VADAnalyzer):
    """Speech is what is loud."""

    def __init__(self) -> None:
        params = VADParams(start_secs=0.06, stop_secs=0.2, min_volume=0)
        super().__init__(sample_rate=IN_RATE, params=params)

    def num_frames_required(self) -> int:
        return IN_RATE // 50

    def voice_confidence(self, buffer: bytes) -> float:
        samples = memoryview(buffer).cast("h")
        return float(max(samples) > LOUD)


class Ears(STTService):
    """Reads tones back."""

    def __init__(self) -> None:
        super().__init__(ttfs_p99_latency=1.0, settings=STTSettings(model="tones", language=None))
        self._listening = Listening(IN_RATE)

    async def run_stt(self, audio: bytes) -> AsyncGenerator[Frame | None, None]:
        for noticed in self._listening.push(audio):
            if noticed.kind == "stopped" and noticed.text:
                yield TranscriptionFrame(noticed.text, "caller", time_now_iso8601(), finalized=True)
        yield None


class Agent(LLMService):
    """Answers as every double does, word by word."""

    def __init__(self) -> None:
        unset = {
            field.name: None for field in fields(LLMSettings) if field.init and field.name not in {"model", "extra"}
        }
        super().__init__(settings=LLMSettings(model="echo", **unset))

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        await super().process_frame(frame, direction)
        if not isinstance(frame, LLMContextFrame):
            await self.push_frame(frame, direction)
            return
        said = frame.context.get_messages()[-1]
        answer = answer_to(said["content"]) if said["role"] == "user" else ""
        await self.push_frame(LLMFullResponseStartFrame())
        for number, word in enumerate(answer.split()):
            await self.push_frame(LLMTextFrame(f" {word}" if number else word))
        await self.push_frame(LLMFullResponseEndFrame())


class Voice(TTSService):
    """Speaks in tones, as fast as it is asked."""

    def __init__(self) -> None:
        settings = TTSSettings(model="tones", voice="tones", language=None)
        super().__init__(push_start_frame=True, push_stop_frames=True, sample_rate=OUT_RATE, settings=settings)

    async def run_tts(self, text: str, context_id: str) -> AsyncGenerator[Frame | None, None]:
        pcm = voice(text.strip(), OUT_RATE)
        for start in range(0, len(pcm), PIECE_BYTES):
            yield TTSAudioRawFrame(pcm[start : start + PIECE_BYTES], OUT_RATE, 1, context_id=context_id)


async def converse(websocket: WebSocket, greeting: str = "") -> None:
    """Hold one conversation, until either side hangs up."""
    transport = FastAPIWebsocketTransport(
        websocket,
        FastAPIWebsocketParams(
            serializer=ProtobufFrameSerializer(),
            audio_in_enabled=True,
            audio_in_sample_rate=IN_RATE,
            audio_out_enabled=True,
            audio_out_sample_rate=OUT_RATE,
            audio_out_end_silence_secs=0,
        ),
    )
    strategies = UserTurnStrategies(stop=[SpeechTimeoutUserTurnStopStrategy(user_speech_timeout=0)])
    params = LLMUserAggregatorParams(user_turn_strategies=strategies, vad_analyzer=Loudness())
    turns = LLMContextAggregatorPair(LLMContext(), user_params=params)
    stages = [transport.input(), Ears(), turns.user(), Agent(), Voice(), transport.output(), turns.assistant()]
    worker, runner = PipelineWorker(Pipeline(stages)), WorkerRunner(handle_sigint=False)

    @transport.event_handler("on_client_connected")
    async def on_connected(_transport: object, _client: object) -> None:
        if greeting:
            await worker.queue_frames([TTSSpeakFrame(greeting)])

    @transport.event_handler("on_client_disconnected")
    async def on_disconnected(_transport: object, _client: object) -> None:
        await worker.cancel()

    await runner.add_workers(worker)
    await runner.run()


async def bot(arguments: object) -> None:
    """Hold a conversation that the development runner has accepted."""
    await converse(arguments.websocket)


def route() -> None:
    """Serve ``/ws`` on a free port."""
    app = FastAPI()

    @app.websocket("/ws")
    async def talk(websocket: WebSocket) -> None:
        await websocket.accept()
        await converse(websocket, websocket.query_params.get("greeting", ""))

    listener = socket.create_server(("127.0.0.1", 0))
    print(f"ready {listener.getsockname()[1]}", flush=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning"))
    asyncio.run(server.serve(sockets=[listener]))


def runner(port: str) -> None:
    """Serve Pipecat's development runner, which wants a token for each websocket."""
    from pipecat.runner.run import main

    threading.Thread(target=_tell_when_ready, args=(int(port),), daemon=True).start()
    sys.argv[1:] = ["-t", "websocket", "--host", "127.0.0.1", "--port", port, "--ws-auth", "token"]
    main()


def _tell_when_ready(port: int) -> None:
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            print(f"ready {port}", flush=True)
            return


if __name__ == "__main__":
    logger.remove()
    logger.add(sys.stderr, level="WARNING")
    {"route": route, "runner": runner}[sys.argv[1]](*sys.argv[2:])
